"""Two ways to merge changed sessions into a large copy: `… -m tests.benchmarks.merging ours|plain FOLDER CHANGES`."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from spsetl.hours import OfficeHours
from spsetl.sync.gathering import Gathering, gather_files
from spsetl.sync.phases import BATCH_SIZE, MOST_DETAILED, MOST_LISTED
from spsetl.warehouse.checks import require_passed, run_checks
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.merge import Files, merge_part
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase

_OF_SESSIONS: Final = ("sessions", "session_lists", "session_scores")
_DETAILS: Final = ("channels", "events", "alerts")
_FETCHES: Final = "detail_fetches"
# As a night does it: sessions come by windows, details by batches, and both are merged some at a time.
_WINDOWS: Final = 20
_BATCH: Final = BATCH_SIZE
_OFFICE: Final = "Mon-Fri 07:00-19:00 UTC"


def write_changes(base: Path, folder: Path, *, every: int) -> None:
    """New versions of one session in `every`, with their details, as Parquet files of windows and of batches."""
    folder.mkdir()
    with duckdb.connect(str(base), read_only=True) as connection:
        connection.execute(
            "create temp table chosen as select appliance, session_key, "
            "row_number() over (order by start_time, session_key) - 1 "
            f"as n from sessions where substr(session_key, 2)::bigint % {every} = 0"
        )
        (chosen,) = connection.execute("select count(*) from chosen").fetchone() or (0,)
        size = max(1, -(-chosen // _WINDOWS))
        new = "timestamp '2026-02-01' as extracted_at, 'night' as run_id"
        changed = f"{new}, revision + 1 as revision, 'n' || row_hash as row_hash, 77.0 as analytics_score_aggregated"
        for table in (*_OF_SESSIONS, *_DETAILS):
            replaced = changed if table == "sessions" else new
            length = size if table in _OF_SESSIONS else _BATCH
            connection.execute(
                f"copy (select t.* replace ({replaced}), n // {length} as part from {table} t join chosen "
                f"using (appliance, session_key)) to '{folder}/{table}' (format parquet, partition_by (part), "
                "write_partition_columns false)"
            )
        connection.execute(
            "copy (select appliance, session_key, kind, 'fetched' as status, null::varchar as error, null::bigint as "
            "tries, revision + 1 as revision, 'n' || row_hash as row_hash, timestamp '2026-02-01 01:00:00' as "
            f"extracted_at, 'night' as run_id, n // {_BATCH} as part from sessions join chosen using (appliance, "
            f"session_key) cross join (select unnest({list(_DETAILS)}) as kind)) to '{folder}/{_FETCHES}' "
            "(format parquet, partition_by (part), write_partition_columns false)"
        )
    for table in (*_OF_SESSIONS, *_DETAILS, _FETCHES):
        # `part=0` would be read as a column.
        for part in (folder / table).iterdir():
            part.rename(part.with_name(part.name.removeprefix("part=")))


def _parts(folder: Path, tables: Sequence[str]) -> list[dict[str, list[str]]]:
    numbers = sorted(int(path.name) for path in (folder / tables[0]).iterdir())
    return [
        {table: sorted(str(file) for file in (folder / table / str(number)).glob("*.parquet")) for table in tables}
        for number in numbers
    ]


def merge_ours(folder: Path, changes: Path) -> dict[str, float]:
    """As a sync does it, from the merge on; seconds by phase."""
    phases: dict[str, float] = {}
    work_path, published = folder / "work.duckdb", folder / "published.duckdb"
    began = time.perf_counter()
    with WorkDatabase(work_path, published=published) as work:
        phases["open"] = round(time.perf_counter() - began, 3)
        _timed(phases, "merge", lambda: _merge(work, changes))
        _timed(phases, "marts", lambda: build_marts(work, OfficeHours.parse(_OFFICE)))
        _timed(phases, "checks", lambda: require_passed(run_checks(work)))
        _timed(phases, "checkpoint", work.checkpoint)
        _timed(phases, "read_all", work.read_all)
    _timed(phases, "publish", lambda: publish(work_path, published))
    return phases


def _timed(phases: dict[str, float], name: str, act: Any) -> None:
    began = time.perf_counter()
    act()
    phases[name] = round(time.perf_counter() - began, 3)


def _merge(work: WorkDatabase, changes: Path) -> None:
    def merge(parts: list[Files]) -> None:
        with work.transaction() as connection:
            merge_part(connection, gather_files(parts))

    for most, tables in ((MOST_LISTED, _OF_SESSIONS), (MOST_DETAILED, (*_DETAILS, _FETCHES))):
        # What a clock would have merged earlier is not: how fast an appliance answers is no part of this.
        gathering = Gathering[Files](merge, most=most, clock=lambda: 0.0)
        for files in _parts(changes, tables):
            gathering.add(files, files, sessions=_count(files, tables[0]))
        gathering.merge()


def _count(files: Files, table: str) -> int:
    """How many sessions the files hold, of a table that has at least a row of each."""
    keys = (pq.read_table(path, columns=["session_key"])["session_key"] for path in files[table])
    return sum(len(column.unique()) for column in keys)


def merge_plain(folder: Path, changes: Path) -> dict[str, float]:
    """The limit: a copy of the file, into which DuckDB merges all at once, with all memory; and the rename."""
    phases: dict[str, float] = {}
    partial, published = folder / "partial.duckdb", folder / "published.duckdb"
    _timed(phases, "copy", lambda: copyfile(folder / "work.duckdb", partial))
    began = time.perf_counter()
    with duckdb.connect(str(partial)) as connection:
        connection.execute("begin")
        connection.execute(
            f"create temp table keys as select appliance, session_key from '{changes}/sessions/*/*.parquet'"
        )
        for table in (*_OF_SESSIONS, *_DETAILS, _FETCHES):
            connection.execute(
                f"delete from {table} using keys k where {table}.appliance = k.appliance "
                f"and {table}.session_key = k.session_key"
            )
            connection.execute(f"insert into {table} by name from read_parquet('{changes}/{table}/*/*.parquet')")
        connection.execute("commit")
        connection.execute("checkpoint")
    os.replace(partial, published)  # noqa: PTH105 as short as can be
    phases["merge"] = round(time.perf_counter() - began, 3)
    return phases


def _checksum(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        found = [
            connection.execute(f"select count(*), bit_xor(hash(t)) from {table} as t").fetchone()
            for table in (*_OF_SESSIONS, *_DETAILS)
        ]
    return " ".join(f"{row[0]:,}:{row[1] % 2**32:08x}" for row in found if row)


def main() -> None:
    """One merge; phases and a checksum as JSON."""
    mode, folder, changes = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if mode == "check":
        print(json.dumps({"checksum": _checksum(folder / "published.duckdb")}))
        return
    phases = (merge_ours if mode == "ours" else merge_plain)(folder, changes)
    print(json.dumps({"phases": phases}))


if __name__ == "__main__":
    main()
