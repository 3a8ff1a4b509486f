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
        log = file.with_name(file.name + ".wal")
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
