"""Sessions by bins of time ("Session histogram")."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spsetl.simulator.answers import ApiError, invalid_value
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.search import Filter, Search, read_filter
from spsetl.simulator.statistics import read_field, values_of
from spsetl.simulator.times import DAY, HOUR, MINUTE, SECOND, ParsedTime, to_datetime, to_ms

_SHORT: Final = {"second": SECOND, "minute": MINUTE, "hour": HOUR}
_LONG: Final = {"day": DAY, "week": 7 * DAY, "month": 31 * DAY, "year": 366 * DAY}
_MONTHS = 12


def count_bins(search: Search, quirks: Quirks, now: int, params: Mapping[str, str]) -> dict[str, Any]:
    """`body.buckets[].{id, start_count, active_count}`, empty bins included.

    Counted are the sessions that pass q, start and end, and have a value of the field. Still active ones count to now.

    Raises:
        ApiError: 400, an unknown field, unit or zone, too many bins, or `content`.
    """
    if params.get("content"):
        message = "This endpoint does not support filtering in the content of sessions."
        raise ApiError(400, "NotSupportedContentOption", message)
    field = read_field(params, "field")
    unit, zone = _unit(params, quirks), _zone(params)
    wanted = read_filter(params)
    start, end = _range(wanted, zone, now)
    bins = _bins(start, end, unit, zone, quirks.bin_limit)
    reading = quirks.histogram_reading or quirks.reading
    sessions = [
        session
        for session in search.matches(wanted._replace(start=ParsedTime(start, is_date=False)), reading)
        if values_of(search, session, field)
    ]
    started = _count([(session.start, session.start) for session in sessions], bins)
    active = _count([(session.start, session.end or max(now, session.start)) for session in sessions], bins)
    buckets = [
        {"active_count": active[at], "id": _written(moment, zone), "start_count": started[at]}
        for at, moment in enumerate(bins[:-1])
    ]
    return {"body": {"buckets": buckets}, "key": "histogram", "meta": _meta(params, unit, zone, start, end)}


def _meta(params: Mapping[str, str], unit: str, zone: ZoneInfo, start: int, end: int) -> dict[str, Any]:
    return {
        "bin_size": unit,
        "end": params.get("end") or _written(end, zone),
        "field": params["field"],
        "size": params.get("size", "10"),
        "start": params.get("start") or _written(start, zone),
        "time_zone": zone.key,
    }


def _unit(params: Mapping[str, str], quirks: Quirks) -> str:
    unit = params.get(quirks.bin_size_parameter) or "month"
    if unit not in _SHORT and unit not in _LONG:
        raise invalid_value(quirks.bin_size_parameter, unit)
    return unit


def _zone(params: Mapping[str, str]) -> ZoneInfo:
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
    year, month = (local.year, local.month - 1) if local.month > 1 else (local.year - 1, _MONTHS)
    first_of_this = local.replace(day=1)
    days = (first_of_this - timedelta(days=1)).day
    return to_ms(local.replace(year=year, month=month, day=min(local.day, days))), end


def _bins(start: int, end: int, unit: str, zone: ZoneInfo, limit: int) -> list[int]:
    """The starts of the bins from the one with `start` to the one before `end`, and the end of the last."""
    shortest = _SHORT.get(unit) or _LONG[unit]
    if (end - start) // shortest > limit:
        raise _too_many(limit)
    starts = [_floor(start, unit, zone)]
    while starts[-1] < max(end, start + 1):
        starts.append(_next(starts[-1], unit, zone))
    if len(starts) - 1 > limit:
        raise _too_many(limit)
    return starts


def _too_many(limit: int) -> ApiError:
    message = "Using the requested bin_size would result in too many intervals for the queried period."
    return ApiError(400, "TooMuchBucketsInResult", message, {"limit": limit})


def _floor(moment: int, unit: str, zone: ZoneInfo) -> int:
    local = to_datetime(moment).astimezone(zone)
    if unit in _SHORT:
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
    if unit in _SHORT:
        return start + _SHORT[unit]
    local = to_datetime(start).astimezone(zone)
    # Some zones skip midnight once a year; the day there begins later, but the calendar goes on from its midnight.
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    if unit in {"day", "week"}:
        return to_ms(midnight + timedelta(days=7 if unit == "week" else 1))
    if unit == "year" or local.month == _MONTHS:
        return to_ms(midnight.replace(year=local.year + 1, month=1, day=1))
    return to_ms(midnight.replace(month=local.month + 1, day=1))


def _count(spans: list[tuple[int, int]], bins: list[int]) -> list[int]:
    """How many spans, both ends included, touch each bin."""
    steps = [0] * len(bins)
    for first, last in spans:
        if last >= bins[0] and first < bins[-1]:
            steps[max(0, bisect_right(bins, first) - 1)] += 1
            steps[min(len(bins) - 1, bisect_right(bins, last))] -= 1
    return list(accumulate(steps))


def _written(moment: int, zone: ZoneInfo) -> str:
    local = to_datetime(moment).astimezone(zone)
    text = local.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if zone.key in {"Etc/UTC", "UTC"} else text
