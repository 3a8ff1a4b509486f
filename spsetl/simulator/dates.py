"""Dates in `q`: ISO 8601, numbers since 1970, and date math from a date on, as Elasticsearch has it."""

import re
from datetime import UTC, datetime, timedelta

from spsetl.simulator.times import parse_time, to_datetime, to_ms

_STEP = re.compile(r"([+-]\d*|/)([yMwdhHms])")
# How many places of year, month, day, hour, minute, second a unit leaves standing.
_PLACES = {"y": 1, "M": 2, "w": 3, "d": 3, "h": 4, "H": 4, "m": 5, "s": 6}
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "H": 3_600, "m": 60, "s": 1}
_SHORT = {
    "y": re.compile(r"\d{4}"),
    "M": re.compile(r"\d{4}-\d\d"),
    "d": re.compile(r"\d{4}-\d\d-\d\d"),
    "h": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d([Zz]|[+-].*)?"),
    "m": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d([Zz]|[+-].*)?"),
}


def read_span(text: str) -> tuple[int, int]:
    """The first and the last millisecond that a date means: all of what it leaves out, or is rounded to.

    Raises:
        ValueError: It is none.
    """
    anchor, bars, steps = text.partition("||")
    unit = next((unit for unit, short in _SHORT.items() if short.fullmatch(anchor)), "")
    moment = to_datetime(parse_time(anchor + "-01-01" * (unit == "y") + "-01" * (unit == "M")).ms)
    try:
        if bars:
            first, last = (_calculated(moment, steps, up=up) for up in (False, True))
        else:
            first, last = moment, _end_of(moment, unit) if unit else moment
        return to_ms(first), to_ms(last)
    except OverflowError as error:
        raise ValueError(text) from error


def _calculated(moment: datetime, steps: str, *, up: bool) -> datetime:
    if _STEP.sub("", steps):
        raise ValueError(steps)
    for sign, unit in _STEP.findall(steps):
        if sign == "/":
            moment = _floor(moment, unit)
            moment = _end_of(moment, unit) if up else moment
        else:
            moment = _moved(moment, int(sign if sign[1:] else sign + "1"), unit)
    return moment


def _floor(moment: datetime, unit: str) -> datetime:
    if unit == "w":
        moment -= timedelta(days=moment.isoweekday() - 1)
    kept = moment.timetuple()[: _PLACES[unit]]
    year, month, day, *clock = (*kept, 1, 1)[: max(3, len(kept))]
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _end_of(first: datetime, unit: str) -> datetime:
    return _moved(first, 1, unit) - timedelta(milliseconds=1)


def _moved(moment: datetime, by: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return moment + timedelta(seconds=by * _SECONDS[unit])
    year, month = divmod(moment.year * 12 + moment.month - 1 + (by * 12 if unit == "y" else by), 12)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:  # the month is shorter
            continue
    raise ValueError(by)
