"""Values as the page shows them. What came from a session is text, whatever it holds."""

from datetime import date, datetime, time, timedelta
from typing import Final
from unicodedata import east_asian_width

NOTHING: Final = "\N{EN DASH}"
LONGEST: Final = 80
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def visible(text: str, longest: int = LONGEST) -> str:
    """The text with control characters and changes of direction spelled out, and no longer than this."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def shorten(text: str, columns: int) -> str:
    """The text within so many columns of a label; wide characters take two."""
    shown, used = "", 0
    for character in visible(text):
        used += 2 if east_asian_width(character) in {"W", "F"} else 1
        if used > columns:
            return shown[:-1] + "…"
        shown += character
    return shown


def as_name(value: str | None) -> str:
    """A user, server, policy, rule: what the appliance calls it, or that it does not."""
    return "(not named)" if value is None else visible(value)


def as_number(value: float | None) -> str:
    """A count, with thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def as_percent(value: float | None) -> str:
    """Percent, one digit."""
    return NOTHING if value is None else f"{value:.1f} %"


def as_moment(value: datetime | None) -> str:
    """A time (UTC), to the minute."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def as_day(value: date | None) -> str:
    """A day."""
    return NOTHING if value is None else f"{value:%Y-%m-%d}"


def as_period(start: datetime, end: datetime) -> str:
    """A period (UTC) from its first day to its last, or to the minute where it does not hold whole days."""
    if start.time() == end.time() == time():
        return f"{as_day(start)} to {as_day(end - timedelta(days=1))}"
    return f"{as_moment(start)} to {as_moment(end)}"


def as_span(seconds: float | None) -> str:
    """A span of time, in its two largest units."""
    if seconds is None:
        return NOTHING
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return "less than a minute"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} days {whole % _DAY // _HOUR} h"


def percent_of(part: float | None, whole: float | None) -> float | None:
    """The share, or None where there is no whole."""
    return None if part is None or not whole else 100 * part / whole


def one_or_many(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


FILTERS: Final = {
    "name": as_name,
    "number": as_number,
    "percent": as_percent,
    "moment": as_moment,
    "day": as_day,
    "span": as_span,
    "visible": visible,
}
"""What the template calls them."""
