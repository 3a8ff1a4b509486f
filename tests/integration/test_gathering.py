"""How details come into the work database: some batches at a time, and without filling DuckDB's memory."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import gathering, phases
from spsetl.warehouse import merge
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


@pytest.mark.parametrize(("memory", "expected"), [("600MB", 600_000_000), ("1%", None)])
def test_memory_is_what_is_asked_for(memory: str, expected: int | None, tmp_path: Path) -> None:
    """As an amount, or of the machine's; without it a quarter of that, and never so little that merging is slow."""
    question = "select parse_formatted_bytes(current_setting('memory_limit'))"
    found = []
    for asked in (memory, None):
        with WorkDatabase(tmp_path / f"{asked}.duckdb", published=tmp_path / "none", memory=asked) as work:
            found += work.connection.execute(question).fetchall()[0]
    given, default = found
    assert expected is None or abs(given - expected) < expected / 100  # it is shown with one digit
    assert default >= 500_000_000
    assert expected is not None or default >= 20 * given or default < 520_000_000
