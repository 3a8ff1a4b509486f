"""How many sessions there are, by the appliance's own count.

`/_count` is not cut at 10000 (as the vendor's Power BI connector reads it). A window is counted exactly where `q` takes
a range of start_time; where it does not, by the difference of two counts by `start` alone, which is right only under
the literal reading ("Searching in the session database"). Otherwise there is no count, and none is guessed.
"""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from spsetl.appliance.probe import Capabilities
from spsetl.appliance.protocol import (
    COUNT_PATH,
    HISTOGRAM_PATH,
    RESULT_CAP,
    ListQuery,
    Params,
    decode_count,
    decode_histogram,
    decode_list,
    format_range,
    format_time,
)
from spsetl.errors import NotFoundError, TooManyBinsError
from spsetl.extract.listed import Asks
from spsetl.window import Window

_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_LAST_MILLISECOND: Final = 999_000
_DAY: Final = "day"
# How many times the later sessions are counted anew while they keep arriving.
_TRIES: Final = 3
# A histogram is made of the most frequent values of its field only, ten by default; there are fewer protocols.
_ALL_VALUES: Final = 100


def range_query(window: Window) -> str:
    """The query for the sessions that started in the window, which must not be empty.

    The appliance's times are whole milliseconds, and both ends of its ranges are included: edges between two
    milliseconds move up to the next, and the end to the millisecond before it.
    """
    return format_range(_ceil(window.start), _ceil(window.end) - _MILLISECOND if window.end else None)


def count_window(client: Asks, capabilities: Capabilities, window: Window) -> int | None:
    """How many sessions the appliance says started in the window; None where it cannot say.

    Takes one request; 3 to 7 where `q` takes no range of dates and the window has an end.

    Args:
        client: The appliance.
        capabilities: What it can do.
        window: Which start_times.

    Raises:
        SpsetlError: As `Client.get`, but for a 404.
    """
    if not capabilities.has_date_ranges and (not capabilities.has_counts or capabilities.reading != "literal"):
        return None
    start, end = _ceil(window.start), _ceil(window.end) if window.end else None
    if end is not None and end <= start:
        return 0
    if capabilities.has_date_ranges:
        query = range_query(window)
        return _count(client, {"q": query}) if capabilities.has_counts else _count_listed(client, query)
    return _count_since(client, start) if end is None else _count_between(client, start, end)


def count_all(client: Asks, capabilities: Capabilities) -> int | None:
    """How many sessions the appliance says it has; None where it cannot say, as the list counts no further than 10000.

    Raises:
        SpsetlError: As `Client.get`, but for a 404.
    """
    return _count(client, {}) if capabilities.has_counts else _count_listed(client, None)


def fetch_daily_counts(
    client: Asks, capabilities: Capabilities, start: datetime, end: datetime
) -> dict[date, int] | None:
    """How many sessions started on each day (UTC), by the histogram; None where there is none ("Session histogram").

    The histogram counts only what its `start` and `end` let pass, and which of the two readings it follows, which need
    not be that of the list, nobody says:

    - literal: only sessions with `start_time >= start` and `end_time < end`. Each day lacks the sessions that are
      still active, and those that ended at or after `end`. This is what our statistics call `contained`.
    - overlap: all that were alive at some moment of the range. Every day from the one after `start` to the one before
      `end` is whole. Our statistics call it `overlap`; for the sessions that started in the range it is `started`.

    Under both, the day of `start` and the day of `end` hold only a part of their sessions unless they begin and end at
    midnight. So a day that agrees with the same selection of the copy is right, and one that does not says nothing
    before it is counted by itself. Sessions without a protocol are in no bin.

    Args:
        client: The appliance.
        capabilities: What it can do.
        start: The first moment, aware.
        end: The first moment after the range, aware.

    A range of more days than the appliance gives bins is asked for in halves.

    Raises:
        SpsetlError: As `Client.get`, but for a 404.
    """
    if capabilities.bin_size_parameter is None:
        return None
    try:
        return _fetch_days(client, capabilities.bin_size_parameter, start, end)
    except TooManyBinsError:
        middle = datetime.combine((start + (end - start) / 2).date(), time(), UTC)
        if not start < middle < end:
            return None
    halves = [fetch_daily_counts(client, capabilities, *half) for half in ((start, middle), (middle, end))]
    return None if None in halves else {day: n for half in halves if half for day, n in half.items()}


def _fetch_days(client: Asks, bin_size_parameter: str, start: datetime, end: datetime) -> dict[date, int] | None:
    params: Params = {
        "field": "protocol",
        "size": _ALL_VALUES,
        "time_zone": "Etc/UTC",
        "start": format_time(_ceil(start)),
        "end": format_time(_ceil(end)),
        bin_size_parameter: _DAY,
    }
    try:
        histogram = decode_histogram(client.get(HISTOGRAM_PATH, params, kind="histogram"))
    except NotFoundError:
        return None
    if histogram.bin_size != _DAY:
        return None
    days: Counter[date] = Counter()
    for one in histogram.bins:
        days[one.start.date()] += one.start_count
    return dict(days)


def _count_since(client: Asks, start: datetime) -> int | None:
    return _count(client, {"start": format_time(start)})


def _count_between(client: Asks, start: datetime, end: datetime) -> int | None:
    """The difference of two counts; what arrives or vanishes after `end` between them must not be taken for its own."""
    later = _count_since(client, end)
    for _ in range(_TRIES):
        whole, later_again = _count_since(client, start), _count_since(client, end)
        if whole is None or later is None or later_again is None:
            return None
        if later == later_again:
            return whole - later
        later = later_again
    return None


def _count(client: Asks, params: Params) -> int | None:
    try:
        return decode_count(client.get(COUNT_PATH, params, kind="count"))
    except NotFoundError:
        return None


def _count_listed(client: Asks, q: str | None) -> int | None:
    """The list's own count, None if it may be cut."""
    query = ListQuery(fields="", q=q, limit=1)
    try:
        page = decode_list(client.get(query.path, query.params, kind="list"))
    except NotFoundError:
        return None
    return page.match_count if page.match_count is not None and page.match_count < RESULT_CAP else None


def _ceil(moment: datetime) -> datetime:
    """The first whole millisecond at or after a moment, in UTC; the last one that there is, at the end of all times."""
    moment = moment.astimezone(UTC)
    up = timedelta(microseconds=-moment.microsecond % 1000)
    return moment + up if moment <= _LAST - up else moment.replace(microsecond=_LAST_MILLISECOND)
