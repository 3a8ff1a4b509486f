"""One sync per data directory."""

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from filelock import FileLock, Timeout

from spsetl.errors import LockedError

# `find_holder` takes the lock for an instant to look: a sync that begins then must not be refused.
_PATIENCE: Final = 0.25  # seconds
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
    """
    lock = FileLock(folder / "lock", timeout=_PATIENCE, poll_interval=_PATIENCE / 10)
    holder = folder / "lock.holder"
    try:
        lock.acquire()
    except Timeout as error:
        raise LockedError(
            f"another sync holds {folder.parent}: {Holder.read(holder)}; wait for it, or stop it"
        ) from error
    try:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}", encoding="utf-8")
        yield
    finally:
        lock.release()


def find_holder(folder: Path) -> Holder | None:
    """Who holds the data directory now; None where nobody does, or where this user may not look.

    Args:
        folder: The private folder of the data directory.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Holder.read(folder / "lock.holder")
    finally:
        os.close(descriptor)
    return None
