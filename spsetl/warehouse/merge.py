"""Parquet into the work database: newest revision wins, replaying changes nothing, all of a step in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

import duckdb
import pyarrow as pa

from spsetl import schema
from spsetl.appliance.protocol import DetailKind
from spsetl.queries import read_statement
from spsetl.warehouse.work import WorkDatabase

Files = Mapping[str, Sequence[str]]
"""The Parquet files of one step, by table."""


@dataclass(frozen=True)
class MergedSessions:
    """What merging a window did: distinct sessions seen, and how many of them were new, changed or unreadable."""

    seen: int
    new: int
    changed: int
    quarantined: int


@dataclass(frozen=True)
class PendingDetails:
    """A session whose details are to be fetched: which, and of which version."""

    session_key: str
    start_time: datetime
    row_hash: str
    kinds: tuple[DetailKind, ...]


@dataclass(frozen=True)
class FetchedDetails:
    """What became of a session's details, by kind: `schema.FETCHED` or `schema.GONE`."""

    session_key: str
    row_hash: str
    statuses: Mapping[str, str]


def merge_sessions(connection: duckdb.DuckDBPyConnection, files: Files) -> MergedSessions:
    """Merge the sessions of one window, inside the caller's transaction."""
    sessions = list(files.get(schema.SESSIONS.name, ()))
    quarantined = _merge_quarantine(connection, files)
    if not sessions:
        return MergedSessions(0, 0, 0, quarantined)
    incoming = read_statement("merge", "incoming_sessions")
    connection.execute(f"create or replace temp table incoming_sessions as {incoming}", {"files": sessions})
    changed = read_statement("merge", "changed_sessions")
    connection.execute(f"create or replace temp table changed_sessions as {changed}")
    _replace_sessions(connection)
    for table in (schema.SESSION_LISTS, schema.SESSION_SCORES):
        _replace_rows(connection, table, list(files.get(table.name, ())), "changed_sessions")
    # The new revision has no events, and will not be asked for any: the old ones go with the old revision.
    connection.execute(
        "delete from events using changed_sessions c where events.appliance = c.appliance "
        "and events.session_key = c.session_key and c.needs_details and c.events_status = 'not_indexed'"
    )
    connection.execute(
        "delete from quarantine using changed_sessions c where quarantine.table_name = 'sessions' "
        "and quarantine.appliance = c.appliance and quarantine.session_key = c.session_key"
    )
    counts = connection.execute(
        "select (select count(*) from incoming_sessions), count(*) filter (is_new), count(*) filter (not is_new) "
        "from changed_sessions"
    ).fetchone()
    seen, new, replaced = counts or (0, 0, 0)
    return MergedSessions(seen, new, replaced, quarantined)


def _replace_sessions(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "delete from sessions using changed_sessions c "
        "where sessions.appliance = c.appliance and sessions.session_key = c.session_key"
    )
    connection.execute(
        "insert into sessions by name select incoming.* replace (changed.channels_status as channels_status, "
        "changed.events_status as events_status, changed.alerts_status as alerts_status) "
        "from incoming_sessions as incoming inner join changed_sessions as changed using (appliance, session_key)"
    )


def _replace_rows(
    connection: duckdb.DuckDBPyConnection, table: schema.Table, files: list[str], parents: str, where: str = "true"
) -> int:
    """Replace the rows of the sessions named in the temporary table `parents`; the number of new rows."""
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
        "on f.appliance = s.appliance and f.session_key = s.session_key "
        f"qualify row_number() over (partition by {key}) = 1",
        {"files": files},
    ).fetchone()
    return int(inserted[0]) if inserted else 0


def _merge_quarantine(connection: duckdb.DuckDBPyConnection, files: Files) -> int:
    """Keep each unreadable row once, however often it comes; how many came in this step, repeated ones too."""
    names = list(files.get(schema.QUARANTINE.name, ()))
    if not names:
        return 0
    connection.execute(
        "create or replace temp table incoming_quarantine as select * from read_parquet($files) "
        "qualify row_number() over (partition by appliance, table_name, row_hash order by extracted_at) = 1",
        {"files": names},
    )
    connection.execute(
        "insert into quarantine by name select i.* from incoming_quarantine i "
        "anti join quarantine q using (appliance, table_name, row_hash)"
    )
    counted = connection.execute("select count(*) from read_parquet($files)", {"files": names}).fetchone()
    return int(counted[0]) if counted else 0


def count_pending(work: WorkDatabase, *, appliance: str, kinds: Sequence[str]) -> int:
    """How many sessions have details of these kinds that are not fetched yet."""
    conditions = " or ".join(f"{kind}_status = '{schema.PENDING}'" for kind in _KINDS if kind in kinds) or "false"
    row = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and missing_since is null "  # noqa: S608 our names
        f"and ({conditions})",
        {"appliance": appliance},
    ).fetchone()
    return int(row[0]) if row else 0


def pending_details(
    work: WorkDatabase, *, appliance: str, kinds: Sequence[str], after: PendingDetails | None, size: int
) -> list[PendingDetails]:
    """The next `size` sessions whose details are not fetched yet, the newest first, after the given one."""
    rows = work.connection.execute(
        read_statement("merge", "pending_details"),
        {
            "appliance": appliance,
            "kinds": list(kinds),
            "after_time": after and after.start_time,
            "after_key": after and after.session_key,
            "size": size,
        },
    ).fetchall()
    return [
        PendingDetails(key, start, row_hash, tuple(k for k, wanted in zip(_KINDS, wants, strict=True) if wanted))
        for key, start, row_hash, *wants in rows
    ]


_KINDS: Final = get_args(DetailKind)


def merge_details(
    connection: duckdb.DuckDBPyConnection, files: Files, *, appliance: str, fetched: Sequence[FetchedDetails]
) -> dict[str, int]:
    """Replace the details of these sessions, inside the caller's transaction.

    A session that changed since it was listed keeps its status, and so is fetched again.

    Returns:
        The number of rows written, by table.
    """
    columns: dict[str, Any] = {
        "appliance": [appliance] * len(fetched),
        "session_key": [f.session_key for f in fetched],
        "row_hash": [f.row_hash for f in fetched],
        **{f"{kind}_status": pa.array([f.statuses.get(kind) for f in fetched], pa.string()) for kind in _KINDS},
    }
    connection.register("fetched_outcomes", pa.table(columns))
    connection.execute(
        "create or replace temp table fetched_details as select f.* from fetched_outcomes f "
        "semi join sessions s on f.appliance = s.appliance and f.session_key = s.session_key "
        "and f.row_hash = s.row_hash"
    )
    connection.unregister("fetched_outcomes")
    rows = {}
    for table in schema.DETAIL_TABLES:
        where = f"p.{table.name}_status = '{schema.FETCHED}'"
        rows[table.name] = _replace_rows(connection, table, list(files.get(table.name, ())), "fetched_details", where)
        connection.execute(
            "delete from quarantine using fetched_details p where quarantine.table_name = $table "  # noqa: S608 our names
            f"and quarantine.appliance = p.appliance and quarantine.session_key = p.session_key and {where}",
            {"table": table.name},
        )
    rows[schema.QUARANTINE.name] = _merge_quarantine(connection, files)
    sets = ", ".join(f"{kind}_status = coalesce(p.{kind}_status, sessions.{kind}_status)" for kind in _KINDS)
    connection.execute(
        f"update sessions set {sets} from fetched_details p "  # noqa: S608 our names
        "where sessions.appliance = p.appliance and sessions.session_key = p.session_key"
    )
    return rows
