"""Times as the simulator counts them: milliseconds since 1970 (UTC); and how the appliance reads and writes them."""

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = 1 << 62

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?\d{1,16}(\.\d+)?")
# A number of seconds has fewer digits than one of milliseconds, until the year 5138.
_LARGEST_SECONDS = 100_000_000_000
# Date math: how many of year, month, day, hour, minute and second a unit leaves standing, and how long it is.
_STEP = re.compile(r"([+-]\d*|/)([yMwdhHms])")
_PLACES = {"y": 1, "M": 2, "w": 3, "d": 3, "h": 4, "H": 4, "m": 5, "s": 6}
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "H": 3_600, "m": 60, "s": 1}
_SHORT = {
    "y": re.compile(r"\d{4}"),
    "M": re.compile(r"\d{4}-\d\d"),
    "d": re.compile(r"\d{4}-\d\d-\d\d"),
    "h": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d([Zz]|[+-].*)?"),
    "m": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d([Zz]|[+-].*)?"),
}


class Clock:
    """The time that logins and snapshots live by: real time, and whatever a test adds to it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Lets so many seconds pass at once."""
        self._ahead += seconds


class ParsedTime(NamedTuple):
    """A time as a parameter gives it; `is_date` is true for a date without a time."""

    ms: int
    is_date: bool

    @property
    def end_ms(self) -> int:
        """The moment the value ends: a date without a time ends with its day ("Audited sessions", ?end)."""
        return self.ms + DAY if self.is_date else self.ms


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970; a time without an offset is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    """The same moment, aware, in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int, offset_minutes: int = 0) -> str:
    """ISO 8601 with milliseconds; `Z` for UTC, else with the offset."""
    if not offset_minutes:
        return to_datetime(ms).isoformat(timespec="milliseconds")[:-6] + "Z"
    zone = timezone(timedelta(minutes=offset_minutes))
    return to_datetime(ms).astimezone(zone).isoformat(timespec="milliseconds")


def parse_time(text: str) -> ParsedTime:
    """A date, a time with or without an offset (without: UTC), or a number of seconds or milliseconds.

    Raises:
        ValueError: the text is none of these.
    """
    if _NUMBER.fullmatch(text):
        number = float(text)
        return ParsedTime(round(number if abs(number) >= _LARGEST_SECONDS else number * 1000), is_date=False)
    return ParsedTime(to_ms(datetime.fromisoformat(text)), is_date=len(text) <= len("2017-01-25"))


@lru_cache(maxsize=65_536)
def moment_of(value: str | int) -> int:
    """The milliseconds of a time in a document."""
    return parse_time(str(value)).ms


def read_span(text: str) -> tuple[int, int]:
    """The first and the last millisecond that a date in `q` means: all of what it leaves out, or is rounded to.

    That is ISO 8601, a number since 1970, or date math from one of them on, as Elasticsearch has it.

    Raises:
        ValueError: the text is none of these.
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
    year, month, day, *clock = (*moment.timetuple()[: _PLACES[unit]], 1, 1)[: max(3, _PLACES[unit])]
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
