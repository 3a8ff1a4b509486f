"""Office hours: which days and times of the week sessions are expected at, by the wall clock of a time zone."""

import re
from dataclasses import dataclass
from typing import Final, Self
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DEFAULT_OFFICE_HOURS: Final = "Mon-Fri 07:00-19:00 UTC"

_WEEK: Final = len(WEEKDAYS)
_DAY: Final = 24 * 60  # minutes
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_FORM: Final = re.compile(rf"(?P<days>\S+)\s+{_TIME}-(?:{_TIME}|(24:00))\s+(?P<zone>\S+)", re.ASCII)


@dataclass(frozen=True)
class OfficeHours:
    """The same times on each of some days of the week.

    Attributes:
        days: 1 Monday to 7 Sunday, in order. A range that crosses midnight is of the day on which it begins.
        begin: Minute of the day, 0 for 00:00.
        minutes: How many from there on, at most a day.
        zone: The time zone's name in the IANA database.
    """

    days: tuple[int, ...]
    begin: int
    minutes: int
    zone: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From days, times and zone: `Mon-Fri 08:00-18:00 Europe/Budapest`; `Mon,Wed-Fri 22:00-06:00 UTC` too.

        Raises:
            ValueError: It is none; the message does not repeat it.
        """
        match = _FORM.fullmatch(text.strip())
        if not match:
            raise ValueError("must be days, times and a time zone")
        begin = 60 * int(match[2]) + int(match[3])
        end = _DAY if match[6] else 60 * int(match[4]) + int(match[5])
        if begin == end:
            raise ValueError("must not begin and end at the same time of the day; a whole day is 00:00-24:00")
        _check_zone(match["zone"])
        return cls(_days(match["days"]), begin, (end - begin) % _DAY or _DAY, match["zone"])


def check_office_hours(text: str) -> str:
    """The text, if it is of office hours.

    Raises:
        ValueError: It is not.
    """
    OfficeHours.parse(text)
    return text


def _days(text: str) -> tuple[int, ...]:
    """`Mon-Wed,Sat` as 1, 2, 3, 6; a range may go over the end of the week."""
    days: set[int] = set()
    for part in text.split(","):
        names = [name.capitalize() for name in part.split("-")]
        if len(names) > 2 or not set(names) <= set(WEEKDAYS):  # noqa: PLR2004 - first and last
            raise ValueError(f"must name days as {', '.join(WEEKDAYS)}, with commas or a hyphen between them")
        first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
        days.update((first + n) % _WEEK + 1 for n in range((last - first) % _WEEK + 1))
    return tuple(sorted(days))


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        # ZoneInfoNotFoundError is a KeyError; a folder of the database, or a name that is no path, are the others.
        raise ValueError("must end with a time zone by its name in the IANA database") from None
