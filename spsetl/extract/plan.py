"""Cutting the range of a sync into windows of start_time that are walked side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

# Each window costs about half a page more than its sessions, since its last page reaches into the next window.
# So small windows cost requests, and large ones cannot be walked side by side.
SMALLEST_WINDOW: Final = 2_500
LARGEST_WINDOW: Final = 10_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """An interval of start_time: `start` inclusive, `end` exclusive or None for no end; aware UTC."""

    start: datetime
    end: datetime | None

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time and (self.end is None or time < self.end)

    def __str__(self) -> str:
        """A name that sorts by time and suits a file."""
        return f"{_stamp(self.start)}-{_stamp(self.end) if self.end else 'open'}"


def _stamp(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%S}.{time.microsecond:06d}Z"


def plan_windows(start: datetime, bins: Sequence[tuple[datetime, int]], *, concurrency: int) -> list[Window]:
    """Cut `[start, ∞)` at bin edges so that each window holds about as many sessions.

    The windows together always cover all of `[start, ∞)`, without gap or overlap, whatever the bins say: counts are
    only a guess about where sessions are.

    Args:
        start: Where the range begins, aware UTC.
        bins: `(first moment, sessions that started in it)` of consecutive bins, ascending.
        concurrency: How many windows are walked at the same time.
    """
    total = sum(count for _, count in bins)
    target = min(max(total // concurrency, SMALLEST_WINDOW), LARGEST_WINDOW)
    edges, held = [start], 0
    for moment, count in bins:
        if held and held + count > target and moment > edges[-1]:
            edges.append(moment)
            held = 0
        held += count
    return [*(Window(a, b) for a, b in pairwise(edges)), Window(edges[-1], None)]


def bin_size_for(bins: Sequence[tuple[datetime, int]]) -> str | None:
    """The finer bin size that a second look needs, or None where days are fine enough."""
    if not bins or max(count for _, count in bins) <= LARGEST_WINDOW:
        return None
    span = bins[-1][0] - bins[0][0]
    return "hour" if span <= timedelta(days=400) else None
