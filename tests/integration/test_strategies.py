"""Snapshots and windows give the same copy, whatever becomes of the snapshot."""

from pathlib import Path
from typing import Any

import pytest

from spsetl.errors import RateLimitError, SettingsError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.sync import phases
from tests.oracle import assert_equal_copy
from tests.syncing import FEW, NAME, SMALL, all_rows, ask, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

LARGER = WorldSpec(sessions=3000, days=30, burst=600)


def test_both_give_the_same_rows(tmp_path: Path) -> None:
    """Row by row, lineage aside; each says of itself which it was."""
    world = World(LARGER)
    copies = {}
    for strategy in ("windows", "snapshot"):
        with Simulator(world) as simulator:
            report = sync(simulator, tmp_path / strategy, strategy=strategy, details="none")
        assert report.strategy == strategy
        assert report.sessions_new == 3600
        copies[strategy] = all_rows(tmp_path / strategy, lineage=False)
    assert copies["windows"] == copies["snapshot"]


@pytest.mark.parametrize(("snapshots", "expected"), [(True, "snapshot"), (False, "windows")])
def test_auto_takes_what_the_appliance_has(snapshots: bool, expected: str, tmp_path: Path) -> None:
    """It is asked once, and kept in the copy."""
    with Simulator(World(SMALL), Quirks(snapshots=snapshots)) as simulator:
        assert sync(simulator, tmp_path, details="none").strategy == expected
        assert ask(tmp_path, "select has_snapshots, has_counts, reading from appliances") == [
            (snapshots, True, "literal")
        ]
        asked = simulator.requests.copy()
        sync(simulator, tmp_path, details="none", strategy="windows")
        # What it can do is not asked again, but whether it is the same firmware.
        assert {kind: simulator.requests[kind] - asked[kind] for kind in ("info", "snapshot", "histogram")} == {
            "info": 1,
            "snapshot": 0,
            "histogram": 0,
        }


def test_a_snapshot_that_is_wanted_and_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    """Exit code 2, and what to set instead."""
    with (
        Simulator(World(SMALL), Quirks(snapshots=False)) as simulator,
        pytest.raises(SettingsError, match=r"SPSETL_STRATEGY.*no snapshots"),
    ):
        sync(simulator, tmp_path, strategy="snapshot")


@pytest.mark.parametrize("quirk", ["", "snapshot_short_pages", "snapshot_empty_last_page"])
def test_a_snapshot_that_dies_again_and_again_loses_nothing(quirk: str, tmp_path: Path) -> None:
    """Short and empty pages, and a new snapshot every few pages, which shows what changed meanwhile."""
    world = World(WorldSpec(sessions=2500, days=30))
    quirks = Quirks(**({quirk: True} if quirk else {}))
    with Simulator(world, quirks) as simulator:
        pages: list[str] = []

        def drop_now_and_then(kind: str, _: str, params: Any) -> None:
            if kind == "list" and "snapshot" in params:
                pages.append(params["snapshot"])
                if len(pages) % 4 == 0:
                    simulator.drop_snapshot()

        simulator.on_request = drop_now_and_then
        report = sync(simulator, tmp_path, strategy="snapshot", details="none")
    assert len(set(pages)) > 1
    assert any("snapshot was lost" in warning for warning in report.warnings)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=())


def test_slow_loading_does_not_starve_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each merge takes longer than a snapshot lives: those that read on open another."""
    world = World(WorldSpec(sessions=3_000, days=30))
    merge = phases._merge_windows
    with Simulator(world) as simulator:

        def slowly(*arguments: Any) -> None:
            simulator.advance_clock(301)
            merge(*arguments)

        monkeypatch.setattr(phases, "_merge_windows", slowly)
        monkeypatch.setattr(phases, "MOST_LISTED", 1)
        report = sync(simulator, tmp_path, strategy="snapshot", details="none", concurrency=2)
    assert report.sessions_new == 3_000
    assert sorted(key for (key,) in ask(tmp_path, "select session_key from sessions")) == sorted(world.keys())


def hold_snapshot(simulator: Simulator) -> None:
    """Another program takes the appliance's only snapshot."""
    quirks = simulator.quirks
    simulator.snapshots.open(("somebody", "192.0.2.1", "else"))
    assert quirks.snapshots


def test_while_another_program_holds_the_snapshot_windows_are_read(tmp_path: Path) -> None:
    """429: the copy is as complete, and the report says why."""
    world = World(FEW)
    with Simulator(world) as simulator:
        hold_snapshot(simulator)
        report = sync(simulator, tmp_path, strategy="snapshot")
    assert any("held by another program" in warning for warning in report.warnings)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_or_it_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As SPSETL_SNAPSHOT_BUSY says: until the other program's snapshot has died."""
    world = World(SMALL)
    monkeypatch.setattr("spsetl.extract.snapshot.WAIT_SECONDS", 0.0)
    asked: list[str] = []

    def let_time_pass(kind: str, path: str, params: Any) -> None:
        asked.append(kind)
        if kind == "snapshot" and asked.count("snapshot") == 4:
            simulator.advance_clock(301)

    with Simulator(world) as simulator:
        hold_snapshot(simulator)
        simulator.on_request = let_time_pass
        report = sync(simulator, tmp_path, strategy="snapshot", snapshot_busy="wait", details="none", concurrency=1)
    assert report.requests["snapshot"] == 4
    assert not any("held by" in warning for warning in report.warnings)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=())


def test_a_snapshot_that_never_comes_free_is_an_error(tmp_path: Path) -> None:
    """With SPSETL_SNAPSHOT_BUSY=wait, after an hour; nothing is published."""
    with Simulator(World(SMALL)) as simulator:
        hold_snapshot(simulator)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("spsetl.extract.snapshot.WAIT_SECONDS", 0.0)
            with pytest.raises(RateLimitError, match="SPSETL_SNAPSHOT_BUSY"):
                sync(simulator, tmp_path, strategy="snapshot", snapshot_busy="wait")
    assert not (tmp_path / "warehouse.duckdb").exists()
