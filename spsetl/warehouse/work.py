"""The private work database: the copy as it grows. Nobody but the sync that holds the lock opens it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from shutil import copyfile
from typing import Final, Self

import duckdb

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.queries import read_folder
from spsetl.warehouse.complaints import one_line

# DuckDB 2's own format opens in no 1.x, and BI drivers still embed 1.x.
STORAGE_VERSION: Final = "v1.2.0"
# Merging spills to disk beyond this; the rest of the process needs about as much again.
MEMORY_LIMIT: Final = "128MB"
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


class WorkDatabase:
    """The work database of one data directory, open for as long as the `with` block lasts.

    Args:
        path: The file; made from `published` where it is missing, or empty where that is missing too.
        published: The published warehouse, only ever read.

    Raises:
        StorageError: The file cannot be opened, or its tables are not ours.
    """

    def __init__(self, path: Path, *, published: Path) -> None:
        self.path = path
        self.published = published
        self.connection: duckdb.DuckDBPyConnection

    def __enter__(self) -> Self:
        self._begin_from_published()
        was_there = self.path.exists()
        self.connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": 2})
        try:
            self._attach()
        except duckdb.Error as error:
            self.connection.close()
            if not was_there:
                self._remove()
            if not was_there or _NOT_DAMAGED.search(str(error)):
                raise StorageError(
                    f"cannot open {self.path}: {one_line(error)}: free some space, or let this user write there, and "
                    "run again"
                ) from error
            raise self._damaged(error) from error
        except BaseException:
            self.connection.close()
            raise
        return self

    def _remove(self) -> None:
        """Nothing is left of a file that could not be made whole."""
        for path in (self.path, self.path.with_name(self.path.name + ".wal")):
            path.unlink(missing_ok=True)

    def _damaged(self, error: duckdb.Error) -> StorageError:
        return StorageError(_DAMAGED.format(path=self.path, kind=type(error).__name__))

    def _begin_from_published(self) -> None:
        """A copy of the published warehouse, where there is no work database: whole, or not there at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() or not self.published.exists():
            return
        partial = self.path.with_name("begin.duckdb")
        try:
            copyfile(self.published, partial)
            partial.replace(self.path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(f"cannot write {self.path}: {error.strerror}: free some space and run again") from error

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the file; what DuckDB could not write or read becomes one line.

        Raises:
            StorageError: The disk is full, or the file cannot be written or read.
        """
        self.connection.close()
        if not isinstance(error, duckdb.Error):
            return
        if _DAMAGE.search(str(error)) and not _NOT_DAMAGED.search(str(error)):
            raise self._damaged(error) from error
        if _is_about_storage(error):
            raise StorageError(f"cannot write {self.path}: {one_line(error)}: free some space and run again") from error

    def _attach(self) -> None:
        run = self.connection.execute
        run("set temp_directory = $folder", {"folder": str(self.path.parent / "spill")})
        run("set preserve_insertion_order = false")
        run("set TimeZone = 'UTC'")
        # An attached path cannot be bound: quoted here, the one place.
        run(f"attach {quote_text(str(self.path))} as work (storage_version '{STORAGE_VERSION}')")
        run("use work")
        run("begin")
        for table in schema.TABLES:
            run(table.ddl)
        self._check_columns()
        _describe(self.connection)
        create_macros(self.connection)
        run("commit")

    def _check_columns(self) -> None:
        rows = self.connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where database_name = 'work' "
            "and schema_name = 'main' and not internal order by table_oid, column_index"
        ).fetchall()
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in rows:
            found.setdefault(table, []).append((column, kind))
        for table in schema.TABLES:
            if found.get(table.name) != [(c.name, c.kind.sql_type) for c in table.columns]:
                raise StorageError(
                    f"{self.path} was written by another version of spsetl (table {table.name} differs): "
                    "use that version, or start with an empty data directory"
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
        """Read every column of every table once, by which DuckDB checks every block of the file that holds rows.

        A sync reads only what it needs: without this, a block that the disk has spoilt would be published unread.

        Raises:
            duckdb.Error: A block is damaged.
        """
        tables = self.connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'work'"
        ).fetchall()
        for place, table in tables:
            # A count of the same columns is answered without reading them.
            self.connection.execute(f'select bit_xor(hash(t)) from "{place}"."{table}" as t').fetchall()  # noqa: S608 our names


def _is_about_storage(error: duckdb.Error) -> bool:
    if isinstance(error, duckdb.TransactionException):
        return "Could not write" in str(error)  # a commit that found the disk full
    return isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException | duckdb.FatalException)


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the macros of `sql/macros/` into the current database, each after those that it calls."""
    macros = read_folder("macros")
    calls = {
        name: {other for other in macros if other != name and re.search(rf"\b{other}\(", statement)}
        for name, statement in macros.items()
    }
    for name in TopologicalSorter(calls).static_order():
        connection.execute(macros[name])


def naive_utc(time: datetime) -> datetime:
    """The time as the tables hold it: UTC, without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None)


def aware_utc(time: datetime) -> datetime:
    """A time of the tables, with its zone."""
    return time.replace(tzinfo=UTC)


def quote_text(value: str) -> str:
    """The value as an SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def _describe(connection: duckdb.DuckDBPyConnection) -> None:
    """Every table and column says what it means, to any tool that shows comments."""
    rows = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() where database_name = 'work'"
    ).fetchall()
    known = {(table, column): comment for table, column, comment in rows}
    for table in schema.TABLES:
        connection.execute(f'comment on table "{table.name}" is {quote_text(table.comment)}')
        for column in table.columns:
            if known.get((table.name, column.name)) != column.comment:
                target = f'"{table.name}"."{column.name}"'
                connection.execute(f"comment on column {target} is {quote_text(column.comment)}")
