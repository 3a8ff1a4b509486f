"""Sessions by bins of time, as `GET /api/audit/sessions/histogram` gives them ("Session histogram")."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from spsetl.analysis.fields import check_field
from spsetl.analysis.source import (
    SESSIONS_HREF,
    Match,
    RowSource,
    call_macro,
    check_choice,
    narrow_sessions,
    population_options,
)
from spsetl.analysis.times import Moment, write_moment
from spsetl.errors import TooManyBinsError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from spsetl.analysis.lucene import Condition

BinSize = Literal["second", "minute", "hour", "day", "week", "month", "year"]
"""A unit of the calendar. Weeks begin on Monday."""

BIN_SIZES: Final[tuple[str, ...]] = get_args(BinSize)
# What the macro's own error begins with.
_TOO_MANY: Final = "too many bins"


@dataclass(frozen=True)
class HistogramBin:
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

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of `rows`."""
        return ("id", "start_count", "active_count")

    @property
    def rows(self) -> list[tuple[str, int, int]]:
        """One row per bin."""
        return [(b.id, b.start_count, b.active_count) for b in self.bins]

    def as_frame(self) -> "pd.DataFrame":
        """One row per bin: `id`, `bin_start` and `bin_end` (UTC, as the tables hold times), and both counts."""
        import pandas as pd  # noqa: PLC0415 half a second that only notebooks have to wait

        names = ("id", "bin_start", "bin_end", "start_count", "active_count")
        rows = [
            (b.id, b.start.replace(tzinfo=None), b.end.replace(tzinfo=None), b.start_count, b.active_count)
            for b in self.bins
        ]
        times = dict.fromkeys(("bin_start", "bin_end"), "datetime64[us]")
        counts = dict.fromkeys(("start_count", "active_count"), "int64")
        return pd.DataFrame(rows, columns=pd.Index(names)).astype({**times, **counts})


def fetch_histogram(
    source: RowSource,
    bin_size: BinSize = "day",
    *,
    field: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    time_zone: str = "UTC",
    match: Match = "started",
    appliance: str | None = None,
    q: str | None = None,
    content: str | None = None,
    now: datetime | None = None,
) -> Histogram:
    """Count the sessions by bins of time. Sessions that the appliance has lost meanwhile count.

    Args:
        source: The warehouse.
        bin_size: Days and longer bins are those of the time zone's calendar, shorter ones are of equal length.
        field: Count only sessions that have a value of this field, see `check_field`; None for all.
        start: The first bin is the one with this moment; None for the first session's start.
        end: The last bin is the one before this moment; a date without a time is included. None for the last
            session's start.
        time_zone: A zone of the IANA database, for example Europe/Budapest.
        match: Which sessions belong to the range from start to end.
        appliance: One appliance only; None for all.
        q: Only sessions that pass this Lucene expression, as the appliance's own `q`, see `spsetl.analysis.lucene`.
        content: Only sessions with a command, window title or alert in the copy that has all these words.
        now: The moment that still active sessions last to; None for now.

    Raises:
        UsageError: An argument is not what it may be.
        TooManyBinsError: The bins are too small for the range.
    """
    check_choice("bin size", bin_size, BIN_SIZES)
    if field is not None:
        check_field(field)
    population = population_options(start=start, end=end, match=match, appliance=appliance, now=now)
    _check_time_zone(source, time_zone)
    options = {"time_zone": time_zone, "field": field, **population}
    bins = _fetch_bins(source, bin_size, options, narrow_sessions(q, content, now))
    bounds = {"start": write_moment(start), "end": write_moment(end)}
    return Histogram(bin_size=bin_size, field=field, time_zone=time_zone, bins=bins, **bounds)


def _fetch_bins(
    source: RowSource, bin_size: str, options: dict[str, Any], among: "Condition | None"
) -> tuple[HistogramBin, ...]:
    try:
        _, rows = call_macro(source, "session_histogram", bin_size, options, among)
    except UsageError as error:
        _, found, rest = str(error).partition(_TOO_MANY)
        if found:
            raise TooManyBinsError(found + rest) from error
        raise
    return tuple(
        HistogramBin(label, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), started, active)
        for start, end, started, active, label in rows
    )


def _check_time_zone(source: RowSource, time_zone: str) -> None:
    _, rows = source.rows("select name from pg_timezone_names()")
    check_choice("time zone", time_zone, [name for (name,) in rows], listed=False)


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
