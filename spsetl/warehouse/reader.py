"""The published warehouse for those who ask: read-only, and always the newest that was published."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb

from spsetl import schema
from spsetl.analysis.histogram import BinSize, fetch_histogram
from spsetl.analysis.source import Match
from spsetl.analysis.stats import DEFAULT_SIZE, fetch_stats
from spsetl.analysis.times import Moment
from spsetl.errors import StorageError, UsageError
from spsetl.warehouse.complaints import one_line
from spsetl.warehouse.work import quote_text

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME: Final = "warehouse.duckdb"
Parameters = Mapping[str, Any] | Sequence[Any] | None
"""Values for `$name` or for `?`."""

# Whoever writes a query reads the warehouse and nothing else: no files, no network, no code from outside.
_LOCKS: Final = (
    "set enable_external_access = false",
    "set lock_configuration = true",
)
# What is wrong with the file, and not with the question.
_STORAGE_ERRORS: Final = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
)


def open_warehouse(path: str | Path) -> "Warehouse":
    """Open the published warehouse for reading.

    Args:
        path: The data directory, or its `warehouse.duckdb`.

    Raises:
        UsageError: Nothing is published there.
        StorageError: The file is damaged, or is not a warehouse.
    """
    given = Path(path)
    is_file = given.is_file() or (given.suffix == ".duckdb" and not given.is_dir())
    return Warehouse(given if is_file else given / FILE_NAME)


class Warehouse:
    """A published warehouse, open for as long as the `with` block lasts, or until `close`.

    When a sync publishes a new one, the next question goes to that; each answer is of one published state. Views and
    tables that a question made for itself (`create temp view`) are gone then.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._identity: tuple[int, ...] = ()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._spill: TemporaryDirectory[str] | None = None
        self._newest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Another question opens it again."""
        if self._connection is not None:
            self._connection.close()
        if self._spill is not None:
            self._spill.cleanup()
        self._connection, self._spill = None, None

    def rows(self, query: str, parameters: Parameters = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and all rows, of a question in SQL.

        Args:
            query: The question. All times are UTC.
            parameters: Values for its `$name` or `?`.

        Raises:
            UsageError: The question cannot be answered as it is.
            StorageError: The file has gone, or cannot be read.
        """
        with self._asking(query, parameters) as answer:
            return [name for name, *_ in answer.description or ()], answer.fetchall()

    def sql(self, query: str, parameters: Parameters = None) -> "pd.DataFrame":
        """The answer to a question in SQL as a pandas frame, see `rows`."""
        with self._asking(query, parameters) as answer:
            return answer.df()

    def stats(
        self,
        field: str,
        sub_field: str | None = None,
        *,
        size: int = DEFAULT_SIZE,
        start: Moment | None = None,
        end: Moment | None = None,
        match: Match = "started",
        appliance: str | None = None,
    ) -> "pd.DataFrame":
        """The most frequent values of a field as a pandas frame, see `fetch_stats`.

        One row per value (`value, count, others`), or, with a sub-field, per value and value of the sub-field
        (`sub_value, sub_count, sub_others` too).
        """
        return fetch_stats(
            self, field, sub_field=sub_field, size=size, start=start, end=end, match=match, appliance=appliance
        ).as_frame()

    def histogram(
        self,
        bin_size: BinSize = "day",
        field: str | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        time_zone: str = "UTC",
        match: Match = "started",
        appliance: str | None = None,
    ) -> "pd.DataFrame":
        """Sessions by bins of time as a pandas frame, see `fetch_histogram`.

        One row per bin: `id` (its start in the time zone), `bin_start` and `bin_end` (UTC), `start_count`,
        `active_count`.
        """
        return fetch_histogram(
            self,
            bin_size,
            field=field,
            start=start,
            end=end,
            time_zone=time_zone,
            match=match,
            appliance=appliance,
        ).as_frame()

    @contextmanager
    def _asking(self, query: str, parameters: Parameters) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._newest()
        try:
            # None, which the stubs do not know, for a text without a statement.
            answer: duckdb.DuckDBPyConnection | None = connection.execute(query, parameters)
            if answer is None:
                raise UsageError("the question is empty: write a statement in SQL")
            yield answer
        except _STORAGE_ERRORS as error:
            raise StorageError(f"cannot read {self.path}: {one_line(error)}") from error
        except duckdb.Error as error:
            raise UsageError(one_line(error)) from error

    def _newest(self) -> duckdb.DuckDBPyConnection:
        """The connection to the file that is published now."""
        try:
            stat = self.path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(f"nothing published yet at {self.path}: run `spsetl sync`") from error
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror}") from error
        # While the old file is open, no other has its inode.
        identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._connection is None or identity != self._identity:
            self.close()
            spill = TemporaryDirectory(prefix="spsetl-", ignore_cleanup_errors=True)
            try:
                self._connection = self._open(spill.name)
            except BaseException:
                spill.cleanup()
                raise
            self._spill, self._identity = spill, identity
        return self._connection

    def _open(self, spill: str) -> duckdb.DuckDBPyConnection:
        # A database of its own, that the file is attached to: `duckdb.connect(path)` would give the file that another
        # warehouse of this process has open under that path, though a newer one is published.
        offline: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        connection = duckdb.connect(config=offline)
        try:
            # What does not fit into memory is nobody else's to read, so it gets a folder of its own.
            connection.execute(f"set temp_directory = {quote_text(spill)}")
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"attach {quote_text(str(self.path))} as warehouse (read_only)")
            connection.execute("use warehouse")
            self._check_tables(connection)
            for statement in _LOCKS:
                connection.execute(statement)
        except duckdb.Error as error:
            connection.close()
            complaint = one_line(error).rstrip("!.")
            raise StorageError(
                f"cannot read {self.path}: {complaint}: if it is damaged, `spsetl rebuild` makes it anew"
            ) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        rows = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'warehouse' and schema_name = 'main'"
        ).fetchall()
        if not {table.name for table in schema.TABLES} <= {name for (name,) in rows}:
            raise StorageError(f"{self.path} is not a warehouse that this version of spsetl has published")
