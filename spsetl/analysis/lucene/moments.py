"""Times in an expression, with the date math of Elasticsearch: `2026-11-01`, `now-7d/d`, `2026-11-01||+1M/d`."""

import re
from calendar import monthrange
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

from spsetl.analysis.lucene.words import Word, cannot_read

# The appliance keeps times to the millisecond.
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?)?)?",
    re.ASCII,
)
# What is left out is all of it, 2026-11 the month and 10:00 the minute; a time with its seconds is a moment.
_UNITS: Final = ("y", "M", "d", "h", "m", "ms")
_SMALLEST: Final = (1, 1, 1, 0, 0, 0)
# Fewer digits are meant as a date without dashes.
_UNIX: Final = re.compile(r"-?(0|\d{9,16})(\.\d{1,9})?", re.ASCII)
# A number of seconds has fewer digits than one of milliseconds, until the year 5138.
_LARGEST_SECONDS: Final = 100_000_000_000
_STEP: Final = re.compile(r"(?:([+-])(\d{0,9})|/1?)([yMwdhHms])", re.ASCII)
_LENGTHS: Final = {
    "w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "H": timedelta(hours=1),
    "m": timedelta(minutes=1), "s": timedelta(seconds=1), "ms": _MILLISECOND,
}  # fmt: skip
_MONTHS: Final = {"y": 12, "M": 1}


def read_span(word: Word, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of a time, and the first after it; UTC, without a zone. `now` is aware.

    Raises:
        UsageError: The word is neither ISO 8601, nor a number of seconds or milliseconds since 1970, nor from `now` on.
    """
    try:
        first, last = (_resolve(word.text, now, is_last=is_last) for is_last in (False, True))
        return first.replace(tzinfo=None), (last + _MILLISECOND).replace(tzinfo=None)
    except OverflowError as error:
        raise cannot_read(word.at, f"{word.text!r} is too far off to be a time") from error
    except ValueError as error:
        hint = "write 2024-01-25, 2024-01-25T10:00+01:00, now-7d/d or 2024-01-25||+1M/d"
        raise cannot_read(word.at, f"cannot read {word.text!r} as a time: {hint}") from error


def _resolve(text: str, now: datetime, *, is_last: bool) -> datetime:
    """The first or the last millisecond that a time means."""
    if text.startswith("now"):
        return _calculate(now.replace(microsecond=now.microsecond // 1000 * 1000), text[3:], is_last=is_last)
    anchor, bars, steps = text.partition("||")
    first, unit = _read(anchor)
    if bars:
        return _calculate(first, steps, is_last=is_last)
    return _add(first, 1, unit) - _MILLISECOND if is_last else first


def _calculate(moment: datetime, steps: str, *, is_last: bool) -> datetime:
    """Additions and roundings, one after the other; the last moment is rounded up to the last one of the unit."""
    while steps:
        step = _STEP.match(steps)
        if step is None:
            raise ValueError(steps)
        sign, number, unit = step.groups()
        if sign:
            moment = _add(moment, int(sign + (number or "1")), unit)
        else:
            moment = _floor(moment, unit)
            moment = _add(moment, 1, unit) - _MILLISECOND if is_last else moment
        steps = steps[step.end() :]
    return moment


def _read(text: str) -> tuple[datetime, str]:
    """The first moment of a date or a time, and the smallest unit that it says."""
    iso = _ISO.fullmatch(text)
    if iso is None:
        if not _UNIX.fullmatch(text):
            raise ValueError(text)
        number = float(text)
        milliseconds = round(number * 1000 if abs(number) < _LARGEST_SECONDS else number)
        return _EPOCH + timedelta(milliseconds=milliseconds), "ms"
    *parts, fraction, zone = iso.groups()
    given = [int(part) for part in parts if part is not None]
    year, month, day, hour, minute, second = *given, *_SMALLEST[len(given) :]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    moment += timedelta(milliseconds=int((fraction or "0").ljust(3, "0")[:3]))
    return moment - _offset(zone), _UNITS[len(given) - 1]


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def _add(moment: datetime, number: int, unit: str) -> datetime:
    """So many units later; a day that the month lacks is its last."""
    if unit not in _MONTHS:
        return moment + number * _LENGTHS[unit]
    months = moment.year * 12 + moment.month - 1 + number * _MONTHS[unit]
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= MAXYEAR:
        raise OverflowError(year)
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _floor(moment: datetime, unit: str) -> datetime:
    """When the unit began that the moment is in; weeks begin with Monday."""
    if unit == "w":
        moment -= timedelta(days=moment.weekday())
    names = ("microsecond", "second", "minute", "hour", "day", "month")
    cleared = names[: {"s": 1, "m": 2, "h": 3, "H": 3, "d": 4, "w": 4, "M": 5, "y": 6}[unit]]
    return moment.replace(**{name: int(name in {"day", "month"}) for name in cleared})  # type: ignore[arg-type]
