"""Files that a person asks for: each whole in its place, or the old one as it was."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Self

from spsetl.cli.screen import shielded
from spsetl.errors import SpsetlError, StorageError, UsageError
from spsetl.warehouse.reader import FILE_NAME

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
    def open(self, path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
        """A new file, durable when the block ends. What is there and is no file (a pipe, a device) is written at once.

        Args:
            path: Where it will be.
            mode: Its permissions, less those of the umask; never more, at no moment.

        Raises:
            UsageError: There is no such folder, or a folder is there.
            StorageError: The file cannot be written.
        """
        with _telling(path):
            place = path.resolve()
            if _is_no_file(path):
                with path.open("ab") as file:  # "wb" would empty a file behind /dev/stdout
                    yield shielded(file)
                return
            if place.is_dir():
                raise UsageError(f"cannot write {path}: it is a folder; name a file")
            _remove_abandoned(place)
            partial = place.with_name(f".{place.name}.{os.getpid()}.partial")
            self._partial[place] = partial
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(os.open(partial, flags, mode), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())


def _is_no_file(path: Path) -> bool:
    """True for a pipe or a device, and for `/dev/stdout`, whatever that leads to: nothing may take its place."""
    is_special = path.exists() and not path.is_file() and not path.is_dir()
    return is_special or Path("/dev") in path.absolute().parents


def _remove_abandoned(path: Path) -> None:
    """What a killed program has left of this file."""
    for partial in path.parent.glob(f".{_escaped(path.name)}.*.partial"):
        if time.time() - partial.stat().st_mtime > SECONDS_UNTIL_ABANDONED:
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
