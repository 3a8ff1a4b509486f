"""The most frequent values of a field, as `GET /api/audit/sessions/stats` gives them ("Session statistics")."""

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from spsetl.analysis.population import (
    EVERYTHING,
    SESSIONS_HREF,
    Population,
    RowSource,
    ask_macro,
    check_field,
)
from spsetl.analysis.question import Question
from spsetl.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_SIZE: Final = 10
_COLUMNS: Final = ("value", "count", "others")
_SUB_COLUMNS: Final = (*_COLUMNS, "sub_value", "sub_count", "sub_others")
# Sub-values and their numbers can be missing; pandas would make decimals of the numbers.
_FRAME_TYPES: Final = {"count": "int64", "others": "int64", "sub_count": "Int64", "sub_others": "Int64"}


@dataclass(frozen=True, kw_only=True)
class Stats:
    """The answer: one row per value, or, with a sub-field, per value and value of the sub-field (or without one).

    Rows are by count descending, then by value; `others` counts the sessions of the values not shown.
    """

    field: str
    sub_field: str | None
    size: int
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    @property
    def as_json(self) -> dict[str, Any]:
        """The answer in the appliance's shape, without what belongs to its login (`meta.remaining_seconds`)."""
        meta: dict[str, Any] = {
            "field": self.field,
            "href": f"{SESSIONS_HREF}/stats",
            "others": self.rows[0][2] if self.rows else 0,
            "parent": SESSIONS_HREF,
            "size": self.size,
        }
        if self.sub_field is None:
            return {"items": [{"value": value, "count": count} for value, count, _ in self.rows], "meta": meta}
        items = []
        for (value, count, sub_others), rows in groupby(self.rows, key=lambda row: (*row[:2], row[5])):
            buckets = [{"value": row[3], "count": row[4]} for row in rows if row[3] is not None]
            items.append({"value": value, "count": count, "buckets": buckets, "others": sub_others})
        return {"items": items, "meta": meta | {"sub_fields": self.sub_field}}

    def as_frame(self) -> "pd.DataFrame":
        """The rows as a pandas frame."""
        import pandas as pd  # noqa: PLC0415 half a second that only notebooks have to wait

        frame = pd.DataFrame(self.rows, columns=pd.Index(self.columns))
        return frame.astype({name: kind for name, kind in _FRAME_TYPES.items() if name in self.columns})


def ask_stats(
    field: str, *, sub_field: str | None = None, size: int = DEFAULT_SIZE, population: Population = EVERYTHING
) -> Question:
    """The question how many sessions have which values of a field, see `Stats`.

    Args:
        field: The field, see `check_field`; a list counts once for each of its distinct values, null nowhere.
        sub_field: A second field, counted within each value of the first.
        size: How many values to show, and how many sub-values of each.
        population: Which sessions are counted.

    Raises:
        UsageError: An argument is not what it may be.
    """
    for name in (field, sub_field):
        if name is not None:
            check_field(name)
    if size < 1:
        raise UsageError(f"size must be at least 1, not {size}")
    columns = _COLUMNS if sub_field is None else _SUB_COLUMNS
    return ask_macro(columns, "session_stats", field, population, sub_field=sub_field, size=size)


def fetch_stats(
    source: RowSource,
    field: str,
    *,
    sub_field: str | None = None,
    size: int = DEFAULT_SIZE,
    population: Population = EVERYTHING,
) -> Stats:
    """The answer to `ask_stats`."""
    columns, rows = source.rows(*ask_stats(field, sub_field=sub_field, size=size, population=population))
    return Stats(field=field, sub_field=sub_field, size=size, columns=tuple(columns), rows=rows)
