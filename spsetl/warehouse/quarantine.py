"""What could not be read: taking out of quarantine what can be read now.

A row that was read at last stands in the lake's quarantine once more, without reason and content: so a rebuild knows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa

from spsetl import schema
from spsetl.lake import Lake
from spsetl.warehouse.merge import Files
from spsetl.warehouse.rebuild import rebuild_sessions
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import naive_utc

_PAGE: Final = 500


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that could not be read.

    Attributes:
        table: Where it would have gone.
        session_key: The session it belongs to, None where that could not be read.
        raw: The row as it came, as JSON.
        row_hash: Tells it apart.
        extracted_at: When the appliance gave it; UTC, without a zone.
        is_of_copy: Whether the copy has its session.
    """

    table: schema.Table
    session_key: str | None
    raw: str
    row_hash: str
    extracted_at: datetime
    is_of_copy: bool


def fetch_quarantined_appliances(work: WorkDatabase) -> list[str]:
    """The appliances of which the copy has unreadable rows."""
    rows = work.connection.execute("select distinct appliance from quarantine order by 1").fetchall()
    return [appliance for (appliance,) in rows]


def fetch_quarantined(work: WorkDatabase, appliance: str) -> Iterator[QuarantinedRow]:
    """An appliance's unreadable rows, by table and session; the work database can be asked otherwise meanwhile."""
    work.connection.execute(
        "create or replace temp table rows_to_read as select q.*, s.session_key is not null as is_of_copy, "
        "row_number() over (order by q.table_name, q.session_key, q.extracted_at, q.row_hash) as place "
        "from quarantine q left join sessions s on q.appliance = s.appliance and q.session_key = s.session_key "
        "where q.appliance = $appliance",
        {"appliance": appliance},
    )
    place = 0
    while rows := work.connection.execute(
        "select place, table_name, session_key, raw, row_hash, extracted_at, is_of_copy from rows_to_read "
        "where place > $place order by place limit $size",
        {"place": place, "size": _PAGE},
    ).fetchall():
        for place, table, *values in rows:  # noqa: B007 the last one is where the next page begins
            yield QuarantinedRow(schema.BY_NAME[table], *values)


def fetch_keys(work: WorkDatabase, table: schema.Table, appliance: str, session_key: str) -> set[Any]:
    """What tells a session's rows of a table of details apart, of those in the copy."""
    rows = work.connection.execute(
        f"select {table.key[-1]} from {table.name} where appliance = $appliance and session_key = $session_key",  # noqa: S608 our names
        {"appliance": appliance, "session_key": session_key},
    ).fetchall()
    return {key for (key,) in rows}


def read_again_batch(
    rows: Sequence[QuarantinedRow], *, appliance: str, run_id: str, read_at: datetime
) -> pa.RecordBatch:
    """Rows for the lake's quarantine that say that these were read.

    Args:
        rows: Which.
        appliance: Whose.
        run_id: The replay.
        read_at: When; aware. An equal row that comes later is unreadable again.
    """
    constants = {"appliance": appliance, "extracted_at": naive_utc(read_at), "run_id": run_id}
    return pa.RecordBatch.from_pylist(
        [
            {"table_name": row.table.name, "session_key": row.session_key, "row_hash": row.row_hash, **constants}
            for row in rows
        ],
        schema=schema.QUARANTINE.arrow_schema,
    )


def merge_replayed(connection: duckdb.DuckDBPyConnection, lake: Lake, files: Files) -> None:
    """Take what was read into the copy and out of quarantine, inside the caller's transaction.

    The sessions that it belongs to are made anew from the lake: so the copy is what a rebuild would make.

    Args:
        connection: Of the work database.
        lake: With these files in it.
        files: What the replay wrote.
    """
    owned = [path for table, paths in files.items() if table != schema.QUARANTINE.name for path in paths]
    connection.execute(
        "create or replace temp table replayed_sessions as select distinct appliance, session_key "
        "from read_parquet($files, union_by_name = true)",
        {"files": owned},
    )
    rebuild_sessions(connection, lake, only="replayed_sessions")
    connection.execute(
        "delete from quarantine using read_parquet($files) r where quarantine.appliance = r.appliance "
        "and quarantine.table_name = r.table_name and quarantine.row_hash = r.row_hash",
        {"files": list(files[schema.QUARANTINE.name])},
    )
    connection.execute("drop table replayed_sessions")
