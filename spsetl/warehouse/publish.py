"""From the work database to the published file by one rename: readers only ever see a whole, checked state."""

import os
from pathlib import Path
from shutil import copyfile

from spsetl.errors import StorageError


def publish(work: Path, published: Path) -> None:
    """Put a copy of the closed, checkpointed work database in the place of the published file.

    Readers that have the old file open keep it; new ones see the new file. The folder is synced, so that after a
    power cut there is either the old file or the new one.

    Raises:
        StorageError: A write-ahead log lies beside either file, or the disk is full. The published file is as it was.
    """
    for file in (work, published):
        log = log_of(file)
        if log.exists():
            # Beside a replaced file DuckDB would refuse it, or worse, apply it.
            raise StorageError(f"{log} is there: some program has opened {file} for writing; close it, and run again")
    partial = work.with_name("publish.duckdb")
    try:
        copyfile(work, partial)
        _sync(partial)
        partial.replace(published)
        _sync(published.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"cannot publish {published}: {error.strerror}: free some space and run again") from error


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
        _sync(made)
        log_of(target).unlink(missing_ok=True)
        made.replace(target)
        _sync(target.parent)
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
