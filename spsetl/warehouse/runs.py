"""What the syncs did: sync_runs and sync_windows, which also hold the checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import orjson

from spsetl.warehouse.work import WorkDatabase


@dataclass(frozen=True)
class WindowRecord:
    """One walked window of start_time, for sync_windows. Times are aware UTC; `end` None means no end."""

    start: datetime
    end: datetime | None
    requests: int
    rows_received: int
    distinct_keys: int


@dataclass(frozen=True)
class RunRecord:
    """The outcome of a sync, for sync_runs."""

    status: str
    seconds: float
    watermark: datetime | None
    sessions_seen: int
    sessions_new: int
    sessions_changed: int
    sessions_missing: int
    quarantined: int
    requests_by_kind: Mapping[str, int]
    error: str | None = None


def naive(time: datetime | None) -> datetime | None:
    """The time as the tables hold it: UTC, without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None) if time else None


def begin_run(
    work: WorkDatabase,
    *,
    run_id: str,
    appliance: str,
    strategy: str,
    started_at: datetime,
    range_start: datetime | None,
    version: str,
) -> None:
    """Say that a sync is under way."""
    with work.transaction() as connection:
        connection.execute(
            "insert into sync_runs (run_id, appliance, status, strategy, started_at, range_start, spsetl_version) "
            "values ($run_id, $appliance, 'running', $strategy, $started_at, $range_start, $version)",
            {
                "run_id": run_id,
                "appliance": appliance,
                "strategy": strategy,
                "started_at": naive(started_at),
                "range_start": naive(range_start),
                "version": version,
            },
        )


def record_window(
    connection: duckdb.DuckDBPyConnection, *, appliance: str, run_id: str, window: WindowRecord, now: datetime
) -> None:
    """Say that a window is done, inside the transaction that merges its sessions."""
    connection.execute(
        "insert into sync_windows (appliance, run_id, window_start, window_end, requests, rows_received, "
        "distinct_keys, finished_at) values ($appliance, $run_id, $start, $end, $requests, $rows, $keys, $now)",
        {
            "appliance": appliance,
            "run_id": run_id,
            "start": naive(window.start),
            "end": naive(window.end),
            "requests": window.requests,
            "rows": window.rows_received,
            "keys": window.distinct_keys,
            "now": naive(now),
        },
    )


def finish_run(work: WorkDatabase, *, run_id: str, finished_at: datetime, record: RunRecord) -> None:
    """Say how a sync ended. Only a `done` run moves the watermark."""
    with work.transaction() as connection:
        connection.execute(
            "update sync_runs set status = $status, finished_at = $finished_at, seconds = $seconds, "
            "watermark = $watermark, sessions_seen = $seen, sessions_new = $new, sessions_changed = $changed, "
            "sessions_missing = $missing, quarantined = $quarantined, requests = $requests, "
            "requests_by_kind = $kinds, error = $error where run_id = $run_id",
            {
                "run_id": run_id,
                "status": record.status,
                "finished_at": naive(finished_at),
                "seconds": record.seconds,
                "watermark": naive(record.watermark),
                "seen": record.sessions_seen,
                "new": record.sessions_new,
                "changed": record.sessions_changed,
                "missing": record.sessions_missing,
                "quarantined": record.quarantined,
                "requests": sum(record.requests_by_kind.values()),
                "kinds": orjson.dumps(dict(record.requests_by_kind), option=orjson.OPT_SORT_KEYS).decode(),
                "error": record.error,
            },
        )


def fetch_watermark(work: WorkDatabase, appliance: str) -> datetime | None:
    """Where the last complete sync of this appliance got to (aware UTC), or None before the first."""
    row = work.connection.execute(
        "select max(watermark) from sync_runs where appliance = $appliance and status = 'done'",
        {"appliance": appliance},
    ).fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] else None


def count_sessions_since(work: WorkDatabase, appliance: str, start: datetime) -> int:
    """How many sessions of the copy started at or after `start`: what a window from there will hold at least."""
    row = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and start_time >= $start",
        {"appliance": appliance, "start": naive(start)},
    ).fetchone()
    return int(row[0]) if row else 0


def fetch_newest_start(work: WorkDatabase, appliance: str) -> datetime | None:
    """The newest start_time of the copy (aware UTC), or None while it is empty."""
    row = work.connection.execute(
        "select max(start_time) from sessions where appliance = $appliance", {"appliance": appliance}
    ).fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] else None
