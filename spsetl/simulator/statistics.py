"""Counts of a field's values ("Session statistics")."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from spsetl.simulator.answers import invalid_value
from spsetl.simulator.fields import canonical, is_known, is_number, scalars, value_at
from spsetl.simulator.search import Search, read_filter
from spsetl.simulator.sessions import Session

_DEFAULT_SIZE = 10


def count_values(search: Search, params: Mapping[str, str]) -> dict[str, Any]:
    """`items[].{value, count}` by count descending, then value ascending; `others` counts the values not shown.

    A list counts once for each of its values, a session without the field nowhere.

    Raises:
        ApiError: 400, the field is missing or unknown, or a value does not parse.
    """
    field = read_field(params, "field")
    sub_field = read_field(params, "sub_fields") if params.get("sub_fields") else None
    size = _size(params)
    groups: defaultdict[str, list[Session]] = defaultdict(list)
    for session in search.matches(read_filter(params)):
        for value in values_of(search, session, field):
            groups[value].append(session)
    top, others = _top({value: len(sessions) for value, sessions in groups.items()}, size)
    items = [
        {"count": count, "value": value, **(_buckets(search, groups[value], sub_field, size) if sub_field else {})}
        for value, count in top
    ]
    meta = {"field": params["field"], "others": others, "size": size}
    if sub_field is not None:
        meta["sub_fields"] = params["sub_fields"].split(",")[0]
    return {"items": items, "meta": meta}


def read_field(params: Mapping[str, str], name: str) -> str:
    """The current spelling of the field that a parameter names; of several, the first.

    Raises:
        ApiError: 400, none or an unknown one.
    """
    text = params.get(name, "").split(",")[0].strip()
    field = canonical(text)
    if not is_known(field):
        raise invalid_value(name, text)
    return field


def values_of(search: Search, session: Session, field: str) -> set[str]:
    """The distinct values of a field as text; none for null and for what is absent."""
    return {_written(value, field) for value in scalars(search.value(session, field))}


def passing_records(records: Iterable[dict[str, Any]], q: str) -> list[dict[str, Any]]:
    """The events that pass a filter ("Session events", Filtering); a word of `content` is found anywhere in it."""
    from spsetl.simulator.query import compile_query  # noqa: PLC0415 - luqum is slow to import and seldom needed

    passes = compile_query(q)
    return [record for record in records if passes(partial(_record_value, record))]


def _record_value(record: dict[str, Any], field: str) -> Any:
    if field == "*":
        return record
    value = value_at(record, field)
    return [value, *value.split()] if field in {"content", "action"} and isinstance(value, str) else value


def _buckets(search: Search, sessions: Iterable[Session], field: str, size: int) -> dict[str, Any]:
    counts = Counter(value for session in sessions for value in values_of(search, session, field))
    top, others = _top(counts, size)
    return {"buckets": [{"count": count, "value": value} for value, count in top], "others": others}


def _top(counts: Mapping[str, int], size: int) -> tuple[list[tuple[str, int]], int]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ordered[:size], sum(count for _, count in ordered[size:])


def _size(params: Mapping[str, str]) -> int:
    text = params.get("size") or str(_DEFAULT_SIZE)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise invalid_value("size", text)
    return int(text)


def _written(value: Any, field: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(field) and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
