"""The most frequent values of a field, as `GET /api/audit/sessions/stats` gives them ("Session statistics")."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from spsetl.analysis.fields import check_field
from spsetl.analysis.source import SESSIONS_HREF, Match, RowSource, call_macro, narrow_sessions, population_options
from spsetl.analysis.times import Moment
from spsetl.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_SIZE: Final = 10
_COLUMNS: Final = ("value", "count", "others")
_SUB_COLUMNS: Final = (*_COLUMNS, "sub_value", "sub_count", "sub_others")
# Sub-values and their numbers can be missing; pandas would make decimals of the numbers.
_FRAME_TYPES: Final = {"count": "int64", "others": "int64", "sub_count": "Int64", "sub_others": "Int64"}


@dataclass(frozen=True)
class Bucket:
    """A value, and how many sessions have it."""

    value: str
    count: int


@dataclass(frozen=True)
class StatsItem:
    """A value of the field, how many sessions have it, and the same for the values of the sub-field among them.

    `others` counts what no bucket shows, of these sessions; None without a sub-field.
    """

    value: str
    count: int
    buckets: tuple[Bucket, ...] = ()
    others: int | None = None

    @property
    def as_json(self) -> dict[str, Any]:
        """An element of `items`."""
        item: dict[str, Any] = {"value": self.value, "count": self.count}
        if self.others is not None:
            buckets = [{"value": bucket.value, "count": bucket.count} for bucket in self.buckets]
            item |= {"buckets": buckets, "others": self.others}
        return item


@dataclass(frozen=True, kw_only=True)
class Stats:
    """The answer: items by count descending, then by value; `others` counts the sessions of the values not shown."""

    field: str
    sub_field: str | None
    size: int
    others: int
    items: tuple[StatsItem, ...]

    @property
    def as_json(self) -> dict[str, Any]:
        """The answer in the appliance's shape, without what belongs to its login (`meta.remaining_seconds`)."""
        meta: dict[str, Any] = {
            "field": self.field,
            "href": f"{SESSIONS_HREF}/stats",
            "others": self.others,
            "parent": SESSIONS_HREF,
            "size": self.size,
        }
        if self.sub_field is not None:
            meta["sub_fields"] = self.sub_field
        return {"items": [item.as_json for item in self.items], "meta": meta}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of `rows`."""
        return _COLUMNS if self.sub_field is None else _SUB_COLUMNS

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """One row per value, or, with a sub-field, per value and value of the sub-field."""
        return list(self._rows())

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for item in self.items:
            row = (item.value, item.count, self.others)
            if self.sub_field is None:
                yield row
                continue
            for bucket in item.buckets:
                yield (*row, bucket.value, bucket.count, item.others)
            if not item.buckets:
                yield (*row, None, None, item.others)

    def as_frame(self) -> "pd.DataFrame":
        """`rows` as a pandas frame."""
        import pandas as pd  # noqa: PLC0415 half a second that only notebooks have to wait

        frame = pd.DataFrame(self.rows, columns=pd.Index(self.columns))
        return frame.astype({name: kind for name, kind in _FRAME_TYPES.items() if name in self.columns})


def fetch_stats(
    source: RowSource,
    field: str,
    *,
    sub_field: str | None = None,
    size: int = DEFAULT_SIZE,
    start: Moment | None = None,
    end: Moment | None = None,
    match: Match = "started",
    appliance: str | None = None,
    q: str | None = None,
    content: str | None = None,
    now: datetime | None = None,
) -> Stats:
    """Count the sessions by the values of a field. Sessions that the appliance has lost meanwhile count.

    Args:
        source: The warehouse.
        field: The field, see `check_field`; a list counts once for each of its distinct values, null nowhere.
        sub_field: A second field, counted within each value of the first.
        size: How many values to show, and how many sub-values of each.
        start: First moment of the range; None for no bound.
        end: End of the range; a date without a time is included. None for no bound.
        match: Which sessions belong to the range.
        appliance: One appliance only; None for all.
        q: Only sessions that pass this Lucene expression, as the appliance's own `q`, see `spsetl.analysis.lucene`.
        content: Only sessions with a command, window title or alert in the copy that has all these words.
        now: The moment that still active sessions last to; None for now.

    Raises:
        UsageError: An argument is not what it may be.
    """
    for name in (field, sub_field):
        if name is not None:
            check_field(name)
    if size < 1:
        raise UsageError(f"size must be at least 1, not {size}")
    population = population_options(start=start, end=end, match=match, appliance=appliance, now=now)
    options = {"sub_field": sub_field, "size": size, **population}
    _, rows = call_macro(source, "session_stats", field, options, narrow_sessions(q, content, now))
    others = rows[0][2] if rows else 0
    return Stats(field=field, sub_field=sub_field, size=size, others=others, items=tuple(_items(rows)))


def _items(rows: list[tuple[Any, ...]]) -> Iterator[StatsItem]:
    for (value, count), group in groupby(rows, key=lambda row: (row[0], row[1])):
        lines = list(group)
        buckets = tuple(Bucket(row[3], row[4]) for row in lines if row[3] is not None)
        yield StatsItem(value, count, buckets, lines[0][5])
