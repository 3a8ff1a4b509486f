"""The queue of sessions whose details are to be fetched, and what became of them.

The queue is the `<kind>_status` of each session, so it survives whatever happens to a sync.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

import duckdb

from spsetl import schema
from spsetl.appliance.protocol import DetailKind
from spsetl.queries import read_statement
from spsetl.warehouse.merge import Files, merge_quarantine, replace_rows
from spsetl.warehouse.work import WorkDatabase, naive_utc

KINDS: Final[tuple[DetailKind, ...]] = get_args(DetailKind)


@dataclass(frozen=True)
class PendingDetails:
    """A session whose details are to be fetched: which, and of which version."""

    session_key: str
    start_time: datetime
    revision: int | None
    row_hash: str
    kinds: tuple[DetailKind, ...]


@dataclass(frozen=True)
class FetchedDetails:
    """What became of a session's details, by kind: `schema.FETCHED` or `schema.GONE`."""

    session_key: str
    row_hash: str
    statuses: Mapping[str, str]


def request_kinds(work: WorkDatabase, *, appliance: str, kinds: Sequence[str]) -> None:
    """Put the details of these kinds into the queue, take those of others out of it: as SPSETL_DETAILS says."""
    with work.transaction() as connection:
        for kind in KINDS:
            old, new = (schema.NOT_REQUESTED, schema.PENDING)[:: 1 if kind in kinds else -1]
            connection.execute(
                f"update sessions set {kind}_status = $new where appliance = $appliance and {kind}_status = $old",  # noqa: S608 our names
                {"appliance": appliance, "old": old, "new": new},
            )


def count_pending(
    work: WorkDatabase, *, appliance: str, start: datetime | None = None, end: datetime | None = None
) -> int:
    """How many sessions have details that are asked for and not fetched yet; of a range of start_time or of all."""
    conditions = " or ".join(f"{kind}_status = '{schema.PENDING}'" for kind in KINDS)
    row = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and missing_since is null "  # noqa: S608 our names
        "and ($start::timestamp is null or start_time >= $start::timestamp) "
        f"and ($end::timestamp is null or start_time < $end::timestamp) and ({conditions})",
        {"appliance": appliance, "start": start and naive_utc(start), "end": end and naive_utc(end)},
    ).fetchone()
    return int(row[0]) if row else 0


def pending_details(
    work: WorkDatabase,
    *,
    appliance: str,
    kinds: Sequence[str],
    after: PendingDetails | None,
    size: int,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[PendingDetails]:
    """The next `size` sessions whose details are not fetched yet, the newest first, after the given one.

    Only those that started in `[start, end)`, aware; None for no bound.
    """
    rows = work.connection.execute(
        read_statement("merge", "pending_details"),
        {
            "appliance": appliance,
            "kinds": list(kinds),
            "after_time": after and after.start_time,
            "after_key": after and after.session_key,
            "size": size,
            "range_start": start and naive_utc(start),
            "range_end": end and naive_utc(end),
        },
    ).fetchall()
    return [
        PendingDetails(
            key, start, revision, row_hash, tuple(k for k, wanted in zip(KINDS, wants, strict=True) if wanted)
        )
        for key, start, revision, row_hash, *wants in rows
    ]


def merge_details(
    connection: duckdb.DuckDBPyConnection, files: Files, *, appliance: str, fetched: Sequence[FetchedDetails]
) -> dict[str, int]:
    """Replace the details of these sessions, inside the caller's transaction.

    A session that changed since it was listed keeps its status, and so is fetched again.

    Returns:
        The number of rows written, by table.
    """
    # As lists, and not as a registered table: for that, DuckDB loads pandas.
    columns = {
        "session_key": [f.session_key for f in fetched],
        "row_hash": [f.row_hash for f in fetched],
        **{f"{kind}_status": [f.statuses.get(kind) for f in fetched] for kind in KINDS},
    }
    lists = ", ".join(f"unnest(${name}::varchar[]) as {name}" for name in columns)
    connection.execute(
        f"create or replace temp table fetched_details as select f.* from (select $appliance as appliance, {lists}) f "  # noqa: S608 our names
        "semi join sessions s on f.appliance = s.appliance and f.session_key = s.session_key "
        "and f.row_hash = s.row_hash",
        {"appliance": appliance, **columns},
    )
    rows = {}
    for table in schema.DETAIL_TABLES:
        where = f"p.{table.name}_status = '{schema.FETCHED}'"
        names = list(files.get(table.name, ()))
        rows[table.name] = replace_rows(connection, table, names, "fetched_details", where=where)
        connection.execute(
            "delete from quarantine using fetched_details p where quarantine.table_name = $table "  # noqa: S608 our names
            f"and quarantine.appliance = p.appliance and quarantine.session_key = p.session_key and {where}",
            {"table": table.name},
        )
    merge_quarantine(connection, files)
    sets = ", ".join(f"{kind}_status = coalesce(p.{kind}_status, sessions.{kind}_status)" for kind in KINDS)
    connection.execute(
        f"update sessions set {sets} from fetched_details p "  # noqa: S608 our names
        "where sessions.appliance = p.appliance and sessions.session_key = p.session_key"
    )
    return rows
