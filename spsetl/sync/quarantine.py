"""Reading once more what could not be read: after spsetl has learnt to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, groupby
from typing import Any
from uuid import uuid4

import pyarrow as pa

from spsetl import schema
from spsetl.appliance.answers import decode_leniently
from spsetl.errors import UsageError
from spsetl.flatten import Flattener
from spsetl.lake import Lake, LakeWriter
from spsetl.settings import Settings
from spsetl.sync.copy import open_work
from spsetl.sync.data_dir import DataDir
from spsetl.sync.names import hold_copy
from spsetl.warehouse import quarantine
from spsetl.warehouse.checks import require_passed, run_checks
from spsetl.warehouse.marts import build_marts, forget_marts
from spsetl.warehouse.merge import merge_part
from spsetl.warehouse.publish import publish
from spsetl.warehouse.quarantine import QuarantinedRow
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import aware_utc, naive_utc

_POSITION = "position"


@dataclass(frozen=True)
class ReplayReport:
    """What became of the quarantine.

    Attributes:
        run_id: The replay, in the column run_id of what it read.
        replayed: Rows that could be read and are in the copy.
        kept: Rows that stay.
        published: Whether readers see it. Not while the last sync has failed: the next one publishes.
    """

    run_id: str
    replayed: int
    kept: int
    published: bool


def run_replay(settings: Settings) -> ReplayReport:
    """Read the quarantine once more, take what can be read now into the copy, and publish it. It asks no appliance.

    Killed at any instant it can be run again, to the same end: what is in the lake counts once.

    Args:
        settings: Where the copy is, and which details are asked for.

    Raises:
        UsageError: There is no copy.
        LockedError: A sync holds the data directory.
        CheckError: The checks found wrong rows; nothing is published.
        StorageError: A file of the lake is damaged, or the disk is full.
    """
    places = DataDir.of(settings.data_dir)
    if not (places.work.exists() or places.published.exists()):
        raise UsageError(f"there is no copy at {settings.data_dir}: see SPSETL_DATA_DIR, or run spsetl sync")
    places.prepare()
    with hold_copy(settings, places):
        lake = Lake(places.lake)
        lake.remove_leftovers()
        now = datetime.now(UTC)
        run_id = f"{now:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
        with open_work(places, lake, memory=settings.merge_memory) as work:
            replayed = 0
            for appliance in quarantine.fetch_quarantined_appliances(work):
                replayed += replay(work, lake, appliance=appliance, run_id=run_id, now=now)
            kept = _number(work, "select count(*) from quarantine")
            unfinished = _number(
                work,
                "select count(*) from (select arg_max(status, started_at) as status from sync_runs group by appliance) "
                "where status <> 'done'",
            )
            build_marts(work, settings.office_hours)
            require_passed(run_checks(work))
            work.finish()
        if not unfinished:
            publish(places.work, places.published)
    return ReplayReport(run_id, replayed, kept, published=not unfinished)


def _number(work: WorkDatabase, query: str) -> int:
    row = work.connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def replay(work: WorkDatabase, lake: Lake, *, appliance: str, run_id: str, now: datetime) -> int:
    """Read one appliance's quarantine once more; the number of rows that could be read, and are in the copy now.

    Args:
        work: The work database.
        lake: Where the rows are written first.
        appliance: Whose quarantine.
        run_id: The replay.
        now: Aware; after all that the copy has. An equal row that comes later is unreadable again.
    """
    with lake.writer(appliance=appliance, run_id=run_id, part="replay") as writer:
        replayed = _write_readable(work, writer, appliance=appliance, run_id=run_id, now=now)
    if replayed:
        with work.transaction() as connection:
            merge_part(connection, writer.files)
            forget_marts(connection)
    return replayed


def _write_readable(work: WorkDatabase, writer: LakeWriter, *, appliance: str, run_id: str, now: datetime) -> int:
    replayed = 0
    found = quarantine.fetch_quarantined(work, appliance)
    for (table, session_key), rows in groupby(found, key=lambda row: (row.table, row.session_key)):
        former = None
        if session_key is not None and table is not schema.SESSIONS:
            former = quarantine.fetch_rows(work, table, appliance, session_key, run_id=run_id)
        taken = set() if former is None else set(former.column(table.key[-1]).to_pylist())
        readable = []
        for row in rows:
            batches = _flatten(row, Flattener(appliance=appliance, run_id=run_id))
            if batches is not None and former is not None:
                batch = _find_place(table, batches[table.name], taken)
                batches = None if batch is None else {table.name: batch}
            if batches is not None:
                writer.write(batches)
                readable.append(row)
        if not readable:
            continue
        lineage = {"appliance": appliance, "run_id": run_id, "extracted_at": naive_utc(now)}
        if former is not None and session_key is not None:
            # They take the place of what was fetched, which the part therefore holds as well.
            for batch in former.to_batches():
                writer.write({table.name: batch})
            asked = {"session_key": session_key, "kind": table.name, "status": schema.REPLAYED}
            writer.write(_one_row(schema.DETAIL_FETCHES, asked | lineage))
        for row in readable:
            again = {"table_name": table.name, "session_key": session_key, "row_hash": row.row_hash}
            writer.write(_one_row(schema.QUARANTINE, again | lineage))
        replayed += len(readable)
    return replayed


def _one_row(table: schema.Table, row: Mapping[str, Any]) -> dict[str, pa.RecordBatch]:
    return {table.name: pa.RecordBatch.from_pylist([row], schema=table.arrow_schema)}


def _flatten(row: QuarantinedRow, flattener: Flattener) -> dict[str, pa.RecordBatch] | None:
    """The row's Arrow, by table; None if it still cannot be read, or its session is not in the copy."""
    item = decode_leniently(row.raw)  # an integer beyond 64 bits stays one
    moment = aware_utc(row.extracted_at)
    if row.table is schema.SESSIONS:
        flattener.add_sessions([item], extracted_at=moment)
    elif row.is_of_copy and row.session_key is not None:
        flattener.add_details(row.table, row.session_key, [item], extracted_at=moment)
    batches = flattener.take()
    return None if not batches or schema.QUARANTINE.name in batches else batches


def _find_place(table: schema.Table, batch: pa.RecordBatch, taken: set[Any]) -> pa.RecordBatch | None:
    """The row beside its session's others; None where one of them has its key, with other contents."""
    name = table.key[-1]
    if name != _POSITION:
        key = batch.column(name)[0].as_py()
        if key in taken:
            return None
        taken.add(key)
        return batch
    # Only its list knew its place: the first that is free there.
    place = next(place for place in count() if place not in taken)
    taken.add(place)
    field = batch.schema.get_field_index(name)
    return batch.set_column(field, batch.schema.field(field), pa.array([place], pa.int64()))
