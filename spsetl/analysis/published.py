"""One published warehouse file, open for reading: fenced in, and whole for as long as somebody reads it."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import duckdb

from spsetl import schema
from spsetl.analysis.question import Parameters, check_question
from spsetl.errors import StorageError, UsageError
from spsetl.warehouse.complaints import one_line
from spsetl.warehouse.damage import explain_opening, is_newer_format
from spsetl.warehouse.publish import READING, log_of
from spsetl.warehouse.tables import find_tables, quote_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from spsetl.settings import Settings

# Wide rows are read in portions as well, so that memory stays the same however many there are.
BATCH_ROWS: Final = 20_000

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
# What is asked for may have come with a newer version.
_ABSENT: Final = (duckdb.CatalogException, duckdb.BinderException)
# Arrow's reader gives DuckDB's errors as text alone.
_KINDS: Final[dict[str, type[duckdb.Error]]] = {
    "Conversion Error": duckdb.ConversionException,
    "Out of Range Error": duckdb.OutOfRangeException,
    "IO Error": duckdb.IOException,
    "FATAL Error": duckdb.FatalException,
    "INTERNAL Error": duckdb.InternalException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
}
_T = TypeVar("_T")


@dataclass(frozen=True)
class Limits:
    """What one question may take.

    Attributes:
        seconds: Of DuckDB's work, not counting how long its answer is looked at; None for as long as it takes.
        memory: As DuckDB reads it, 4GB or 50%; None for its own default, 80 % of the machine's.
    """

    seconds: float | None = 600
    memory: str | None = "50%"

    @classmethod
    def of(cls, settings: "Settings") -> "Limits":
        """As the settings say."""
        return cls(settings.question_seconds, settings.question_memory)


class _Clock:
    """Interrupts a connection once it has worked for so long; `ran_out` says that it did."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float | None) -> None:
        self.ran_out = False
        self._connection = connection
        self._left = seconds

    def run(self, work: Callable[[], _T]) -> _T:
        """Do a part of the work; parts count together."""
        if self._left is None:
            return work()
        timer = Timer(max(self._left, 0), self._stop)
        timer.daemon = True
        began = time.monotonic()
        timer.start()
        try:
            return work()
        finally:
            timer.cancel()
            self._left -= time.monotonic() - began

    def _stop(self) -> None:
        self.ran_out = True
        self._connection.interrupt()


class Answer(NamedTuple):
    """The names of the columns, and the rows in portions as they are read."""

    columns: list[str]
    batches: Iterator[list[tuple[Any, ...]]]


class PublishedFile:
    """One published state, however many new ones are published meanwhile. Threads may ask at the same time.

    Each question stands alone: nothing that one does is left to the next.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path: Final = path
        self._limits = limits
        self._lock = Lock()
        self._readers = 1
        # What does not fit into memory is nobody else's to read, so it gets a folder of its own.
        self._spill = TemporaryDirectory(prefix="spsetl-", ignore_cleanup_errors=True)
        try:
            self._connection, self._older = _open(path, self._spill.name, limits)
        except BaseException:
            self._spill.cleanup()
            raise

    def begin_reading(self) -> None:
        """Keep the file open until `end_reading`."""
        with self._lock:
            self._readers += 1

    def end_reading(self) -> None:
        """Let go of the file; the last one to do so closes it. The warehouse that opened it is its first reader."""
        with self._lock:
            self._readers -= 1
            is_done = not self._readers
        if is_done:
            self._connection.close()
            self._spill.cleanup()

    def rows(self, query: str, parameters: Parameters = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """As `Warehouse.rows`, of this state."""
        with self._asking(query) as (cursor, clock):
            answer = clock.run(lambda: cursor.execute(query, parameters))
            return [name for name, *_ in answer.description or ()], clock.run(answer.fetchall)

    def sql(self, query: str, parameters: Parameters = None) -> "pd.DataFrame":
        """The answer as a pandas frame, see `rows`."""
        with self._asking(query) as (cursor, clock):
            return clock.run(lambda: cursor.execute(query, parameters).df())

    @contextmanager
    def stream(self, query: str, parameters: Parameters = None) -> Iterator[Answer]:
        """The answer while it is read, see `rows`: in memory that does not grow with its rows."""
        with self._asking(query) as (cursor, clock):
            answer = clock.run(lambda: cursor.execute(query, parameters))
            columns = [name for name, *_ in answer.description or ()]
            yield Answer(columns, iter(lambda: clock.run(lambda: answer.fetchmany(BATCH_ROWS)), []))

    @contextmanager
    def arrow(
        self, query: str, parameters: Parameters = None
    ) -> "Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]":
        """The answer's Arrow schema, and its record batches as they are read, see `stream`."""
        with self._asking(query) as (cursor, clock):
            reader = clock.run(lambda: cursor.sql(query, params=parameters).to_arrow_reader(BATCH_ROWS))
            yield reader.schema, iter(lambda: clock.run(lambda: _next_batch(reader)), None)

    @contextmanager
    def _asking(self, query: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, _Clock]]:
        """A connection for one question, and its clock: no thread disturbs another, and what it sets goes with it."""
        clock = None
        try:
            with self._connection.cursor() as cursor:
                clock = _Clock(cursor, self._limits.seconds)
                cursor.execute("use warehouse")
                check_question(cursor, query)
                cursor.execute("begin transaction read only")
                yield cursor, clock
        except _STORAGE_ERRORS as error:
            raise StorageError(f"cannot read {self.path}: {one_line(error)}") from error
        except duckdb.OutOfMemoryException as error:
            raise UsageError(
                f"the question needs more memory than it may have ({one_line(error)}): ask for less, or raise "
                "SPSETL_QUESTION_MEMORY"
            ) from error
        except duckdb.Error as error:
            if clock is not None and clock.ran_out:
                raise UsageError(
                    f"the question took longer than {self._limits.seconds:g} seconds: ask for less, or raise "
                    "SPSETL_QUESTION_SECONDS"
                ) from error
            is_of_version = self._older is not None and isinstance(error, _ABSENT)
            hint = (
                f"; {self.path} was published by an older spsetl (schema {self._older}; this one has "
                f"{schema.VERSION}): run spsetl sync, which brings it up to date"
            )
            raise UsageError(f"{one_line(error)}{hint if is_of_version else ''}") from error


def _next_batch(reader: "pa.RecordBatchReader") -> "pa.RecordBatch | None":
    try:
        return next(reader, None)
    except OSError as error:
        kind = _KINDS.get(str(error).partition(":")[0], duckdb.Error)
        raise kind(str(error)) from error


@contextmanager
def _second_name(path: Path) -> Iterator[Path]:
    """Another name of the file, in a folder that is gone when the block ends.

    DuckDB may always write the path that it has opened a file by, and its log's: these then lead nowhere. Where no such
    name can be made, the folder is mostly none that this user could write anyway.
    """
    place = path.resolve()
    try:
        folder = Path(mkdtemp(prefix=READING, dir=place.parent))
    except OSError:
        yield path
        return
    name = folder / path.name
    try:
        try:
            os.link(place, name)
        except OSError:  # of another owner, or on a file system without such names
            name = path
        yield name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open(path: Path, spill: str, limits: Limits) -> tuple[duckdb.DuckDBPyConnection, int | None]:
    """The file, attached as warehouse; and the number of its schema, where an older spsetl has published it."""
    log = log_of(path.resolve())
    if os.path.lexists(log):
        raise StorageError(
            f"{log} is there: some program has opened the published file for writing, and others would read what it "
            "wrote; run spsetl sync, which removes it"
        )
    # A database of its own, that the file is attached to: `duckdb.connect(path)` would give the file that another
    # warehouse of this process has open under that path, though a newer one is published.
    offline: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(config=offline)
    try:
        connection.execute(f"set temp_directory = {quote_text(spill)}")
        connection.execute("set global TimeZone = 'UTC'")
        if limits.memory is not None:
            connection.execute(f"set memory_limit = {quote_text(limits.memory)}")
        with _second_name(path) as name:
            connection.execute(f"attach {quote_text(str(name))} as warehouse (read_only)")
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
