"""Where the lake's files are kept, and what is said when they cannot be."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
from pyarrow import fs

from spsetl.errors import StorageError

_ADVICE: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
    errno.EROFS: "mount it for writing",
}
_READING_ADVICE: Final = {errno.EACCES: "let this user read it", errno.EPERM: "let this user read it"}


class Storage(Protocol):
    """Where files are kept: a disk today. An object store needs only these, and there only `files` does something."""

    files: fs.FileSystem

    def make_durable(self, path: str) -> None:
        """Return when the file, or the names in the folder, would survive a loss of power."""

    def remove_empty_folder(self, path: str) -> None:
        """Remove the folder, unless something is in it."""


class Disk:
    """A local file system."""

    def __init__(self) -> None:
        self.files: fs.FileSystem = fs.LocalFileSystem()

    def make_durable(self, path: str) -> None:
        """`fsync` of a file or a folder."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove_empty_folder(self, path: str) -> None:
        """`rmdir`, which never takes a file with it."""
        try:
            Path(path).rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise


@contextmanager
def storage_errors(verb: str, path: str) -> Iterator[None]:
    """Say what cannot be done, why, and what to do about it.

    Raises:
        StorageError: The block failed at the disk.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else _first_line(error)
        advice = _ADVICE.get(number or 0, "check the disk")
        raise StorageError(f"cannot {verb} {path}: {reason}: {advice} and run again") from error


@contextmanager
def reading_errors(path: str) -> Iterator[None]:
    """Tell a file that cannot be reached from one that is damaged.

    Raises:
        StorageError: The block failed to read the file.
    """
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:
            advice = _READING_ADVICE.get(error.errno, "check the disk")
            reason = os.strerror(error.errno)
            raise StorageError(f"cannot read {path}: {reason}: {advice} and run again") from error
        raise damaged(path, _first_line(error)) from error


def damaged(path: str, reason: str) -> StorageError:
    """The error that says that a file of the lake cannot be read as what it should be."""
    return StorageError(
        f"{path} is damaged ({reason}) and was left as it is: restore it from a backup, or move it out of the lake, "
        "and run again; the warehouse keeps its rows until `spsetl rebuild`, which goes by the lake alone"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["unknown reason"])[0]
