"""The files of a data directory: where they are, who holds them, and how the last run of each appliance and kind went.

One run at a time holds it, by a lock that the system frees when the process dies. The table sync_runs does not tell of
a run that could not log in, and what fails is not published: so how the last run went is in a small file of its own,
which anybody who may read the data directory can read at any time, without the lock.
"""

import errno
import fcntl
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

import orjson

from spsetl.errors import LockedError, SettingsError
from spsetl.files import replacing
from spsetl.interrupts import ends_process
from spsetl.lake import file_name
from spsetl.lake.storage import storage_errors
from spsetl.runs import KILLED, Run


@dataclass(frozen=True)
class DataDir:
    """Where everything of a data directory is."""

    lake: Path
    private: Path
    work: Path
    published: Path

    @classmethod
    def of(cls, data_dir: Path) -> "DataDir":
        """The files below a data directory."""
        private = data_dir / "work"
        return cls(data_dir / "lake", private, private / "warehouse.duckdb", data_dir / "warehouse.duckdb")

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            SettingsError: They cannot be made or written.
        """
        try:
            self.published.parent.mkdir(mode=0o750, parents=True, exist_ok=True)  # its group may read what is published
            for folder in (self.lake, self.private):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what people did is nobody else's business
                probe = folder / ".writable"
                probe.touch()
                probe.unlink()
        except OSError as error:
            raise SettingsError(
                f"cannot write the data directory {self.published.parent} ({error.strerror}): "
                "set SPSETL_DATA_DIR to a folder that this user may write"
            ) from error

    def snapshot_of(self, appliance: str) -> Path:
        """Where the snapshot that was opened last is remembered."""
        return self.private / f"snapshot-{file_name(appliance)}.json"

    @property
    def token(self) -> str:
        """Tells this data directory from others in the User-Agent: they must not get each other's snapshots."""
        whole = f"{socket.gethostname()}:{self.private.absolute()}"
        return blake2b(whole.encode(errors="surrogateescape"), digest_size=4).hexdigest()


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


_PREFIX: Final = "last-runs-"


def keep_last_run(folder: Path, run: Run) -> None:
    """Write down how the run goes, or went, in the place of the one before it of its kind.

    Args:
        folder: The private folder of the data directory, which is locked.
        run: The run.

    Raises:
        OSError: It cannot be written.
    """
    runs = {one.kind: one for one in _read(_path(folder, run.appliance))} | {run.kind: run}
    _write(folder, run.appliance, runs.values())


def drop_last_run(folder: Path, run: Run) -> None:
    """Say nothing of a run that is none of the copy's.

    Raises:
        OSError: They cannot be written.
    """
    left = [one for one in _read(_path(folder, run.appliance)) if one.run_id != run.run_id]
    if left:
        _write(folder, run.appliance, left)
    else:
        _path(folder, run.appliance).unlink(missing_ok=True)


def rename_last_runs(folder: Path, old: str, new: str | None) -> None:
    """The last runs of an appliance under another name; or none any more, where that is None.

    Raises:
        OSError: They cannot be written.
    """
    path = _path(folder, old)
    if new is not None and path.exists():
        runs = list(_read(path))
        for run in runs:
            run.appliance = new
        _write(folder, new, runs)
    path.unlink(missing_ok=True)


def fetch_last_runs(folder: Path, *, is_running: bool) -> list[Run]:
    """The last run of each appliance and kind; none where none was written down.

    Args:
        folder: The private folder of the data directory.
        is_running: Whether a process holds it now. Where none does, a run that seems to be under way was killed.
    """
    runs = [one for path in sorted(folder.glob(f"{_PREFIX}*.json")) for one in _read(path)]
    for run in runs:
        if run.status == "running" and not is_running:
            run.status, run.error = "failed", KILLED
    return runs


def _path(folder: Path, appliance: str) -> Path:
    return folder / f"{_PREFIX}{file_name(appliance)}.json"


def _write(folder: Path, appliance: str, runs: Iterable[Run]) -> None:
    with replacing(_path(folder, appliance)) as file:
        file.write(orjson.dumps([one.as_last() for one in runs], option=orjson.OPT_INDENT_2))


def _read(path: Path) -> Iterator[Run]:
    try:
        yield from [Run.from_last(one) for one in orjson.loads(path.read_bytes())]
    except FileNotFoundError:
        return
    except (ValueError, TypeError, KeyError):
        return  # spoilt by a power cut; the next run writes it anew
