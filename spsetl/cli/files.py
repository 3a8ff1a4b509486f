"""Files that a person asks for: each whole in its place, or the old one as it was."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Self

from spsetl.analysis.reader import FILE_NAME
from spsetl.cli.screen import shielded
from spsetl.errors import SpsetlError, StorageError, UsageError
from spsetl.files import PRIVATE, create_partial, sync_file

SECONDS_UNTIL_ABANDONED: Final = 24 * 3600


class NewFiles:
    """Files that take their places together when the `with` block ends; after an error the old ones stay."""

    def __init__(self) -> None:
        self._partial: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            for path, partial in self._partial.items():
                if error is None:
                    with _telling(path):
                        partial.replace(path)
        finally:
            for partial in self._partial.values():
                partial.unlink(missing_ok=True)

    @contextmanager
    def open(self, path: Path, *, mode: int = PRIVATE) -> Iterator[BinaryIO]:
        """A new file, durable when the block ends. What is there and is no file (a pipe, a device) is written at once.

        Args:
            path: Where it will be; a link to a file is replaced, not followed.
            mode: Its permissions, less those of the umask; never more, at no moment.

        Raises:
            UsageError: There is no such folder, or a folder or another user's pipe is there.
            StorageError: The file cannot be written.
        """
        with _telling(path):
            if is_no_file(path):
                _check_own(path, path.stat())
                # "wb" would empty a file behind /dev/stdout
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "ab") as special:
                    _check_own(path, os.fstat(special.fileno()))
                    yield shielded(special)
                return
            if path.is_dir():
                raise UsageError(f"cannot write {path}: it is a folder; name a file")
            place = path.absolute()
            _remove_abandoned(place)
            self._partial[place], file = create_partial(place, mode)
            with file:
                yield file
                sync_file(file)


def is_no_file(path: Path) -> bool:
    """True for a pipe or a device, and for `/dev/stdout`, whatever that leads to: nothing may take its place."""
    is_special = path.exists() and not path.is_file() and not path.is_dir()
    return is_special or _is_device(path)


def _is_device(path: Path) -> bool:
    parents = path.absolute().parents
    return Path("/dev") in parents and Path("/dev/shm") not in parents  # noqa: S108 memory that is like any folder


def _check_own(path: Path, found: os.stat_result) -> None:
    """Whoever puts a pipe, or in its place a link, where we write would have the answer, or have it spoil a file."""
    if not _is_device(path) and (stat.S_ISREG(found.st_mode) or found.st_uid not in {os.geteuid(), 0}):
        raise UsageError(f"cannot write {path}: it is a pipe of another user; name another file")


def _remove_abandoned(path: Path) -> None:
    """What a killed program has left of this file."""
    for partial in path.parent.glob(f".{_escaped(path.name)}.*.partial"):
        if time.time() - partial.lstat().st_mtime > SECONDS_UNTIL_ABANDONED:
            partial.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; make it first") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise write_error(str(path), error) from error


def write_error(what: str, error: OSError) -> SpsetlError:
    """What to say when something cannot be written."""
    return StorageError(
        f"cannot write {what}: {error.strerror or error}: free some space, or choose another place, and run again; "
        "what was there is as it was"
    )


def check_not_the_copy(path: Path, data_dir: Path) -> None:
    """Refuse to write into what a sync keeps.

    Raises:
        UsageError: The path is the published warehouse, or in the lake or the work folder.
    """
    place, copy = path.resolve(), data_dir.resolve()
    if place == copy / FILE_NAME or any(folder in (place, *place.parents) for folder in (copy / "lake", copy / "work")):
        raise UsageError(f"{path} is a part of the copy itself: choose another place")
