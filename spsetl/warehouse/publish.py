"""From the work database to the published file by one rename: readers only ever see a whole, checked state."""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from shutil import copyfile
from typing import Final

from spsetl.errors import StorageError
from spsetl.files import sync_path

READING: Final = ".reading-"
"""How the folders begin in which readers give the published file a second name, for a moment."""
_ABANDONED_SECONDS: Final = 3600
_FOR_OWNER_AND_GROUP: Final = 0o640


def publish(work: Path, published: Path) -> None:
    """Put a copy of the closed, checkpointed work database in the place of the published file.

    Readers that have the old file open keep it; new ones see the new file. The folder is synced, so that after a
    power cut there is either the old file or the new one.

    Raises:
        StorageError: A write-ahead log lies beside the work database, or the disk is full. The published file is as it
            was.
    """
    log = log_of(work)
    if log.exists():
        raise StorageError(f"{log} is there: some program has opened {work} for writing; close it, and run again")
    partial = work.with_name("publish.duckdb")
    try:
        partial.unlink(missing_ok=True)  # of a killed run
        copyfile(work, partial)
        partial.chmod(_FOR_OWNER_AND_GROUP)
        sync_path(partial)
        discard_foreign(published)
        partial.replace(published)
        sync_path(published.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"cannot publish {published}: {error.strerror}: free some space and run again") from error


def discard_foreign(published: Path) -> None:
    """Remove a log that somebody has left beside the published file, and what killed readers have.

    Nobody has any business to write there: whatever opened the file would apply the log.

    Raises:
        StorageError: It cannot be removed.
    """
    log = log_of(published)
    try:
        log.unlink(missing_ok=True)
        for folder in published.parent.glob(f"{READING}*"):
            with suppress(FileNotFoundError):  # its reader is quicker
                if time.time() - folder.lstat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"cannot remove {log}: {error.strerror}; remove it, and run again") from error


def copy_database(source: Path, target: Path) -> None:
    """Copy a closed, checkpointed database.

    Raises:
        StorageError: The disk is full or cannot be written; nothing is left of the copy.
    """
    try:
        copyfile(source, target)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise StorageError(f"cannot write {target}: {error.strerror}: free some space and run again") from error


def replace_database(target: Path, made: Path) -> None:
    """Put a closed, checkpointed database in the place of another, durably. A log of the old one would spoil it.

    Raises:
        StorageError: The folder cannot be written; the old one is as it was.
    """
    try:
        sync_path(made)
        log_of(target).unlink(missing_ok=True)
        made.replace(target)
        sync_path(target.parent)
    except OSError as error:
        raise StorageError(
            f"cannot replace {target}: {error.strerror}: let this user write there and run again"
        ) from error


def remove_database(path: Path) -> None:
    """Remove a private database that a killed run has left, with its log."""
    for file in (log_of(path), path):
        file.unlink(missing_ok=True)


def log_of(database: Path) -> Path:
    """The log that DuckDB keeps beside a database while it is written."""
    return database.with_name(database.name + ".wal")
