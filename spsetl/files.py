"""New files: whole in their places or not there, under names that nobody can foresee, and through no link."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final

PRIVATE: Final = 0o600


def create_partial(path: Path, mode: int = PRIVATE) -> tuple[Path, BinaryIO]:
    """A file beside `path`, to be renamed to it once it is whole.

    Args:
        path: Where it will be.
        mode: Its permissions, less those of the umask; never more, at no moment.

    Raises:
        OSError: It cannot be made.
    """
    partial = path.with_name(f".{path.name}.{token_hex(8)}.partial")
    return partial, os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb")


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A new file, durable and in the place of the old one when the block ends; after an error the old one stays.

    Args:
        path: Where it will be; a link there is replaced, not followed.
        mode: Its permissions, less those of the umask.

    Raises:
        OSError: It cannot be written.
    """
    partial, file = create_partial(path, mode)
    try:
        with file:
            yield file
            sync_file(file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sync_file(file: BinaryIO) -> None:
    """Return when what was written would survive a loss of power."""
    file.flush()
    os.fsync(file.fileno())


def sync_path(path: Path) -> None:
    """The same of a file, or of the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
