"""What a run has to read: the list from the look-back on, what is not final yet, and what is due to be swept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities
from spsetl.appliance.protocol import RESULT_CAP
from spsetl.extract.changes import SWEEP_WINDOW, SweepPlan, cluster, cut_sweep, plan_sweep
from spsetl.extract.counts import count_window
from spsetl.extract.plan import LARGEST_WINDOW, SMALLEST_WINDOW
from spsetl.extract.survey import fetch_plan
from spsetl.queries import read_statement
from spsetl.settings import Settings
from spsetl.warehouse import runs
from spsetl.warehouse.windows import ReadWindow, fetch_read_windows
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import EPOCH, Window, aware_utc, clip, intersect, naive_utc, subtract

# Older readings tell nothing: by then everything was read again.
_READINGS_KEPT: Final = 8  # times sweep_days


@dataclass(frozen=True)
class Range:
    """What a run lists whole: `[start, end)` of start_time, and of it what no earlier run has read.

    `stale` is the rest: runs that broke off have read it, as it was then. It is compared once more.
    """

    start: datetime
    end: datetime | None
    windows: Sequence[Window]
    stale: Sequence[Window]


def plan_lists(
    work: WorkDatabase, client: Client, capabilities: Capabilities | None, appliance: str, settings: Settings
) -> Range:
    """The windows that a sync lists whole: from the look-back before the watermark on; the first time, everything."""
    watermark = runs.fetch_watermark(work, appliance)
    if watermark is None:
        start, done = EPOCH, fetch_read_windows(work, appliance, since=None)
    else:
        start, done = watermark - timedelta(hours=settings.lookback), _unfinished(work, appliance)
    windows = [Window(start, None)]
    if watermark is None or not _is_small(work, client, capabilities, appliance, windows[0]):
        windows = fetch_plan(client, capabilities, start, concurrency=settings.concurrency)
    read = [one.window for one in done]
    return Range(start, None, subtract(windows, read), intersect(windows, read))


def _is_small(
    work: WorkDatabase, client: Client, capabilities: Capabilities | None, appliance: str, window: Window
) -> bool:
    """Whether a window is read in one piece, by what the copy has of it, and the appliance, which may have far more."""
    if capabilities is None or runs.count_sessions_since(work, appliance, window.start) >= SMALLEST_WINDOW:
        return False
    counted = count_window(client, capabilities, window)
    return counted is not None and counted < LARGEST_WINDOW


def plan_backfill(
    work: WorkDatabase,
    client: Client,
    capabilities: Capabilities,
    appliance: str,
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
) -> Range:
    """The windows of a backfill, the newest first, without those that one which was stopped has read."""
    done = _stopped_backfills(work, appliance, start, end)
    windows = clip(fetch_plan(client, capabilities, start, concurrency=settings.concurrency), end)
    return Range(start, end, subtract(windows, done)[::-1], intersect(windows, done))


def plan_changes(
    work: WorkDatabase,
    client: Client,
    capabilities: Capabilities,
    appliance: str,
    *,
    settings: Settings,
    listed: Range,
    source_sessions: int | None,
    now: datetime,
) -> tuple[SweepPlan, list[Window]]:
    """What else a sync looks at: the windows to sweep, and those of sessions that are not final and not swept.

    Args:
        work: The work database.
        client: The appliance.
        capabilities: What it can do.
        appliance: Which.
        settings: How much a night may cost.
        listed: What this sync has listed whole, and what it must sweep.
        source_sessions: How many sessions the appliance has; None where it cannot say.
        now: The time.
    """
    edges, total = _edges(work, appliance)
    cuts = cut_sweep(edges)
    # An appliance whose count stops before 10000 has at least so many.
    if (RESULT_CAP if source_sessions is None else source_sessions) - total >= LARGEST_WINDOW:
        # The copy does not tell where the sessions are, for example since a right was granted to see all of them.
        cuts = fetch_plan(client, capabilities, EPOCH, concurrency=settings.concurrency)
    stale = intersect(cuts, listed.stale)
    candidates = [
        (piece, SWEEP_WINDOW if window.end else total % SWEEP_WINDOW)
        for window in cuts
        for piece in subtract([window], [*listed.windows, *stale])
    ]
    since = now - _READINGS_KEPT * timedelta(days=settings.sweep_days)
    readings = [(read.window, read.finished_at) for read in fetch_read_windows(work, appliance, since=since)]
    plan = plan_sweep(candidates, readings, most_requests=settings.sweep_requests, most_days=settings.sweep_days)
    plan = replace(plan, windows=[*stale, *plan.windows])
    if plan.is_whole:
        return plan, []
    waiting = cluster(_open_sessions(work, appliance, now - timedelta(days=settings.indexing_days)))
    return plan, subtract(waiting, [*listed.windows, *plan.windows])


def _unfinished(work: WorkDatabase, appliance: str) -> list[ReadWindow]:
    """What syncs that broke off since the last complete one have read."""
    since = runs.fetch_last_done(work, appliance)
    return fetch_read_windows(work, appliance, since=since, of_unfinished_syncs=True)


def _stopped_backfills(work: WorkDatabase, appliance: str, start: datetime, end: datetime) -> list[Window]:
    """What backfills of this very range that broke off have read since one was complete."""
    rows = work.connection.execute(
        read_statement("plan", "stopped_backfills"),
        {"appliance": appliance, "range_start": naive_utc(start), "range_end": naive_utc(end)},
    ).fetchall()
    return [Window(aware_utc(first), aware_utc(last)) for first, last in rows]


def _edges(work: WorkDatabase, appliance: str) -> tuple[list[datetime], int]:
    """Moments between which the copy has about SWEEP_WINDOW sessions each, and how many it has in all."""
    rows = work.connection.execute(
        read_statement("plan", "sweep_edges"),
        {"appliance": appliance, "size": SWEEP_WINDOW},
    ).fetchall()
    counted = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and missing_since is null", {"appliance": appliance}
    ).fetchone()
    return [aware_utc(edge) for (edge,) in rows], int(counted[0]) if counted else 0


def _open_sessions(work: WorkDatabase, appliance: str, too_old: datetime) -> list[tuple[int, datetime]]:
    """The sessions that can still change by themselves, active or not finally indexed: place by start_time, and it."""
    rows = work.connection.execute(
        read_statement("plan", "open_sessions"),
        {"appliance": appliance, "final": sorted(schema.INDEX_STATUS_FINAL), "too_old": naive_utc(too_old)},
    ).fetchall()
    return [(place, aware_utc(start)) for place, start in rows]
