"""Times as the appliance writes and reads them ("Searching in the session database"); no I/O."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def format_time(moment: datetime) -> str:
    """The moment in UTC, always with a time and an offset ("Searching in the session database").

    Milliseconds are cut, not rounded: an inclusive start that moved up would skip sessions.

    Raises:
        ValueError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def format_range(first: datetime, last: datetime | None) -> str:
    """The query for sessions that started from `first` to `last`, both included, or from `first` on."""
    return f"start_time:[{_quoted(first)} TO {_quoted(last) if last else '*'}]"


def _quoted(moment: datetime) -> str:
    return f'"{format_time(moment).replace("+00:00", "Z")}"'


def decode_time(value: object) -> datetime | None:
    """A time as the appliance writes it, in UTC; None if it is none.

    ISO 8601 with any offset, or none, which is UTC; or Unix seconds before 5 LTS ("Audited sessions", start_time).
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def seconds_ahead(date: str, ours: float) -> float | None:
    """Seconds that a clock which says this in an answer's `Date` is ahead of ours, to a second; None if it is no date.

    Args:
        date: Whole seconds, as every HTTP server writes it (RFC 9110, "Date").
        ours: Unix seconds at that moment.
    """
    try:
        ahead = parsedate_to_datetime(date).timestamp() + 0.5 - ours
    except (ValueError, OverflowError):
        return None
    return 0.0 if abs(ahead) < 1 else ahead
