"""How details come into the work database: some batches at a time, and without filling DuckDB's memory."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import gathering, phases
from spsetl.warehouse import merge
from spsetl.warehouse import work as work_database
from spsetl.warehouse.merge import Files, MergedPart, merge_part
from spsetl.warehouse.work import WorkDatabase
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, ask, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

SMALL = WorldSpec(sessions=60, days=6)


def test_batches_are_merged_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they are many sessions; the copy is the same."""
    sizes: list[int] = []

    def note(connection: duckdb.DuckDBPyConnection, files: Files) -> MergedPart:
        if fetches := files.get("detail_fetches"):
            sizes.append(len(set(pq.read_table(fetches, columns=["session_key"])["session_key"].to_pylist())))
        return merge_part(connection, files)

    monkeypatch.setattr(phases, "BATCH_SIZE", 10)
    monkeypatch.setattr(phases, "MOST_DETAILED", 25)
    monkeypatch.setattr(gathering, "_LEAST_SECONDS", 1e9)
    monkeypatch.setattr(gathering, "_SECONDS", 1e9)
    monkeypatch.setattr(merge, "merge_part", note)
    world = World(SMALL)
    with Simulator(world) as simulator:
        report = sync(simulator, tmp_path)
        assert sizes == [30, 30]
        assert report.rows["events"] == ask(tmp_path, "select count(*) from events")[0][0]
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_a_checkpoint_gives_memory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is merged beyond a share of DuckDB's memory is checkpointed at once, and only that."""
    log = tmp_path / "work.duckdb.wal"
    with WorkDatabase(tmp_path / "work.duckdb", published=tmp_path / "none") as work:
        work.checkpoint()
        with work.transaction() as connection:
            connection.execute("insert into quarantine by name select 'a' as reason from range(1000)")
        assert log.stat().st_size > 0
        monkeypatch.setattr(work_database, "_MUCH_MEMORY", 1)
        with work.transaction() as connection:
            connection.execute("insert into quarantine by name select 'b' as reason from range(1000)")
        assert not log.exists() or log.stat().st_size == 0
        assert work.connection.execute("select count(*) from quarantine").fetchall() == [(2000,)]
