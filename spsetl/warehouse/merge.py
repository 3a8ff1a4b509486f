"""Parquet into the work database: newest revision wins, replaying changes nothing, all of a step in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import duckdb
import pyarrow as pa

from spsetl import schema
from spsetl.queries import read_statement
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import Window, naive_utc

Files = Mapping[str, Sequence[str]]
"""The Parquet files of one step, by table."""


@dataclass(frozen=True)
class MergedSessions:
    """What merging windows did: rows read, and how many sessions were new, changed, moved or missing."""

    rows_read: int
    new: int
    changed: int
    moved: int
    missing: int


def fetch_known(work: WorkDatabase, appliance: str, window: Window) -> pa.Table:
    """What the copy knows of a window's sessions: `session_key, revision, row_hash, is_missing`."""
    found = work.connection.sql(
        read_statement("merge", "known_sessions"),
        params={
            "appliance": appliance,
            "window_start": naive_utc(window.start),
            "window_end": window.end and naive_utc(window.end),
        },
    )
    return cast("pa.Table", found.to_arrow_table())


def merge_sessions(connection: duckdb.DuckDBPyConnection, files: Files) -> MergedSessions:
    """Merge the sessions of one window, inside the caller's transaction."""
    merge_quarantine(connection, files)
    sessions = list(files.get(schema.SESSIONS.name, ()))
    rows_read = new = changed = moved = 0
    if sessions:
        rows_read, new, changed, moved = _merge_rows(connection, files, sessions)
    missing = _mark_missing(connection, list(files.get(schema.MISSING_SESSIONS.name, ())))
    return MergedSessions(rows_read, new, changed, moved, missing)


def _merge_rows(connection: duckdb.DuckDBPyConnection, files: Files, sessions: list[str]) -> tuple[int, int, int, int]:
    """Rows read, sessions that were new, that were replaced, and that have more than one start_time."""
    incoming = read_statement("merge", "incoming_sessions")
    connection.execute(f"create or replace temp table incoming_sessions as {incoming}", {"files": sessions})
    changed = read_statement("merge", "changed_sessions")
    connection.execute(f"create or replace temp table changed_sessions as {changed}")
    moved = connection.execute(read_statement("merge", "moved_sessions"), {"files": sessions}).fetchone()
    _replace_sessions(connection, sessions)
    for table in (schema.SESSION_LISTS, schema.SESSION_SCORES):
        # A file can hold several versions of a session: only the rows of the one that won are its lists and scores.
        version = "f.extracted_at = s.extracted_at"
        replace_rows(connection, table, list(files.get(table.name, ())), "changed_sessions", on=version)
    # The new revision has no events, and will not be asked for any: the old ones go with the old revision.
    connection.execute(
        "delete from events using changed_sessions c where events.appliance = c.appliance "
        "and events.session_key = c.session_key and c.needs_details and c.events_status = 'not_indexed'"
    )
    connection.execute(
        "delete from detail_failures f using changed_sessions c where f.appliance = c.appliance "
        "and f.session_key = c.session_key and c.needs_details"
    )
    connection.execute(
        "delete from quarantine using changed_sessions c where quarantine.table_name = 'sessions' "
        "and quarantine.appliance = c.appliance and quarantine.session_key = c.session_key"
    )
    counts = connection.execute(
        "select (select count(*) from read_parquet($files)), count(*) filter (is_new), count(*) filter (not is_new) "
        "from changed_sessions",
        {"files": sessions},
    ).fetchone()
    return (*(counts or (0, 0, 0)), *(moved or (0,)))


def _replace_sessions(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    connection.execute(
        "delete from sessions using changed_sessions c "
        "where sessions.appliance = c.appliance and sessions.session_key = c.session_key"
    )
    statuses = ", ".join(f"changed.{table.name}_status as {table.name}_status" for table in schema.DETAIL_TABLES)
    # Only now are the many columns read, of the rows that won alone.
    connection.execute(
        f"insert into sessions by name select incoming.* exclude (filename, file_row_number) replace ({statuses}) "  # noqa: S608 our names
        "from read_parquet($files, filename := true, file_row_number := true) as incoming "
        "inner join changed_sessions as changed using (filename, file_row_number)",
        {"files": files},
    )


def _mark_missing(connection: duckdb.DuckDBPyConnection, files: list[str]) -> int:
    """Mark the sessions that a window held no more; how many were not marked before."""
    if not files:
        return 0
    gone = read_statement("merge", "missing_sessions")
    connection.execute(f"create or replace temp table gone_sessions as {gone}", {"files": files})
    connection.execute(
        "update sessions set missing_since = g.missing_since from gone_sessions g "
        "where sessions.appliance = g.appliance and sessions.session_key = g.session_key"
    )
    row = connection.execute("select count(*) from gone_sessions").fetchone()
    return int(row[0]) if row else 0


def replace_rows(
    connection: duckdb.DuckDBPyConnection,
    table: schema.Table,
    files: list[str],
    parents: str,
    *,
    where: str = "true",
    on: str = "true",
) -> int:
    """Replace the rows of the sessions named in the temporary table `parents`; the number of new rows.

    Args:
        connection: Inside a transaction.
        table: Whose rows.
        files: The new rows, as Parquet.
        parents: A temporary table with `appliance` and `session_key`, called `p` in `where`.
        where: Which of the parents.
        on: Which of the new rows `f` belong to a parent `s`.
    """
    connection.execute(
        f'delete from "{table.name}" using {parents} p where "{table.name}".appliance = p.appliance '  # noqa: S608 our names
        f'and "{table.name}".session_key = p.session_key and {where}'
    )
    if not files:
        return 0
    key = ", ".join(f"f.{name}" for name in table.key)
    inserted = connection.execute(
        f'insert into "{table.name}" by name select f.* from read_parquet($files) f '  # noqa: S608 our names
        f"semi join (select * from {parents} p where {where}) s "
        f"on f.appliance = s.appliance and f.session_key = s.session_key and {on} "
        f"qualify row_number() over (partition by {key}) = 1",
        {"files": files},
    ).fetchone()
    return int(inserted[0]) if inserted else 0


def merge_quarantine(connection: duckdb.DuckDBPyConnection, files: Files) -> None:
    """Keep each unreadable row once, however often it comes."""
    names = list(files.get(schema.QUARANTINE.name, ()))
    if not names:
        return
    connection.execute(
        "create or replace temp table incoming_quarantine as select * from read_parquet($files) "
        "qualify row_number() over (partition by appliance, table_name, row_hash order by extracted_at) = 1",
        {"files": names},
    )
    connection.execute(
        "insert into quarantine by name select i.* from incoming_quarantine i "
        "anti join quarantine q using (appliance, table_name, row_hash)"
    )
