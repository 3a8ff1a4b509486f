"""What is wrong with a database file that DuckDB cannot open, read or write: told in one line."""

import re
from pathlib import Path
from typing import Final

import duckdb

from spsetl.errors import NewerCopyError, SpsetlError, StorageError
from spsetl.warehouse.complaints import one_line

_DAMAGED: Final = (
    "{path} is damaged or not a warehouse of spsetl ({kind}): delete it and its .wal; the next sync goes on from the "
    "published warehouse.duckdb, or fetches everything again where there is none"
)
# What keeps a good file from being opened.
_NOT_DAMAGED: Final = re.compile(
    r"No space left|File too large|Could not write|Could not set lock|Permission denied|Read-only"
)
# What DuckDB says of a file whose contents are not its own any more, in errors of several kinds.
_DAMAGE: Final = re.compile(
    r"Corrupt database|checksum|Could not read|not enough bytes|deserializ|INTERNAL Error|not a valid DuckDB"
)
# Memory that could not be had since the disk that it spills to is full.
_SPILLING: Final = re.compile(r"temp_directory|offload|temporary", re.IGNORECASE)
_NEWER_FORMAT: Final = re.compile(
    r"greater than the latest version supported by this DuckDB|we can only read (storage )?versions"
)


def explain_opening(path: Path, error: duckdb.Error, *, was_there: bool = True) -> SpsetlError:
    """Why a database cannot be opened, or copied from.

    Args:
        path: The file.
        error: What DuckDB says.
        was_there: Whether the file was there before; one that was not cannot be damaged.
    """
    if is_newer_format(error):
        return NewerCopyError(f"{path} was written by a newer DuckDB than this spsetl has: install a newer spsetl")
    if not was_there or _NOT_DAMAGED.search(str(error)):
        return StorageError(
            f"cannot open {path}: {one_line(error)}: free some space, or let this user write there, and run again"
        )
    return _damaged(path, error)


def is_newer_format(error: duckdb.Error) -> bool:
    """Whether the file is of a DuckDB that is newer than ours."""
    return _NEWER_FORMAT.search(str(error)) is not None


def explain_use(path: Path, error: duckdb.Error) -> StorageError | None:
    """Why an open database cannot be read or written any more; None if that is not the file's fault."""
    if _DAMAGE.search(str(error)) and not _NOT_DAMAGED.search(str(error)):
        return _damaged(path, error)
    if isinstance(error, duckdb.OutOfMemoryException) and not _SPILLING.search(str(error)):
        return StorageError(
            f"cannot merge into {path}: {one_line(error)}: run again, what was merged before is kept; if this comes "
            "back, report it"
        )
    if _is_about_storage(error):
        return StorageError(f"cannot write {path}: {one_line(error)}: free some space and run again")
    return None


def _damaged(path: Path, error: duckdb.Error) -> StorageError:
    return StorageError(_DAMAGED.format(path=path, kind=type(error).__name__))


def _is_about_storage(error: duckdb.Error) -> bool:
    if isinstance(error, duckdb.TransactionException):
        return "Could not write" in str(error)  # a commit that found the disk full
    return isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException | duckdb.FatalException)
