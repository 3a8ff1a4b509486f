"""The start and the end of a range as a person writes them."""

from datetime import UTC, date, datetime, time, timedelta

from spsetl.errors import UsageError

Moment = str | date | datetime
"""ISO 8601 text, with or without a time and an offset (none: UTC), or the same as a Python value."""


def read_start(moment: Moment) -> datetime:
    """The first moment of a range that starts with `moment`, aware, in UTC; a date starts at its midnight.

    Raises:
        UsageError: The text is no date and no time.
    """
    return _read(moment, whole_day=timedelta(0))


def read_end(moment: Moment) -> datetime:
    """The first moment after a range that ends with `moment`, aware, in UTC.

    A date without a time ends with its day, as the appliance reads it ("Audited sessions", ?end).

    Raises:
        UsageError: The text is no date and no time.
    """
    return _read(moment, whole_day=timedelta(days=1))


def read_range(start: Moment | None, end: Moment | None) -> tuple[datetime | None, datetime | None]:
    """Both bounds of a range as the tables hold times: UTC, without a zone. None does not bound.

    Raises:
        UsageError: A text is no date and no time, or the range is empty.
    """
    first = None if start is None else read_start(start).replace(tzinfo=None)
    after = None if end is None else read_end(end).replace(tzinfo=None)
    if first is not None and after is not None and after <= first:
        raise UsageError(f"the range from {start} to {end} is empty: the end must be after the start")
    return first, after


def write_moment(moment: Moment | None) -> str | None:
    """The moment as it came, if it came as text, or else in ISO 8601."""
    return moment.isoformat() if isinstance(moment, date) else moment


def _read(moment: Moment, *, whole_day: timedelta) -> datetime:
    try:
        value = _parse(moment) if isinstance(moment, str) else moment
        if not isinstance(value, datetime):
            value = datetime.combine(value, time(), UTC) + whole_day
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"cannot read {str(moment)!r} as a time: write 2024-01-25, 2024-01-25T10:00 or 2024-01-25T10:00:00+01:00"
        ) from error


def _parse(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)
