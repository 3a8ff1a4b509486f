"""What may have changed since it was fetched: how a window is compared by key and revision, and when it is due.

The list brings 500 keys and revisions a request, as it brings 500 whole sessions; but these are light, and what differs
from the copy is rare. So what is older than the look-back is swept, and only pages that hold a change are read whole.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from spsetl.appliance.protocol import PAGE_LIMIT
from spsetl.extract import split
from spsetl.extract.listed import key_of, start_of, value_of
from spsetl.window import EPOCH, Window, after, subtract

# What the split of a burst needs is asked for, too.
SWEEP_FIELDS: Final = ",".join(("start_time", "revision", *split.SPLIT_FIELDS))
# Each window costs half a page more than its sessions, and is compared in memory.
SWEEP_WINDOW: Final = 10_000
# One page, and the first row behind it, which tells that the page was the last.
CLUSTER_SIZE: Final = PAGE_LIMIT - 1

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """What the copy knows of a session; `is_placed` is False where its start_time is not known."""

    revision: int | None
    row_hash: str
    is_missing: bool
    is_placed: bool = True


@dataclass(frozen=True)
class Seen:
    """A session that a sweep saw, and whether the copy has it just so."""

    key: str
    time: datetime
    is_known: bool


def compare(items: Iterable[Any], known: Mapping[str, Known]) -> list[Seen] | None:
    """The swept rows beside the copy; None where a row cannot be compared, so that all must be read whole.

    Args:
        items: As the list gives them, with SWEEP_FIELDS.
        known: The copy's sessions of the window, by key.
    """
    seen = []
    for item in items:
        key, time, revision = key_of(item), start_of(item), value_of(item, "revision")
        if key is None or time is None or not isinstance(revision, int):
            return None
        row = known.get(key)
        seen.append(Seen(key, time, row is not None and not row.is_missing and row.revision == revision))
    return seen


def cluster(wanted: Iterable[tuple[int, datetime]]) -> list[Window]:
    """The fewest windows of at most a page each that hold all sessions that are wanted.

    Args:
        wanted: `(place, start_time)` of each, ascending; the place is its number among all sessions by start_time.
    """
    windows = []
    first: tuple[int, datetime] | None = None
    last = EPOCH
    for place, time in wanted:
        if first is not None and place - first[0] >= CLUSTER_SIZE and time > last:
            windows.append(Window(first[1], after(last)))
            first = None
        first = first or (place, time)
        last = time
    if first is not None:
        windows.append(Window(first[1], after(last)))
    return windows


def cut_sweep(edges: Sequence[datetime]) -> list[Window]:
    """Consecutive windows over all times, cut at the given moments (ascending)."""
    return [*(Window(a, b) for a, b in pairwise([EPOCH, *edges])), Window(edges[-1] if edges else EPOCH, None)]


@dataclass(frozen=True)
class SweepPlan:
    """The windows to sweep now, the one that waits longest first, and whether that is everything there is."""

    windows: Sequence[Window]
    is_whole: bool


def plan_sweep(
    candidates: Sequence[tuple[Window, int]],
    readings: Sequence[tuple[Window, datetime]],
    *,
    most_requests: int,
    most_days: int,
) -> SweepPlan:
    """Choose what to sweep tonight: all of it if that is cheap enough, else what was not looked at for longest.

    Args:
        candidates: The windows that could be swept, with about how many sessions each holds.
        readings: What was read when, the newest first.
        most_requests: What a night may cost.
        most_days: After so many nights everything must have been looked at, whatever it costs.
    """
    costs = {window: math.ceil((count + 1) / PAGE_LIMIT) for window, count in candidates}
    total = sum(costs.values())
    budget = max(most_requests, math.ceil(total / most_days))
    due = sorted(costs, key=lambda window: (last_reading(window, readings), window.start))
    chosen: list[Window] = []
    for window in due:
        if budget <= 0:
            break
        budget -= costs[window]
        chosen.append(window)
    return SweepPlan(chosen, is_whole=len(chosen) == len(due))


def last_reading(window: Window, readings: Sequence[tuple[Window, datetime]]) -> datetime:
    """When all of the window had last been read; long ago if some of it never was.

    Args:
        window: Which.
        readings: What was read when, the newest first.
    """
    left = [window]
    for done, moment in readings:
        if done.end is not None and done.end <= window.start:
            continue
        left = subtract(left, [done])
        if not left:
            return moment
    return _NEVER
