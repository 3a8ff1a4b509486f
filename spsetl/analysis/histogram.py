"""Sessions by bins of time, as `GET /api/audit/sessions/histogram` gives them ("Session histogram")."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from spsetl.analysis.population import (
    EVERYTHING,
    SESSIONS_HREF,
    Population,
    RowSource,
    ask_macro,
    check_choice,
    check_field,
)
from spsetl.analysis.question import Question
from spsetl.analysis.times import write_moment
from spsetl.errors import TooManyBinsError, UsageError

if TYPE_CHECKING:
    import pandas as pd

BinSize = Literal["second", "minute", "hour", "day", "week", "month", "year"]
"""A unit of the calendar. Weeks begin on Monday."""

BIN_SIZES: Final[tuple[str, ...]] = get_args(BinSize)
COLUMNS: Final = ("id", "start_count", "active_count")
_ALL_COLUMNS: Final = ("id", "bin_start", "bin_end", "start_count", "active_count")
# What the macro's own error begins with.
_TOO_MANY: Final = "too many bins"


class HistogramBin(NamedTuple):
    """One bin: the appliance's name for it, its bounds (aware UTC, the end not included), and its counts.

    `start_count` sessions started in it, `active_count` were alive at some moment of it.
    """

    id: str
    start: datetime
    end: datetime
    start_count: int
    active_count: int


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """The answer: bins without a gap, empty ones included. `start` and `end` are as they were asked for."""

    bin_size: str
    field: str | None
    start: str | None
    end: str | None
    time_zone: str
    bins: tuple[HistogramBin, ...]

    @property
    def as_json(self) -> dict[str, Any]:
        """The answer in the appliance's shape, without what belongs to its login (`meta.remaining_seconds`).

        A bound that was not asked for is that of the bins.
        """
        buckets = [{"id": b.id, "start_count": b.start_count, "active_count": b.active_count} for b in self.bins]
        meta = {
            "bin_size": self.bin_size,
            "end": self.end or (_iso(self.bins[-1].end) if self.bins else None),
            "field": self.field,
            "href": f"{SESSIONS_HREF}/histogram",
            "parent": SESSIONS_HREF,
            "start": self.start or (_iso(self.bins[0].start) if self.bins else None),
            "time_zone": self.time_zone,
        }
        return {"body": {"buckets": buckets}, "key": "histogram", "meta": meta}

    def as_frame(self) -> "pd.DataFrame":
        """One row per bin: `id`, `bin_start` and `bin_end` (UTC, as the tables hold times), and both counts."""
        import pandas as pd  # noqa: PLC0415 half a second that only notebooks have to wait

        rows = [b._replace(start=b.start.replace(tzinfo=None), end=b.end.replace(tzinfo=None)) for b in self.bins]
        times = dict.fromkeys(("bin_start", "bin_end"), "datetime64[us]")
        counts = dict.fromkeys(("start_count", "active_count"), "int64")
        return pd.DataFrame(rows, columns=pd.Index(_ALL_COLUMNS)).astype({**times, **counts})


def ask_histogram(
    source: RowSource,
    bin_size: BinSize = "day",
    *,
    field: str | None = None,
    time_zone: str = "UTC",
    population: Population = EVERYTHING,
    columns: tuple[str, ...] = COLUMNS,
) -> Question:
    """The question how many sessions there are by bins of time. Ask it within `counting_bins`.

    Args:
        source: The warehouse, which knows the time zones.
        bin_size: Days and longer bins are those of the time zone's calendar, shorter ones are of equal length.
        field: Count only sessions that have a value of this field, see `check_field`; None for all.
        time_zone: A zone of the IANA database, for example Europe/Budapest.
        population: Which sessions are counted. The first bin is the one with its start, or else with the first
            session's start; the last one is before its end, or else the one with the last session's start.
        columns: Of `id, bin_start, bin_end, start_count, active_count`, in this order.

    Raises:
        UsageError: An argument is not what it may be.
    """
    check_choice("bin size", bin_size, BIN_SIZES)
    if field is not None:
        check_field(field)
    _, zones = source.rows("select name from pg_timezone_names()")
    check_choice("time zone", time_zone, [name for (name,) in zones], listed=False)
    return ask_macro(columns, "session_histogram", bin_size, population, time_zone=time_zone, field=field)


@contextmanager
def counting_bins() -> Iterator[None]:
    """Name the macro's own complaint.

    Raises:
        TooManyBinsError: The bins are too small for the range.
    """
    try:
        yield
    except UsageError as error:
        _, found, rest = str(error).partition(_TOO_MANY)
        if not found:
            raise
        raise TooManyBinsError(found + rest) from error


def fetch_histogram(
    source: RowSource,
    bin_size: BinSize = "day",
    *,
    field: str | None = None,
    time_zone: str = "UTC",
    population: Population = EVERYTHING,
) -> Histogram:
    """The answer to `ask_histogram`.

    Raises:
        UsageError: An argument is not what it may be.
        TooManyBinsError: The bins are too small for the range.
    """
    question = ask_histogram(
        source, bin_size, field=field, time_zone=time_zone, population=population, columns=_ALL_COLUMNS
    )
    with counting_bins():
        _, rows = source.rows(*question)
    bins = tuple(
        HistogramBin(label, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), started, active)
        for label, start, end, started, active in rows
    )
    bounds = {"start": write_moment(population.start), "end": write_moment(population.end)}
    return Histogram(bin_size=bin_size, field=field, time_zone=time_zone, bins=bins, **bounds)


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
