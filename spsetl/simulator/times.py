"""Times as the simulator counts them: milliseconds since 1970 (UTC); and how the appliance reads and writes them."""

import re
from datetime import UTC, datetime, timedelta, timezone
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
