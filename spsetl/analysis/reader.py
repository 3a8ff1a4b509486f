"""The published warehouse for those who ask: read-only, and always the newest that was published."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

from spsetl.analysis.histogram import BinSize, fetch_histogram
from spsetl.analysis.population import Match, Population
from spsetl.analysis.published import Limits, PublishedFile
from spsetl.analysis.question import Parameters
from spsetl.analysis.search import COLUMNS, SORT, ask_search
from spsetl.analysis.stats import DEFAULT_SIZE, fetch_stats
from spsetl.analysis.times import Moment
from spsetl.errors import StorageError, UsageError

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME: Final = "warehouse.duckdb"
DEFAULT_LIMITS: Final = Limits()


def open_warehouse(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> "Warehouse":
    """Open the published warehouse for reading.

    Args:
        path: The data directory, or its `warehouse.duckdb`.
        limits: What one question may take.

    Raises:
        UsageError: Nothing is published there.
        StorageError: The file is damaged, or is not a warehouse.
    """
    given = Path(path)
    is_file = given.is_file() or (given.suffix == ".duckdb" and not given.is_dir())
    return Warehouse(given if is_file else given / FILE_NAME, limits)


class Warehouse:
    """A published warehouse, open for as long as the `with` block lasts, or until `close`.

    When a sync publishes a new one, the next question goes to that; each answer is of one published state, and `hold`
    keeps one for several questions. Threads may ask at the same time. Each question stands alone: it cannot change
    anything, and leaves nothing to the next.

    `search`, `stats` and `histogram` are about the sessions that `spsetl.analysis.population.Population` says.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path: Final = path
        self._limits = limits
        self._lock = Lock()
        self._identity: tuple[int, ...] = ()
        self._published: PublishedFile | None = None
        self._newest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, once the questions of other threads are answered. Another question opens it again."""
        with self._lock:
            self._retire()

    def rows(self, query: str, parameters: Parameters = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and all rows, of a question in SQL.

        Args:
            query: The question. All times are UTC.
            parameters: Values for its `$name` or `?`.

        Raises:
            UsageError: The question cannot be answered as it is, or is no question.
            StorageError: The file has gone, or cannot be read.
        """
        with self.hold() as published:
            return published.rows(query, parameters)

    def sql(self, query: str, parameters: Parameters = None) -> "pd.DataFrame":
        """The answer to a question in SQL as a pandas frame, see `rows`."""
        with self.hold() as published:
            return published.sql(query, parameters)

    def search(
        self,
        q: str | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        match: Match = "started",
        content: str | None = None,
        appliance: str | None = None,
        columns: Sequence[str] = COLUMNS,
        sort: Sequence[str] = SORT,
        limit: int | None = None,
    ) -> "pd.DataFrame":
        """Sessions as a pandas frame, one row each, with the columns that are asked for, see `ask_search`."""
        population = Population(start=start, end=end, match=match, appliance=appliance, q=q, content=content)
        self._check(population)
        return self.sql(*ask_search(population, columns=columns, sort=sort, limit=limit))

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
        q: str | None = None,
        content: str | None = None,
    ) -> "pd.DataFrame":
        """The most frequent values of a field as a pandas frame, see `ask_stats`.

        One row per value (`value, count, others`), or, with a sub-field, per value and value of the sub-field
        (`sub_value, sub_count, sub_others` too).
        """
        population = Population(start=start, end=end, match=match, appliance=appliance, q=q, content=content)
        self._check(population)
        return fetch_stats(self, field, sub_field=sub_field, size=size, population=population).as_frame()

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
        q: str | None = None,
        content: str | None = None,
    ) -> "pd.DataFrame":
        """Sessions by bins of time as a pandas frame, see `ask_histogram`.

        One row per bin: `id` (its start in the time zone), `bin_start` and `bin_end` (UTC), `start_count`,
        `active_count`.
        """
        population = Population(start=start, end=end, match=match, appliance=appliance, q=q, content=content)
        self._check(population)
        return fetch_histogram(self, bin_size, field=field, time_zone=time_zone, population=population).as_frame()

    def _check(self, population: Population) -> None:
        population.check_appliance(self)
        if population.note:
            warnings.warn(population.note, UserWarning, stacklevel=3)

    @contextmanager
    def hold(self) -> Iterator[PublishedFile]:
        """The newest published state, to ask several questions of the same; it stays whole, whatever is published.

        Raises:
            UsageError: Nothing is published.
            StorageError: The file has gone, or cannot be read.
        """
        with self._lock:
            published = self._newest()
            published.begin_reading()
        try:
            yield published
        finally:
            published.end_reading()

    def _newest(self) -> PublishedFile:
        """What is published now, open."""
        try:
            stat = self.path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(f"nothing published yet at {self.path}: run `spsetl sync`") from error
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror}") from error
        # While the old file is open, no other has its inode.
        identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._published is None or identity != self._identity:
            self._retire()
            self._published, self._identity = PublishedFile(self.path, self._limits), identity
        return self._published

    def _retire(self) -> None:
        if self._published is not None:
            self._published.end_reading()
        self._published = None
