"""Cutting the range of a sync into windows of start_time that are walked side by side."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from spsetl.window import Window

# Each window costs about half a page more than its sessions, since its last page reaches into the next window.
# So small windows cost requests, and large ones cannot be walked side by side.
SMALLEST_WINDOW: Final = 2_500
LARGEST_WINDOW: Final = 10_000


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
