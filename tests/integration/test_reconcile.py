"""The appliance's counts beside the copy's: what differs is found, told apart, and mended where it can be."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl.errors import UsageError
from spsetl.runs import Run
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_reconcile
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, SMALL, ask, settings_for, sync

pytestmark = pytest.mark.usefixtures("without_waiting")


def reconcile(simulator: Simulator, folder: Path, **more: Any) -> Run:
    """One reconciliation."""
    bounds = {name: more.pop(name) for name in ("start", "end") if name in more}
    settings = settings_for(simulator, folder, **more)
    return run_reconcile(settings, runner=ThreadRunner(), **bounds)


def lose(folder: Path, keys: list[str]) -> None:
    """The copy loses sessions, as a defect could make it."""
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb")) as connection:
        for table in ("sessions", "session_lists", "session_scores", "channels", "events", "alerts"):
            connection.execute(f"delete from {table} where session_key in $keys", {"keys": keys})


@pytest.mark.parametrize("reading", ["literal", "overlap"])
@pytest.mark.parametrize("date_ranges", [True, False])
@pytest.mark.parametrize("counts", [True, False])
def test_an_equal_copy_is_found_equal_by_few_requests(
    reading: str, date_ranges: bool, counts: bool, tmp_path: Path
) -> None:
    """Whatever the appliance can count by; a day that it cannot count by itself is not called equal."""
    world = World(SMALL)
    quirks = Quirks(reading=reading, histogram_reading=reading, date_ranges=date_ranges, counts=counts)
    with Simulator(world, quirks) as simulator:
        sync(simulator, tmp_path, details="none", strategy="windows")
        report = reconcile(simulator, tmp_path, details="none", strategy="windows")
    assert report.is_complete
    assert sum(day.copy for day in report.days) == 239  # the newest one is at the watermark, beyond the range
    assert {day.verdict for day in report.days} <= {"equal", "uncounted"}
    if date_ranges:
        assert {day.verdict for day in report.days} == {"equal"}
        assert sum(one.source or 0 for one in report.protocols) == 239
        assert sum(report.requests.values()) < 20
    elif reading == "overlap" or not counts:
        # Only its histogram counts, and that not exactly: what it leaves out is read again, and stays.
        assert "uncounted" in {day.verdict for day in report.days}


def test_what_the_copy_lost_is_fetched_again(tmp_path: Path) -> None:
    """Sessions and their details; the day is called mended, and the published copy is equal again."""
    world = World(SMALL)
    lost = world.keys()[30:35]
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        lose(tmp_path, lost)
        report = reconcile(simulator, tmp_path)
        assert report.is_complete
        mended = [day for day in report.days if day.verdict == "mended"]
        assert 1 <= len(mended) <= 5
        assert report.requests["channels"] == 5
        assert {day.verdict for day in reconcile(simulator, tmp_path).days} == {"equal"}
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)
    assert ask(tmp_path, "select kind, status from sync_runs order by started_at") == [
        ("sync", "done"),
        ("reconcile", "done"),
        ("reconcile", "done"),
    ]


def test_what_arrived_and_vanished_since_is_no_loss(tmp_path: Path) -> None:
    """The copy follows, and says which days it had to read again."""
    world = World(SMALL)
    oldest = world.keys()
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        world.delete(oldest[20])
        started = world.session(oldest[60])["body"]["start_time"]
        world.add(start_time=started, creation_time=world.now)
        report = reconcile(simulator, tmp_path)
    assert report.is_complete
    assert [day.verdict for day in report.days].count("mended") == 2
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=[oldest[20]])


def test_arrivals_while_it_counts_are_drift(tmp_path: Path) -> None:
    """A count that was wrong for a moment, and right when it was asked again, is no loss."""
    world = World(SMALL)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        key = world.keys()[100]
        counted: list[str] = []

        def come_and_go(kind: str, _: str, params: Any) -> None:
            # There for the histogram and the first count, gone when the day is read.
            if kind == "histogram":
                started = world.session(key)["body"]["start_time"]
                counted.append(world.add(start_time=started, creation_time=world.now))
            if kind == "list" and counted and counted[-1] in world and "q" not in params and params["limit"] == "500":
                world.delete(counted[-1])

        simulator.on_request = come_and_go
        report = reconcile(simulator, tmp_path, details="none", strategy="windows")
    assert report.is_complete
    assert [day.verdict for day in report.days].count("drift") == 1


def test_a_difference_that_stays_is_told(tmp_path: Path) -> None:
    """An appliance that counts other than it lists: not equal, and every day says by how much."""
    with Simulator(World(SMALL), Quirks(histogram=False)) as simulator:
        sync(simulator, tmp_path, details="none")
    with Simulator(World(SMALL), Quirks(histogram=False, count_drift=3)) as simulator:
        report = reconcile(
            simulator,
            tmp_path,
            details="none",
            start=datetime(2026, 10, 25, tzinfo=UTC),
            end=datetime(2026, 10, 28, tzinfo=UTC),
        )
    assert not report.is_complete
    assert [(day.verdict, (day.source or 0) - day.copy) for day in report.days] == [("differs", 3)] * 3
    assert report.as_json()["is_equal"] is False


def test_a_sync_says_so_too(tmp_path: Path) -> None:
    """Each window keeps the appliance's own count and a verdict; the sync is not called complete."""
    with Simulator(World(SMALL), Quirks(count_drift=-1)) as simulator:
        report = sync(simulator, tmp_path, details="none", strategy="windows")
    assert report.published
    assert not report.is_complete
    assert report.windows_differing == 1
    assert ask(tmp_path, "select distinct_keys, source_count, verdict from sync_windows") == [(240, 239, "differs")]


def test_a_window_keeps_the_count_that_proves_it(tmp_path: Path) -> None:
    """Requests, rows, keys, the appliance's count and the verdict of each window."""
    with Simulator(World(WorldSpec(sessions=6000, days=30))) as simulator:
        sync(simulator, tmp_path, details="none", strategy="windows")
    rows = ask(tmp_path, "select kind, requests, rows_received, distinct_keys, source_count, verdict from sync_windows")
    assert len(rows) > 1
    assert sum(row[3] for row in rows) == 6000
    assert all(row[0] == "list" and row[1] > 0 and row[2] >= row[3] == row[4] and row[5] == "equal" for row in rows)


def test_nothing_to_compare_is_wrong_usage(tmp_path: Path) -> None:
    """Before the first sync, and beyond the watermark."""
    with Simulator(World(SMALL)) as simulator:
        with pytest.raises(UsageError, match="run spsetl sync first"):
            reconcile(simulator, tmp_path)
        sync(simulator, tmp_path, details="none")
        with pytest.raises(UsageError, match="nothing to compare"):
            reconcile(simulator, tmp_path, start=datetime(2027, 1, 1, tzinfo=UTC))
