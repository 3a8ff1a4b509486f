"""What stats and histogram have to answer, in boring Python: dictionaries, loops and zoneinfo."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from spsetl import schema
from spsetl.analysis.histogram import Histogram, fetch_histogram
from spsetl.analysis.population import Population, RowSource
from spsetl.analysis.stats import Stats, fetch_stats
from spsetl.errors import UsageError
from spsetl.warehouse.complaints import one_line
from spsetl.warehouse.tables import create_macros
from spsetl.warehouse.views import create_views

FIXED = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


@dataclass(frozen=True)
class Session:
    """One session; `columns` are its plain values by column of `sessions`. Times are UTC, without a zone."""

    start: datetime
    end: datetime | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    appliance: str = "sps"


class Copy:
    """A real DuckDB file with the tables and the macros, written in the format of the published one."""

    def __init__(self, path: Path) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute(f"attach '{path}' as copied (storage_version 'v1.2.0')")
        self.connection.execute("use copied")
        for table in schema.TABLES:
            self.connection.execute(table.ddl)
        create_macros(self.connection)
        create_views(self.connection)

    def load(self, sessions: Sequence[Session]) -> None:
        """Hold these sessions and no others."""
        rows: dict[schema.Table, list[dict[str, Any]]] = {
            table: [row for number, session in enumerate(sessions) for row in make(session, {**key(session, number)})]
            for table, make in (
                (schema.SESSIONS, _row),
                (schema.SESSION_LISTS, _lists),
                (schema.SESSION_SCORES, _scores),
            )
        }
        self.connection.execute("begin")
        for table, found in rows.items():
            self.connection.execute(f"delete from {table.name}")
            self.connection.register("incoming", pa.Table.from_pylist(found, schema=table.arrow_schema))
            self.connection.execute(f"insert into {table.name} from incoming")
        self.connection.execute("commit")

    def rows(self, query: str, parameters: Any = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and all rows; a complaint of DuckDB's as a reader of the warehouse gets it."""
        try:
            answer = self.connection.execute(query, parameters)
            return [name for name, *_ in answer.description], answer.fetchall()
        except duckdb.Error as error:
            raise UsageError(one_line(error)) from error

    def close(self) -> None:
        """Close the file, and let go of it: whoever still has the copy must not keep DuckDB from ending."""
        self.connection.close()
        del self.connection


def stats_of(
    source: RowSource, field: str, *, sub_field: str | None = None, size: int = 10, **population: Any
) -> Stats:
    """The answer of `stats` about the sessions that the other arguments say."""
    return fetch_stats(source, field, sub_field=sub_field, size=size, population=Population(**population))


def histogram_of(
    source: RowSource, bin_size: Any = "day", *, field: str | None = None, time_zone: str = "UTC", **population: Any
) -> Histogram:
    """The answer of `histogram` about the sessions that the other arguments say."""
    return fetch_histogram(source, bin_size, field=field, time_zone=time_zone, population=Population(**population))


def key(session: Session, number: int) -> dict[str, Any]:
    """What tells the session apart."""
    return {"appliance": session.appliance, "session_key": f"key-{number}"}


def _row(session: Session, identity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {**identity, "start_time": session.start, "end_time": session.end, **session.columns}


def _lists(session: Session, identity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, values in session.lists.items():
        for position, value in enumerate(values):
            yield {**identity, "field": name, "position": position, "value": value}


def _scores(session: Session, identity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for algorithm, score in session.scores.items():
        yield {**identity, "algorithm": algorithm, "score": score}


def belongs(session: Session, match: str, start: datetime | None, end: datetime | None, now: datetime) -> bool:
    """Whether the session belongs to the range."""
    if match == "started":
        return (start is None or session.start >= start) and (end is None or session.start < end)
    if match == "contained":
        ended = end is None or (session.end is not None and session.end < end)
        return (start is None or session.start >= start) and ended
    return (start is None or alive_until(session, now) >= start) and (end is None or session.start < end)


def alive_until(session: Session, now: datetime) -> datetime:
    """The last moment the session was alive at, for all that is known."""
    return max(session.start, now if session.end is None else session.end)


def values_of(session: Session, name: str) -> set[str]:
    """The distinct values of a field, as text."""
    if name.startswith("analytics.score.details."):
        value = session.scores.get(name.split(".")[3])
        return set() if value is None else {as_text(value)}
    if name in schema.LIST_FIELDS:
        return set(session.lists.get(name, ()))
    column = name.replace(".", "_")
    value = {"start_time": session.start, "end_time": session.end}.get(column, session.columns.get(column))
    return set() if value is None else {as_text(value)}


def as_text(value: Any) -> str:
    """The value as the appliance writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds" if value.microsecond % 1000 else "milliseconds") + "Z"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def count_values(
    sessions: Sequence[Session], name: str, sub_name: str | None, size: int
) -> tuple[list[dict[str, Any]], int]:
    """The items of stats, and the sessions of the values that they do not show."""
    shown, others = _most_frequent([value for session in sessions for value in values_of(session, name)], size)
    items = []
    for value, number in shown:
        item: dict[str, Any] = {"value": value, "count": number}
        if sub_name is not None:
            having = [session for session in sessions if value in values_of(session, name)]
            subs = [sub for session in having for sub in values_of(session, sub_name)]
            sub_shown, item["others"] = _most_frequent(subs, size)
            item["buckets"] = [{"value": sub, "count": sub_number} for sub, sub_number in sub_shown]
        items.append(item)
    return items, others


def _most_frequent(values: Sequence[str], size: int) -> tuple[list[tuple[str, int]], int]:
    ordered = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0].encode()))
    return ordered[:size], sum(number for _, number in ordered[size:])


def bin_bounds(first: datetime, last: datetime, bin_size: str, zone: ZoneInfo) -> list[datetime]:
    """The starts of the bins from the one with `first` to the one with `last`, and the end of the last one (UTC)."""
    local = first.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    if bin_size in FIXED:
        begin = first - (local - _local_floor(local, bin_size))
        candidates: Iterator[datetime] = (begin + number * FIXED[bin_size] for number in count())
    else:
        candidates = (_to_utc(day, zone) for day in _calendar(_local_floor(local, bin_size), bin_size))
    bounds: list[datetime] = []
    for bound in candidates:
        # A day that was left out of the calendar starts where the next one does.
        if not bounds or bound > bounds[-1]:
            bounds.append(bound)
        if bound > last:
            return bounds
    raise AssertionError


def _local_floor(local: datetime, bin_size: str) -> datetime:
    if bin_size in FIXED:
        rest = {"second": {}, "minute": {"second": 0}, "hour": {"second": 0, "minute": 0}}[bin_size]
        return local.replace(microsecond=0, **rest)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if bin_size == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(**{"day": {}, "month": {"day": 1}, "year": {"month": 1, "day": 1}}[bin_size])


def _calendar(begin: datetime, bin_size: str) -> Iterator[datetime]:
    for number in count():
        if bin_size in {"day", "week"}:
            yield begin + timedelta(days=number * (7 if bin_size == "week" else 1))
        else:
            months = begin.month - 1 + number * (12 if bin_size == "year" else 1)
            yield begin.replace(year=begin.year + months // 12, month=months % 12 + 1)


def _to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC).replace(tzinfo=None)


def count_bins(
    sessions: Sequence[Session], bounds: Sequence[datetime], now: datetime
) -> list[tuple[datetime, datetime, int, int]]:
    """Each bin with its start, its end, its start_count and its active_count."""
    bins = []
    for begin, end in pairwise(bounds):
        started = [session for session in sessions if begin <= session.start < end]
        active = [session for session in sessions if session.start < end and alive_until(session, now) >= begin]
        bins.append((begin, end, len(started), len(active)))
    return bins


def label(moment: datetime, zone: ZoneInfo) -> str:
    """What the appliance calls the bin that starts then."""
    text = moment.replace(tzinfo=UTC).astimezone(zone).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z") if zone.key in {"UTC", "Etc/UTC"} else text
