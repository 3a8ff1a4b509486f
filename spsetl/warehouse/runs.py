"""What the runs did: sync_runs, whose last complete sync also holds the watermark."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import pyarrow as pa

from spsetl import schema
from spsetl.queries import read_statement
from spsetl.runs import CopyFigures, Run
from spsetl.warehouse.details import count_pending
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import aware_utc, naive_utc

# A run from the future had a wrong clock: nobody knows when it really was.
_DONE: Final = "appliance = $appliance and status = 'done' and kind = 'sync' and started_at <= $now"


def begin_run(work: WorkDatabase, run: Run) -> None:
    """Say that a run is under way. One that was under way before, while nobody held the lock, was killed."""
    with work.transaction() as connection:
        connection.execute("update sync_runs set status = 'killed' where status = 'running'")
        _insert(connection, run.as_row())


def run_batch(row: dict[str, Any]) -> pa.RecordBatch:
    """How a run ended, by `Run.as_row`, as the one row of its last part. Only a `done` sync moves the watermark."""
    return pa.RecordBatch.from_pylist([row], schema=schema.SYNC_RUNS.arrow_schema)


def _insert(connection: duckdb.DuckDBPyConnection, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    values = ", ".join(f"${name}" for name in row)
    connection.execute(f"insert into sync_runs ({names}) values ({values})", dict(row))  # noqa: S608 our names


def fetch_watermark(work: WorkDatabase, appliance: str) -> datetime | None:
    """Where the last complete sync of this appliance got to (aware UTC), or None before the first."""
    return _moment(work, f"select max(watermark) from sync_runs where {_DONE}", appliance)  # noqa: S608 ours


def fetch_last_done(work: WorkDatabase, appliance: str) -> datetime | None:
    """When the last complete sync of this appliance began (aware UTC), or None before the first."""
    return _moment(work, f"select max(started_at) from sync_runs where {_DONE}", appliance)  # noqa: S608 ours


def fetch_newest_start(work: WorkDatabase, appliance: str) -> datetime | None:
    """The newest start_time of the copy (aware UTC), now at the latest; or None while it is empty."""
    return _moment(work, "select max(least(start_time, $now)) from sessions where appliance = $appliance", appliance)


def _moment(work: WorkDatabase, query: str, appliance: str) -> datetime | None:
    values = {"appliance": appliance, "now": naive_utc(datetime.now(UTC))}
    row = work.connection.execute(query, values).fetchone()
    return aware_utc(row[0]) if row and row[0] else None


def fetch_newest_order(work: WorkDatabase) -> datetime | None:
    """The last moment (aware UTC) at which anything of the copy was fetched or marked, by the clock of its run."""
    tables = (schema.SESSIONS, schema.DETAIL_FETCHES, schema.POLICIES)
    parts = ", ".join(f"(select max(extracted_at) from {table.name})" for table in tables)  # noqa: S608 our names
    row = work.connection.execute(
        f"select greatest({parts}, (select max(missing_since) from sessions), "  # noqa: S608 our names
        "(select max(ordered_at) from sync_runs))"
    ).fetchone()
    return aware_utc(row[0]) if row and row[0] else None


def add_moved(connection: duckdb.DuckDBPyConnection, run: Run, moved: int) -> None:
    """Say of a run under way how many more sessions had two start_times: the checks need it before it ends."""
    if moved:
        connection.execute(
            "update sync_runs set sessions_moved = coalesce(sessions_moved, 0) + $moved where run_id = $run_id",
            {"moved": moved, "run_id": run.run_id},
        )


def count_present(work: WorkDatabase, appliance: str) -> int:
    """How many sessions of the copy the appliance had when they were last looked for."""
    row = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and missing_since is null", {"appliance": appliance}
    ).fetchone()
    return int(row[0]) if row else 0


def count_vanished(work: WorkDatabase, appliance: str) -> tuple[int, int]:
    """How many sessions are there, and how many have gone since the last complete sync without having been due."""
    values = {"appliance": appliance, "now": naive_utc(datetime.now(UTC))}
    row = work.connection.execute(read_statement("merge", "vanished_sessions"), values).fetchone()
    return row or (0, 0)


def count_sessions_since(work: WorkDatabase, appliance: str, start: datetime) -> int:
    """How many sessions of the copy started at or after `start`: what a window from there will hold at least."""
    row = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and start_time >= $start",
        {"appliance": appliance, "start": naive_utc(start)},
    ).fetchone()
    return int(row[0]) if row else 0


def fetch_copy_figures(work: WorkDatabase, appliance: str) -> CopyFigures:
    """How far the copy is, as the work database has it."""
    row = work.connection.execute(
        read_statement("status", "copy_progress"),
        {"appliance": appliance, "now": naive_utc(datetime.now(UTC))},
    ).fetchone()
    succeeded_at, sessions, quarantined = row or (None, 0, 0)
    return CopyFigures(
        last_success_at=aware_utc(succeeded_at) if succeeded_at else None,
        watermark=fetch_watermark(work, appliance),
        sessions=sessions,
        pending=count_pending(work, appliance=appliance),
        quarantined=quarantined,
    )
