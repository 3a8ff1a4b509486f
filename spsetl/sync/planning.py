"""What a run has to read: the list from the look-back on, what is not final yet, and what is due to be swept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.extract.changes import SWEEP_WINDOW, SweepPlan, cluster, cut_sweep, plan_sweep
from spsetl.extract.plan import EPOCH, SMALLEST_WINDOW, Window, clip, subtract
from spsetl.extract.survey import fetch_plan
from spsetl.settings import Settings
from spsetl.warehouse import runs
from spsetl.warehouse.windows import ReadWindow, fetch_read_windows
from spsetl.warehouse.work import WorkDatabase, aware_utc, naive_utc

# What a sync that broke off has read counts as read; what it read longer ago than this is compared once more.
FRESH: Final = timedelta(hours=6)
# Older readings tell nothing: by then everything was read again.
_READINGS_KEPT: Final = 8  # times sweep_days


@dataclass(frozen=True)
class Range:
    """What a run lists whole: `[start, end)` of start_time, and of it what no earlier run has read."""

    start: datetime
    end: datetime | None
    windows: Sequence[Window]


def plan_lists(work: WorkDatabase, client: Client, appliance: str, settings: Settings) -> Range:
    """The windows that a sync lists whole: from the look-back before the watermark on; the first time, everything."""
    watermark = runs.fetch_watermark(work, appliance)
    if watermark is None:
        done = fetch_read_windows(work, appliance, since=None)
        windows = fetch_plan(client, EPOCH, concurrency=settings.concurrency)
        return Range(EPOCH, None, subtract(windows, [read.window for read in done]))
    start = watermark - timedelta(hours=settings.lookback)
    done = _unfinished(work, appliance)
    if runs.count_sessions_since(work, appliance, start) < SMALLEST_WINDOW:
        windows = [Window(start, None)]
    else:
        windows = fetch_plan(client, start, concurrency=settings.concurrency)
    return Range(start, None, subtract(windows, [read.window for read in done]))


def plan_backfill(
    work: WorkDatabase, client: Client, appliance: str, settings: Settings, *, start: datetime, end: datetime
) -> Range:
    """The windows of a backfill, the newest first, without those that one which was stopped has read."""
    done = _stopped_backfills(work, appliance, start, end)
    windows = subtract(clip(fetch_plan(client, start, concurrency=settings.concurrency), end), done)
    return Range(start, end, windows[::-1])


def plan_changes(
    work: WorkDatabase, appliance: str, settings: Settings, listed: Sequence[Window], *, now: datetime
) -> tuple[SweepPlan, list[Window]]:
    """What else a sync looks at: the windows to sweep, and those of sessions that are not final and not swept.

    Args:
        work: The work database.
        appliance: Which.
        settings: How much a night may cost.
        listed: What this sync has listed whole.
        now: The time.
    """
    fresh = [read.window for read in _unfinished(work, appliance) if read.finished_at > now - FRESH]
    edges, total = _edges(work, appliance)
    candidates = [
        (piece, SWEEP_WINDOW if window.end else total % SWEEP_WINDOW)
        for window in cut_sweep(edges)
        for piece in subtract([window], [*listed, *fresh])
    ]
    since = now - _READINGS_KEPT * timedelta(days=settings.sweep_days)
    readings = [(read.window, read.finished_at) for read in fetch_read_windows(work, appliance, since=since)]
    plan = plan_sweep(candidates, readings, most_requests=settings.sweep_requests, most_days=settings.sweep_days)
    if plan.is_whole:
        return plan, []
    waiting = cluster(_open_sessions(work, appliance, now - timedelta(days=settings.indexing_days)))
    return plan, subtract(waiting, [*listed, *fresh, *plan.windows])


def _unfinished(work: WorkDatabase, appliance: str) -> list[ReadWindow]:
    """What syncs that broke off since the last complete one have read."""
    since = runs.fetch_last_done(work, appliance)
    return fetch_read_windows(work, appliance, since=since, of_unfinished_syncs=True)


def _stopped_backfills(work: WorkDatabase, appliance: str, start: datetime, end: datetime) -> list[Window]:
    """What backfills of this very range that broke off have read since one was complete."""
    rows = work.connection.execute(
        """
        with backfills as (
            select run_id, status, started_at
            from sync_runs
            where appliance = $appliance and kind = 'backfill' and range_start = $start and range_end = $end
        )
        select w.window_start, w.window_end
        from sync_windows as w
        inner join backfills using (run_id)
        where
            backfills.status <> 'done'
            and w.verdict <> 'doubted'
            and w.window_end is not null
            and backfills.started_at > coalesce(
                (select max(started_at) from backfills where status = 'done'), timestamp '1970-01-01'
            )
        """,
        {"appliance": appliance, "start": naive_utc(start), "end": naive_utc(end)},
    ).fetchall()
    return [Window(aware_utc(first), aware_utc(last)) for first, last in rows]


def _edges(work: WorkDatabase, appliance: str) -> tuple[list[datetime], int]:
    """Moments between which the copy has about SWEEP_WINDOW sessions each, and how many it has in all."""
    rows = work.connection.execute(
        """
        select distinct date_trunc('milliseconds', start_time) as edge
        from (
            select start_time, row_number() over (order by start_time) as place
            from sessions
            where appliance = $appliance and missing_since is null
        )
        where place % $size = 0
        order by edge
        """,
        {"appliance": appliance, "size": SWEEP_WINDOW},
    ).fetchall()
    counted = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and missing_since is null", {"appliance": appliance}
    ).fetchone()
    return [aware_utc(edge) for (edge,) in rows], int(counted[0]) if counted else 0


def _open_sessions(work: WorkDatabase, appliance: str, too_old: datetime) -> list[tuple[int, datetime]]:
    """The sessions that can still change by themselves, active or not finally indexed: place by start_time, and it."""
    rows = work.connection.execute(
        """
        select place, start_time
        from (
            select
                start_time,
                row_number() over (order by start_time) as place,
                coalesce(active, false)
                or coalesce(
                    recording_index_status not in (select unnest($final))
                    and (recording_index_status <> 'NOT_INDEXED' or start_time > $too_old),
                    false
                ) as is_open
            from sessions
            where appliance = $appliance and missing_since is null
        )
        where is_open
        order by place
        """,
        {"appliance": appliance, "final": sorted(schema.INDEX_STATUS_FINAL), "too_old": naive_utc(too_old)},
    ).fetchall()
    return [(place, aware_utc(start)) for place, start in rows]
