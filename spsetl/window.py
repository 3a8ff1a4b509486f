"""Ranges of start_time: what is in them, what of some is left without others; and times with and without their zone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

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


def naive_utc(time: datetime) -> datetime:
    """The time as the tables hold it: UTC, without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None)


def aware_utc(time: datetime) -> datetime:
    """A time of the tables, with its zone."""
    return time.replace(tzinfo=UTC)
