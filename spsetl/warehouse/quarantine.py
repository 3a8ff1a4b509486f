"""What could not be read: finding it again for a replay."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import pyarrow as pa

from spsetl import schema
from spsetl.warehouse.work import WorkDatabase

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


def fetch_rows(work: WorkDatabase, table: schema.Table, appliance: str, session_key: str, *, run_id: str) -> pa.Table:
    """A session's rows of a table of details, as rows of another run."""
    found = work.connection.sql(
        f"select * replace ($run_id as run_id) from {table.name} "  # noqa: S608 our names
        "where appliance = $appliance and session_key = $session_key",
        params={"appliance": appliance, "session_key": session_key, "run_id": run_id},
    )
    return cast("pa.Table", found.to_arrow_table()).cast(table.arrow_schema)
