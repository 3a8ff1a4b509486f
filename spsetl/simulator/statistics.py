"""Sessions counted by the values of a field ("Session statistics") and by bins of time ("Session histogram")."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spsetl.simulator.documents import canonical, is_known, is_number, scalars
from spsetl.simulator.messages import ApiError, Params, invalid_value, read_whole
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.search import Filter, Search, read_filter
from spsetl.simulator.sessions import Session
from spsetl.simulator.times import HOUR, MINUTE, SECOND, ParsedTime, to_datetime, to_ms

_DEFAULT_SIZE = 10
_CLOCK: Final = {"second": SECOND, "minute": MINUTE, "hour": HOUR}
# Days from the first of a bin into the next one.
_CALENDAR: Final = {"day": 1, "week": 7, "month": 32, "year": 366}


def count_values(search: Search, params: Params) -> dict[str, Any]:
    """`items[].{value, count}` by count descending, then value ascending; `others` counts the values not shown.

    A list counts once for each of its values, a session without the field nowhere.
    """
    field = _read_field(params, "field")
    sub_field = _read_field(params, "sub_fields") if params.get("sub_fields") else None
    size = read_whole(params, "size", _DEFAULT_SIZE, least=1)
    groups: defaultdict[str, list[Session]] = defaultdict(list)
    for session in search.matches(read_filter(params)):
        for value in _values_of(search, session, field):
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


def _read_field(params: Params, name: str) -> str:
    """The current spelling of the field that a parameter names; of several, the first."""
    text = params.get(name, "").split(",")[0].strip()
    field = canonical(text)
    if not is_known(field):
        raise invalid_value(name, text)
    return field


def _values_of(search: Search, session: Session, field: str) -> set[str]:
    """The distinct values of a field as text; none for null and for what is absent."""
    return {_written(value, field) for value in scalars(search.value(session, field))}


def _buckets(search: Search, sessions: Iterable[Session], field: str, size: int) -> dict[str, Any]:
    counts = Counter(value for session in sessions for value in _values_of(search, session, field))
    top, others = _top(counts, size)
    return {"buckets": [{"count": count, "value": value} for value, count in top], "others": others}


def _top(counts: Mapping[str, int], size: int) -> tuple[list[tuple[str, int]], int]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ordered[:size], sum(count for _, count in ordered[size:])


def _written(value: Any, field: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(field) and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def count_bins(search: Search, quirks: Quirks, now: int, params: Params) -> dict[str, Any]:
    """`body.buckets[].{id, start_count, active_count}`, empty bins included.

    Counted are the sessions that pass q, start and end, and have a value of the field. Still active ones count to now.
    """
    if params.get("content"):
        message = "This endpoint does not support filtering in the content of sessions."
        raise ApiError(400, "NotSupportedContentOption", message)
    field = _read_field(params, "field")
    unit, zone = _unit(params, quirks), _zone(params)
    wanted = read_filter(params)
    start, end = _range(wanted, zone, now)
    bins = _bins(start, end, unit, zone, quirks.bin_limit)
    reading = quirks.histogram_reading or quirks.reading
    sessions = [
        session
        for session in search.matches(wanted._replace(start=ParsedTime(start, is_date=False)), reading)
        if _values_of(search, session, field)
    ]
    started = _count([(session.start, session.start) for session in sessions], bins)
    active = _count([(session.start, session.end or max(now, session.start)) for session in sessions], bins)
    buckets = [
        {"active_count": active[at], "id": _as_text(moment, zone), "start_count": started[at]}
        for at, moment in enumerate(bins[:-1])
    ]
    return {"body": {"buckets": buckets}, "key": "histogram", "meta": _meta(params, unit, zone, start, end)}


def _meta(params: Params, unit: str, zone: ZoneInfo, start: int, end: int) -> dict[str, Any]:
    return {
        "bin_size": unit,
        "end": params.get("end") or _as_text(end, zone),
        "field": params["field"],
        "size": params.get("size", "10"),
        "start": params.get("start") or _as_text(start, zone),
        "time_zone": zone.key,
    }


def _unit(params: Params, quirks: Quirks) -> str:
    unit = params.get(quirks.bin_size_parameter) or "month"
    if unit not in {*_CLOCK, *_CALENDAR}:
        raise invalid_value(quirks.bin_size_parameter, unit)
    return unit


def _zone(params: Params) -> ZoneInfo:
    name = params.get("time_zone") or "Etc/UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid_value("time_zone", name) from error


def _range(wanted: Filter, zone: ZoneInfo, now: int) -> tuple[int, int]:
    """The range in milliseconds: by default the month before now."""
    end = wanted.end.end_ms if wanted.end else now
    if wanted.start:
        return wanted.start.ms, end
    local = to_datetime(now).astimezone(zone)
    last_of_before = local.replace(day=1) - timedelta(days=1)
    return to_ms(last_of_before.replace(day=min(local.day, last_of_before.day))), end


def _bins(start: int, end: int, unit: str, zone: ZoneInfo, limit: int) -> list[int]:
    """The starts of the bins from the one with `start` to the one before `end`, and the end of the last."""
    starts = [_floor(start, unit, zone)]
    while starts[-1] < max(end, start + 1) and len(starts) <= limit + 1:
        starts.append(_next(starts[-1], unit, zone))
    if len(starts) - 1 > limit:
        message = "Using the requested bin_size would result in too many intervals for the queried period."
        raise ApiError(400, "TooMuchBucketsInResult", message, {"limit": limit})
    return starts


def _floor(moment: int, unit: str, zone: ZoneInfo) -> int:
    local = to_datetime(moment).astimezone(zone)
    if unit in _CLOCK:
        into = local.microsecond // 1000
        into += local.second * SECOND if unit != "second" else 0
        into += local.minute * MINUTE if unit == "hour" else 0
        return moment - into
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "week":
        midnight -= timedelta(days=midnight.weekday())
    elif unit == "month":
        midnight = midnight.replace(day=1)
    elif unit == "year":
        midnight = midnight.replace(month=1, day=1)
    return to_ms(midnight)


def _next(start: int, unit: str, zone: ZoneInfo) -> int:
    if unit in _CLOCK:
        return start + _CLOCK[unit]
    local = to_datetime(start).astimezone(zone)
    # Some zones skip midnight once a year; the day there begins later, but the calendar goes on from its midnight.
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    return _floor(to_ms(midnight + timedelta(days=_CALENDAR[unit])), unit, zone)


def _count(spans: list[tuple[int, int]], bins: list[int]) -> list[int]:
    """How many spans, both ends included, touch each bin."""
    steps = [0] * len(bins)
    for first, last in spans:
        if last >= bins[0] and first < bins[-1]:
            steps[max(0, bisect_right(bins, first) - 1)] += 1
            steps[min(len(bins) - 1, bisect_right(bins, last))] -= 1
    return list(accumulate(steps))


def _as_text(moment: int, zone: ZoneInfo) -> str:
    local = to_datetime(moment).astimezone(zone)
    text = local.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if zone.key in {"Etc/UTC", "UTC"} else text
