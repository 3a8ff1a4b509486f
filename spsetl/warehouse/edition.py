"""One published warehouse file, open for reading: fenced in, and whole for as long as somebody reads it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb

from spsetl import schema
from spsetl.errors import StorageError, UsageError
from spsetl.warehouse.complaints import one_line
from spsetl.warehouse.damage import explain_opening, is_newer_format
from spsetl.warehouse.tables import find_tables, quote_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Parameters = Mapping[str, Any] | Sequence[Any] | None
"""Values for `$name` or for `?`."""

# Wide rows are read in portions as well, so that memory stays the same however many there are.
BATCH_ROWS: Final = 20_000

# Whoever writes a query reads the warehouse and nothing else: no files, no network, no code from outside.
_LOCKS: Final = (
    "set enable_external_access = false",
    "set lock_configuration = true",
)
# `pivot` is several statements in one.
_QUESTIONS: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
_NO_QUESTION: Final = (
    "the warehouse is read-only, and {} is no question: "
    "ask with select, from, with, show, describe, summarize or explain"
)
# What is wrong with the file, and not with the question.
_STORAGE_ERRORS: Final = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
)
# What is asked for may have come with a newer version.
_ABSENT: Final = (duckdb.CatalogException, duckdb.BinderException)
# Arrow's reader gives DuckDB's errors as text alone.
_KINDS: Final[dict[str, type[duckdb.Error]]] = {
    "Conversion Error": duckdb.ConversionException,
    "Out of Range Error": duckdb.OutOfRangeException,
    "IO Error": duckdb.IOException,
    "FATAL Error": duckdb.FatalException,
    "INTERNAL Error": duckdb.InternalException,
}


class Answer(NamedTuple):
    """The names of the columns, and the rows in portions as they are read."""

    columns: list[str]
    batches: Iterator[list[tuple[Any, ...]]]


class Edition:
    """One published state, however many new ones are published meanwhile. Threads may ask at the same time.

    Each question stands alone: nothing that one does is left to the next.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._lock = Lock()
        self._readers = 0
        self._is_retired = False
        # What does not fit into memory is nobody else's to read, so it gets a folder of its own.
        self._spill = TemporaryDirectory(prefix="spsetl-", ignore_cleanup_errors=True)
        try:
            self._connection, self._older = _open(path, self._spill.name)
        except BaseException:
            self._spill.cleanup()
            raise

    def begin_reading(self) -> None:
        """Keep the file open until `end_reading`."""
        with self._lock:
            self._readers += 1

    def end_reading(self) -> None:
        """Let go of the file; the last reader of a retired one closes it."""
        with self._lock:
            self._readers -= 1
            is_done = self._is_retired and not self._readers
        if is_done:
            self._close()

    def retire(self) -> None:
        """Close the file as soon as nobody reads it."""
        with self._lock:
            is_done = not self._is_retired and not self._readers
            self._is_retired = True
        if is_done:
            self._close()

    def _close(self) -> None:
        self._connection.close()
        self._spill.cleanup()

    def rows(self, query: str, parameters: Parameters = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and all rows, of a question in SQL.

        Args:
            query: The question. All times are UTC.
            parameters: Values for its `$name` or `?`.

        Raises:
            UsageError: The question cannot be answered as it is, or is no question.
            StorageError: The file cannot be read.
        """
        with self._asking(query) as cursor:
            answer = cursor.execute(query, parameters)
            return [name for name, *_ in answer.description or ()], answer.fetchall()

    def sql(self, query: str, parameters: Parameters = None) -> "pd.DataFrame":
        """The answer as a pandas frame, see `rows`."""
        with self._asking(query) as cursor:
            return cursor.execute(query, parameters).df()

    @contextmanager
    def stream(self, query: str, parameters: Parameters = None) -> Iterator[Answer]:
        """The answer while it is read, see `rows`: in memory that does not grow with its rows."""
        with self._asking(query) as cursor:
            answer = cursor.execute(query, parameters)
            columns = [name for name, *_ in answer.description or ()]
            yield Answer(columns, iter(lambda: answer.fetchmany(BATCH_ROWS), []))

    @contextmanager
    def arrow(
        self, query: str, parameters: Parameters = None
    ) -> "Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]":
        """The answer's Arrow schema, and its record batches as they are read, see `stream`."""
        with self._asking(query) as cursor:
            reader = cursor.sql(query, params=parameters).to_arrow_reader(BATCH_ROWS)
            yield reader.schema, _with_duckdb_errors(reader)

    @contextmanager
    def _asking(self, query: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one question: no thread disturbs another, and what it sets goes with it."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("use warehouse")
                _check_question(cursor, query)
                yield cursor
        except _STORAGE_ERRORS as error:
            raise StorageError(f"cannot read {self.path}: {one_line(error)}") from error
        except duckdb.Error as error:
            is_of_version = self._older is not None and isinstance(error, _ABSENT)
            hint = (
                f"; {self.path} was published by an older spsetl (schema {self._older}; this one has "
                f"{schema.VERSION}): run spsetl sync, which brings it up to date"
            )
            raise UsageError(f"{one_line(error)}{hint if is_of_version else ''}") from error


def _check_question(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    try:
        kinds = [statement.type for statement in connection.extract_statements(query)]
    except ValueError as error:  # a kind of statement that the module has no name for
        raise UsageError(_NO_QUESTION.format("this")) from error
    if not kinds:
        raise UsageError("the question is empty: write a statement in SQL")
    for kind in kinds:
        if kind not in _QUESTIONS:
            raise UsageError(_NO_QUESTION.format(kind.name.replace("_", " ")))


def _with_duckdb_errors(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    try:
        yield from batches
    except OSError as error:
        kind = _KINDS.get(str(error).partition(":")[0], duckdb.Error)
        raise kind(str(error)) from error


def _open(path: Path, spill: str) -> tuple[duckdb.DuckDBPyConnection, int | None]:
    """The file, attached as warehouse; and the number of its schema, where an older spsetl has published it."""
    # A database of its own, that the file is attached to: `duckdb.connect(path)` would give the file that another
    # warehouse of this process has open under that path, though a newer one is published.
    offline: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(config=offline)
    try:
        connection.execute(f"set temp_directory = {quote_text(spill)}")
        connection.execute("set global TimeZone = 'UTC'")
        connection.execute(f"attach {quote_text(str(path))} as warehouse (read_only)")
        older = _check_tables(connection, path)
        for statement in _LOCKS:
            connection.execute(statement)
    except duckdb.Error as error:
        connection.close()
        if is_newer_format(error):
            raise explain_opening(path, error) from error
        complaint = one_line(error).rstrip("!.")
        raise StorageError(
            f"cannot read {path}: {complaint}: if it is damaged, `spsetl rebuild` makes it anew"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection, older


def _check_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> int | None:
    found = find_tables(connection, "warehouse")
    found.require_known(path)
    if not found.is_warehouse:
        raise StorageError(f"{path} is not a warehouse that this version of spsetl has published")
    return None if found.version == schema.VERSION else found.version
