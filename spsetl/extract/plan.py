"""Cutting the range of a sync into windows of start_time that are walked side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

# Each window costs about half a page more than its sessions, since its last page reaches into the next window.
# So small windows cost requests, and large ones cannot be walked side by side.
SMALLEST_WINDOW: Final = 2_500
LARGEST_WINDOW: Final = 10_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_MOMENT: Final = timedelta(microseconds=1)


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


def after(time: datetime) -> datetime | None:
    """The first moment after a time; None at the end of all times, where sessions without a real one may stand."""
    return time + _MOMENT if time < _LAST else None


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


def clip(windows: Iterable[Window], end: datetime | None) -> list[Window]:
    """What lies before `end` (exclusive; None for no end)."""
    if end is None:
        return list(windows)
    return [Window(w.start, end if w.end is None else min(w.end, end)) for w in windows if w.start < end]


def subtract(windows: Iterable[Window], done: Iterable[Window]) -> list[Window]:
    """What of the windows is not in any of `done`, in the windows' order."""
    holes = merge_overlaps(done)
    left = []
    for window in windows:
        start: datetime | None = window.start
        for hole in holes:
            if start is None or (window.end is not None and hole.start >= window.end):
                break
            if hole.end is not None and hole.end <= start:
                continue
            if hole.start > start:
                left.append(Window(start, hole.start))
            start = hole.end
        if start is not None and (window.end is None or start < window.end):
            left.append(Window(start, window.end))
    return left


def intersect(windows: Iterable[Window], others: Sequence[Window]) -> list[Window]:
    """What of the windows is in any of the others, in the windows' order."""
    return [part for window in windows for part in subtract([window], subtract([window], others))]


def merge_overlaps(windows: Iterable[Window]) -> list[Window]:
    """The same moments in as few windows as can be, ascending."""
    merged: list[Window] = []
    for window in sorted(windows, key=lambda w: w.start):
        if window.end is not None and window.end <= window.start:
            continue
        last = merged[-1] if merged else None
        if last is None or (last.end is not None and last.end < window.start):
            merged.append(window)
        elif last.end is not None:
            merged[-1] = Window(last.start, None if window.end is None else max(last.end, window.end))
    return merged
