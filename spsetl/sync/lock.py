"""One sync per data directory."""

import errno
import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from spsetl.errors import LockedError, SettingsError
from spsetl.interrupts import ends_process
from spsetl.lake.storage import storage_errors

# `find_holder` takes the lock for an instant to look: a sync that begins then must not be refused.
_PATIENCE: Final = 0.25  # seconds
_HELD: Final = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK})
_WITHOUT_LOCKS: Final = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS})
_HOLDER: Final = re.compile(r"process (?P<process>\d+) on (?P<host>\S+) since (?P<since>\S+ \S+) UTC")


@dataclass(frozen=True)
class Holder:
    """The process that holds a data directory, as it said itself; what it has not said is None.

    Attributes:
        text: For a person.
        process: Its number.
        host: Where it runs.
        since: UTC, as text.
    """

    text: str = "a process that did not say who it is"
    process: int | None = None
    host: str | None = None
    since: str | None = None

    def __str__(self) -> str:
        return self.text

    @classmethod
    def read(cls, path: Path) -> Self:
        """From the file that `hold_lock` writes."""
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = _HOLDER.fullmatch(text)
        if not found:
            return cls(text) if text else cls()
        return cls(text, int(found["process"]), found["host"], found["since"].replace(" ", "T") + "Z")


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the data directory for as long as the block lasts. The system frees it when the process dies.

    Args:
        folder: The private folder of the data directory.

    Raises:
        LockedError: Another sync holds it; says which process, on which host, since when.
        SettingsError: It lies where nothing can be locked.
    """
    holder = folder / "lock.holder"
    with _opened(folder / "lock") as descriptor:
        end = time.monotonic() + _PATIENCE
        while not _take(descriptor, fcntl.LOCK_EX, folder):
            if time.monotonic() > end:
                raise LockedError(f"another sync holds {folder.parent}: {Holder.read(holder)}; wait for it, or stop it")
            time.sleep(_PATIENCE / 10)
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        with storage_errors("write", str(holder)):
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}", encoding="utf-8")
        try:
            yield
        except BaseException as error:
            if ends_process(error):
                os.dup(descriptor)  # steps may be at work until the process is gone: so long it is held
            raise


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise _cannot_lock(path, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # which lets go of the lock, too


def _take(descriptor: int, kind: int, folder: Path) -> bool:
    """Whether it is ours now; False where another process has it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise _cannot_lock(folder / "lock", error) from error
    return True


def _cannot_lock(path: Path, error: OSError) -> SettingsError:
    advice = (
        "its file system gives no locks, without which two syncs could spoil the copy: mount it with locks (NFS: with "
        "its lock service), or set SPSETL_DATA_DIR to a local disk"
        if error.errno in _WITHOUT_LOCKS
        else "let this user write it, or set SPSETL_DATA_DIR to another folder"
    )
    return SettingsError(f"cannot lock {path} ({error.strerror}): {advice}")


def find_holder(folder: Path) -> Holder | None:
    """Who holds the data directory now; None where nobody does, or where this user may not look.

    Args:
        folder: The private folder of the data directory.

    Raises:
        SettingsError: It lies where nothing can be locked, so that no run begins.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _take(descriptor, fcntl.LOCK_SH, folder) else Holder.read(folder / "lock.holder")
    finally:
        os.close(descriptor)
