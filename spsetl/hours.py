"""Hours by the wall clock: quiet hours, at which nothing is sent, and office hours, which the marts go by.

Both are made of ranges such as `21:55-22:30`: the end is no more in it and may be 24:00, and it may cross midnight.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Self
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_DAY: Final = 24 * 60  # minutes
_MINUTE: Final = timedelta(minutes=1)
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_RANGE: Final = re.compile(rf"{_TIME}-(?:{_TIME}|24:00)", re.ASCII)


def _read_range(text: str, otherwise: str) -> tuple[int, int]:
    """The minute of the day at which it begins, and for how many minutes it lasts.

    Raises:
        ValueError: It is no range, said as `otherwise`; or it is empty.
    """
    match = _RANGE.fullmatch(text)
    if not match:
        raise ValueError(otherwise)
    begin = 60 * int(match[1]) + int(match[2])
    end = 60 * int(match[3]) + int(match[4]) if match[3] else _DAY
    if begin == end:
        raise ValueError("must not begin and end at the same time of the day; a whole day is 00:00-24:00")
    return begin, (end - begin) % _DAY or _DAY


@dataclass(frozen=True)
class QuietHours:
    """Quiet minutes of the day, 0 for 00:00, as the wall clock of `zone` shows them; None is this machine's zone."""

    minutes: frozenset[int] = field(repr=False)
    zone: tzinfo | None = None
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str, zone: tzinfo | None = None) -> Self:
        """From ranges with commas between them: `21:55-22:30, 23:00-01:00`.

        Raises:
            ValueError: It is none, or would leave no time at all; the message does not repeat it.
        """
        minutes: set[int] = set()
        for part in text.split(","):
            begin, length = _read_range(
                part.strip(), "must be none, or times such as 21:55-22:30 with commas between them"
            )
            minutes.update(minute % _DAY for minute in range(begin, begin + length))
        if len(minutes) == _DAY:
            raise ValueError("must leave some time of the day for requests")
        return cls(frozenset(minutes), zone, text)

    def __str__(self) -> str:
        return self.text

    def end(self, now: datetime) -> datetime | None:
        """When the quiet hours that are on at `now` (aware) end, in their zone; None outside of them.

        What the wall clock shows counts, minute by minute: an hour that a change to daylight saving leaves out is not
        waited for, and one that comes twice is quiet twice.
        """
        if not self._is_quiet(now):
            return None
        # Steps in UTC: in a zone of its own, arithmetic on datetimes does not see its changes.
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
        while self._is_quiet(moment):
            moment += _MINUTE
        return moment.astimezone(self.zone)

    def seconds_until_end(self, now: datetime) -> float:
        """Seconds from `now` (aware) to the end of the quiet hours that are on; 0 outside of them."""
        end = self.end(now)
        return (end.astimezone(UTC) - now.astimezone(UTC)).total_seconds() if end else 0.0

    def _is_quiet(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone)
        return 60 * local.hour + local.minute in self.minutes


@dataclass(frozen=True)
class OfficeHours:
    """The same times on each of some days of the week.

    Attributes:
        days: 1 Monday to 7 Sunday, in order. A range that crosses midnight is of the day on which it begins.
        begin: Minute of the day, 0 for 00:00.
        minutes: How many from there on, at most a day.
        zone: The time zone's name in the IANA database.
        text: As it was written.
    """

    days: tuple[int, ...]
    begin: int
    minutes: int
    zone: str
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From days, a range and a zone: `Mon-Fri 08:00-18:00 Europe/Budapest`; `Mon,Wed-Fri 22:00-06:00 UTC` too.

        Raises:
            ValueError: It is none; the message does not repeat it.
        """
        otherwise = "must be days, times and a time zone"
        try:
            days, times, zone = text.split()
        except ValueError:
            raise ValueError(otherwise) from None
        begin, minutes = _read_range(times, otherwise)
        _check_zone(zone)
        return cls(_read_days(days), begin, minutes, zone, text)

    def __str__(self) -> str:
        return self.text


def _read_days(text: str) -> tuple[int, ...]:
    """`Mon-Wed,Sat` as 1, 2, 3, 6; a range may go over the end of the week."""
    days: set[int] = set()
    for part in text.split(","):
        names = [name.capitalize() for name in part.split("-")]
        if len(names) > 2 or not set(names) <= set(WEEKDAYS):  # noqa: PLR2004 - first and last
            raise ValueError(f"must name days as {', '.join(WEEKDAYS)}, with commas or a hyphen between them")
        first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
        days.update((first + n) % 7 + 1 for n in range((last - first) % 7 + 1))
    return tuple(sorted(days))


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        # ZoneInfoNotFoundError is a KeyError; a folder of the database, or a name that is no path, are the others.
        raise ValueError("must end with a time zone by its name in the IANA database") from None
