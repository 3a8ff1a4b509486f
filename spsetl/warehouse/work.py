"""The private work database: the copy as it grows. Nobody but the sync that holds the lock opens it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import duckdb

from spsetl.errors import StorageError
from spsetl.warehouse.damage import explain_opening, explain_use
from spsetl.warehouse.publish import copy_database, remove_database, replace_database
from spsetl.warehouse.rewrite import is_wasteful, read_tables, write_anew
from spsetl.warehouse.tables import create_tables, dress_tables, find_tables, quote_text
from spsetl.warehouse.views import create_views

# DuckDB 2's own format opens in no 1.x, and BI drivers still embed 1.x.
_logger = logging.getLogger(__name__)
STORAGE_VERSION: Final = "v1.2.0"
# Merging spills to disk beyond its share of the machine's memory, or this where that is less.
SHARE: Final = "25%"
_LEAST_MEMORY: Final = 512 * 10**6


class WorkDatabase:
    """The work database of one data directory, open for as long as the `with` block lasts.

    Args:
        path: The file; made from `published` where it is missing, or empty where that is missing too.
        published: The published warehouse, only ever read.
        memory: What DuckDB may take, as it reads it; None for a quarter of the machine's, and 512 MB at least.

    Raises:
        NewerCopyError: A newer spsetl wrote the file.
        StorageError: The file cannot be opened, or its tables are not ours.
    """

    def __init__(self, path: Path, *, published: Path, memory: str | None = None) -> None:
        self.path = path
        self.published = published
        self._memory = memory
        self._anew = path.with_name("anew.duckdb")
        self._is_written_anew = False
        self.connection: duckdb.DuckDBPyConnection

    def __enter__(self) -> Self:
        begin_from(self.published, self.path)
        remove_database(self._anew)  # of a killed run
        self._is_written_anew = False
        was_there = self.path.exists()
        self.connection = duckdb.connect(config={"memory_limit": self._memory or SHARE, "threads": 2})
        try:
            self._attach()
        except duckdb.Error as error:
            self.connection.close()
            if not was_there:
                self._remove()
            raise explain_opening(self.path, error, was_there=was_there) from error
        except BaseException:
            self.connection.close()
            raise
        return self

    def _remove(self) -> None:
        """Nothing is left of a file that could not be made whole."""
        for path in (self.path, self.path.with_name(self.path.name + ".wal")):
            path.unlink(missing_ok=True)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the file; what DuckDB could not write or read becomes one line.

        Raises:
            StorageError: The disk is full, or the file cannot be written or read.
        """
        self.connection.close()
        if self._is_written_anew and error is None:
            replace_database(self.path, self._anew)
        if isinstance(error, duckdb.Error) and (explained := explain_use(self.path, error)) is not None:
            raise explained from error

    def _attach(self) -> None:
        run = self.connection.execute
        run("set temp_directory = $folder", {"folder": str(self.path.parent / "spill")})
        run("set preserve_insertion_order = false")
        run("set TimeZone = 'UTC'")
        # Each checkpoint compresses the newest rows once more.
        run("set wal_autocheckpoint = '64MB'")
        if self._memory is None:
            [(share,)] = run("select parse_formatted_bytes(current_setting('memory_limit'))").fetchall()
            run("set memory_limit = $limit", {"limit": f"{max(share, _LEAST_MEMORY)}B"})
        # An attached path cannot be bound: quoted here, the one place.
        run(f"attach {quote_text(str(self.path))} as work (storage_version '{STORAGE_VERSION}')")
        run("use work")
        run("begin")
        create_tables(self.connection)
        found = find_tables(self.connection, "work")
        found.require_known(self.path)
        if found.are_of_now:
            dress_tables(self.connection)
            create_views(self.connection)
            run("commit")
            return
        raise StorageError(
            f"{self.path} was written by another version of spsetl: run spsetl sync, which brings it up to date"
        )

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing: what the block writes is durable when it ends, or was never there."""
        self.connection.execute("begin")
        try:
            yield self.connection
            self.connection.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # already rolled back by DuckDB itself
                self.connection.execute("rollback")
            raise

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, so that the file alone is the database."""
        self.connection.execute("checkpoint work")

    def read_all(self) -> None:
        """Read every value once: a sync reads only what it needs, and a spoilt block would be published unread.

        Raises:
            duckdb.Error: A block is damaged.
        """
        read_tables(self.connection, "work")

    def finish(self) -> None:
        """The last thing before the file is published: it alone is the database, has not much free room, and was read.

        Raises:
            StorageError: What was written anew does not hold the same.
            duckdb.Error: A block is damaged.
        """
        self.checkpoint()
        if not is_wasteful(self.connection):
            self.read_all()
            return
        try:
            write_anew(self.connection, self._anew, storage_version=STORAGE_VERSION)
        except duckdb.Error as error:  # no room for it: the file is as good as it was, unless a block is damaged
            _logger.warning("the work database was not written anew: %s", type(error).__name__)
            self.read_all()
            return
        self._is_written_anew = True


def begin_from(published: Path, work: Path) -> None:
    """Where there is no work database, copy the published warehouse to its place: whole, or not there at all.

    Raises:
        StorageError: The disk is full or cannot be written.
    """
    work.parent.mkdir(parents=True, exist_ok=True)
    if work.exists() or not published.exists():
        return
    partial = work.with_name("begin.duckdb")
    copy_database(published, partial)
    replace_database(work, partial)
