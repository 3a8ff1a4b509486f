"""A look at where the sessions are, a few requests wide, before they are listed.

The histogram ("Session histogram") is only believed for planning: windows cover everything whatever it says.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import SESSIONS_PATH, ListQuery, decode_histogram, decode_list
from spsetl.appliance.times import decode_time, format_time
from spsetl.errors import BadAnswerError, NotFoundError, QueryError
from spsetl.extract.plan import EPOCH, Window, bin_size_for, plan_windows

# The guide spells it both ways; which one was understood, the answer's echo tells.
_BIN_SIZE_SPELLINGS: Final = ("bin_size", "bin-size")
Bins = list[tuple[datetime, int]]


def fetch_plan(client: Client, start: datetime, *, concurrency: int) -> list[Window]:
    """The windows that together hold every session that started at or after `start` (aware UTC).

    Takes 2 to 6 requests: the first session's start where `start` is the epoch, and the histogram by day, then by hour
    where days hold too many.
    """
    now = datetime.now(UTC)
    first = fetch_first_start(client) if start == EPOCH else start
    if first is None or first >= now:
        return [Window(start, None)]
    bins = _fetch_bins(client, first, now, "day") or _even_bins(first, now, concurrency)
    finer = bin_size_for(bins)
    if finer:
        bins = _fetch_bins(client, bins[0][0], now, finer) or bins
    return plan_windows(start, bins, concurrency=concurrency)


def fetch_first_start(client: Client) -> datetime | None:
    """The start of the session that started first, or None if there is none."""
    query = ListQuery(fields="start_time", sort="start_time", limit=1)
    page = decode_list(client.get(query.path, query.params, kind="list"))
    body = page.items[0].get("body") if page.items and isinstance(page.items[0], dict) else None
    return decode_time(body.get("start_time")) if isinstance(body, dict) else None


def _fetch_bins(client: Client, start: datetime, end: datetime, bin_size: str) -> Bins:
    """Sessions by bin, ascending; empty where the appliance has no histogram, or none this fine."""
    for spelling in _BIN_SIZE_SPELLINGS:
        params = {"field": "protocol", spelling: bin_size, "start": format_time(start), "end": format_time(end)}
        try:
            answer = decode_histogram(client.get(f"{SESSIONS_PATH}/histogram", params, kind="histogram"))
        except (NotFoundError, QueryError, BadAnswerError):
            return []
        if answer.bin_size == bin_size:
            return sorted((one.start, one.start_count) for one in answer.bins)
    return []


def _even_bins(start: datetime, end: datetime, number: int) -> Bins:
    """Bins of equal length, as if they held equally many, so that there is something to walk side by side."""
    length = max((end - start) / number, timedelta(hours=1))
    count = max(int((end - start) / length), 1)
    return [(start + length * step, 2**31) for step in range(count)]
