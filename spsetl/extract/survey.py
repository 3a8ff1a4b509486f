"""A look at where the sessions are, a few requests wide, before they are listed.

The histogram ("Session histogram") is only believed for planning: windows cover everything whatever it says.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities
from spsetl.appliance.protocol import SESSIONS_PATH, ListQuery, decode_histogram, decode_list, decode_time, format_time
from spsetl.errors import BadAnswerError, NotFoundError, QueryError, TooManyBinsError
from spsetl.extract import plan
from spsetl.extract.counts import count_window
from spsetl.extract.plan import plan_windows
from spsetl.window import EPOCH, Window

# The guide spells it both ways; which one was understood, the answer's echo tells.
_BIN_SIZE_SPELLINGS: Final = ("bin_size", "bin-size")
# The first that is not too fine for the range is refined where its bins hold too many.
_COARSER: Final = ("day", "month", "year")
_FINER: Final = {"year": "month", "month": "day", "day": "hour"}
# Counting halves ends where a window is as short as this.
_SHORTEST: Final = timedelta(hours=1)
Bins = list[tuple[datetime, int]]


def fetch_plan(client: Client, capabilities: Capabilities | None, start: datetime, *, concurrency: int) -> list[Window]:
    """The windows that together hold every session that started at or after `start` (aware UTC).

    `capabilities` is None before the appliance was asked for them.

    Takes 2 to 6 requests: the first session's start where `start` is the epoch, and the histogram by day, then by hour
    where days hold too many; more where the range has more days than a histogram has bins. Without a histogram, a
    count for each window.
    """
    now = datetime.now(UTC)
    first = fetch_first_start(client) if start == EPOCH else start
    if first is None or first >= now:
        return [Window(start, None)]
    bins = _fetch_bins(client, first, now) or _count_bins(client, capabilities, first, now)
    return plan_windows(start, bins or _even_bins(first, now, concurrency), concurrency=concurrency)


def fetch_first_start(client: Client) -> datetime | None:
    """The start of the session that started first, or None if there is none."""
    query = ListQuery(fields="start_time", sort="start_time", limit=1)
    page = decode_list(client.get(query.path, query.params, kind="list"))
    body = page.items[0].get("body") if page.items and isinstance(page.items[0], dict) else None
    return decode_time(body.get("start_time")) if isinstance(body, dict) else None


def _fetch_bins(client: Client, start: datetime, end: datetime) -> Bins:
    """Sessions by bin, ascending, finer where there are many; empty where the appliance has no histogram."""
    for size in _COARSER:
        bins = _ask_histogram(client, start, end, size)
        if bins is not None:
            return _refine(client, bins, end, size)
    return []


def _refine(client: Client, bins: Bins, end: datetime, size: str) -> Bins:
    """The bins with those that hold too many, and what lies between them, cut finer as far as the appliance does."""
    heavy = [place for place, (_, count) in enumerate(bins) if count > plan.LARGEST_WINDOW]
    finer = _FINER.get(size)
    if not heavy or finer is None:
        return bins
    first, last = heavy[0], heavy[-1] + 1
    upto = bins[last][0] if last < len(bins) else end
    inner = _ask_histogram(client, bins[first][0], upto, finer)
    if inner is not None:
        return [*bins[:first], *(_refine(client, inner, upto, finer) or bins[first:last]), *bins[last:]]
    if last - first == 1:
        return bins
    middle = (first + last) // 2
    return [*_refine(client, bins[:middle], bins[middle][0], size), *_refine(client, bins[middle:], end, size)]


def _ask_histogram(client: Client, start: datetime, end: datetime, size: str) -> Bins | None:
    """Sessions by bin; empty where the appliance has no histogram, None where these bins are too many for it."""
    for spelling in _BIN_SIZE_SPELLINGS:
        params = {"field": "protocol", spelling: size, "start": format_time(start), "end": format_time(end)}
        try:
            answer = decode_histogram(client.get(f"{SESSIONS_PATH}/histogram", params, kind="histogram"))
        except TooManyBinsError:
            return None
        except (NotFoundError, QueryError, BadAnswerError):
            return []
        if answer.bin_size == size:
            return sorted((one.start, one.start_count) for one in answer.bins)
    return []


def _count_bins(client: Client, capabilities: Capabilities | None, start: datetime, end: datetime) -> Bins:
    """Halves of halves, each counted, until none holds too many; empty where the appliance has no count."""
    total = count_window(client, capabilities, Window(start, end)) if capabilities else None
    if capabilities is None or total is None:
        return []
    waiting, bins = [(start, end, total)], Bins()
    while waiting:
        first, last, count = waiting.pop()
        if count <= plan.LARGEST_WINDOW or last - first <= _SHORTEST:
            bins.append((first, count))
            continue
        middle = first + (last - first) / 2
        before = count_window(client, capabilities, Window(first, middle)) or 0
        waiting += [(first, middle, before), (middle, last, count - before)]
    return sorted(bins)


def _even_bins(start: datetime, end: datetime, number: int) -> Bins:
    """Bins of equal length, as if they held equally many, so that there is something to walk side by side."""
    length = max((end - start) / number, timedelta(hours=1))
    count = max(int((end - start) / length), 1)
    return [(start + length * step, 2**31) for step in range(count)]
