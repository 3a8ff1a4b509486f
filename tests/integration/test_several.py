"""Several appliances in one warehouse, details by choice, and what an analyst can tell from the statuses."""

from pathlib import Path
from typing import Any

import pytest

from spsetl.runs import exit_code_of
from spsetl.settings import load_appliances
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_each, run_sync
from tests.oracle import assert_equal_copy
from tests.syncing import FEW, NAME, SMALL, ask, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

OTHER = WorldSpec(sessions=60, days=6, seed=7)


def write_settings(path: Path, sections: dict[str, Simulator]) -> Path:
    """A spsetl.toml with a section for each appliance."""
    lines = ['username = "audit"', f'data_dir = "{path}"']
    for name, simulator in sections.items():
        lines += [f"[appliances.{name}]", f'url = "{simulator.url}"', f'password = "{simulator.password}"']
    file = path / "spsetl.toml"
    file.write_text("\n".join(lines))
    return file


def test_two_appliances_share_a_warehouse(tmp_path: Path) -> None:
    """Each has its own sessions, also where their keys are the same."""
    worlds = {"east": World(FEW), "west": World(OTHER)}
    shared = worlds["east"].keys()[9]
    worlds["west"].add(key=shared)
    with Simulator(worlds["east"]) as east, Simulator(worlds["west"]) as west:
        file = write_settings(tmp_path, {"east": east, "west": west})
        for _ in range(2):
            done = run_each(load_appliances(file=file, environ={}), run, complain=fail)
            assert exit_code_of(done) == 0
        assert [one.sessions_new for one in done if not one.error] == [0, 0]
        for name, world in worlds.items():
            assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=name)


def run(settings: Any) -> Any:
    """One sync."""
    return run_sync(settings, runner=ThreadRunner())


def fail(message: str) -> None:
    """Nothing goes wrong here."""
    raise AssertionError(message)


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is named with its error, and the exit code is its own."""
    worlds = {"east": World(SMALL), "west": World(OTHER)}
    complaints: list[str] = []
    with Simulator(worlds["east"], Quirks(search_right=False)) as east, Simulator(worlds["west"]) as west:
        file = write_settings(tmp_path, {"east": east, "west": west})
        done = run_each(load_appliances(file=file, environ={}), run, complain=complaints.append)
        assert_equal_copy(worlds["west"], tmp_path / "warehouse.duckdb", appliance="west")
    assert exit_code_of(done) == 4
    assert [one.error is None for one in done] == [False, True]
    assert len(complaints) == 1
    assert complaints[0].startswith("east: ")


def test_downloads_and_indexing_are_fetched_where_they_are_wanted(tmp_path: Path) -> None:
    """Who downloaded which recording, when, from where; and how its indexing went."""
    world = World(FEW)
    kinds = ("channels", "events", "alerts", "trail_downloads", "indexing")
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details=",".join(kinds))
        assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=kinds)
        report = sync(simulator, tmp_path, details=",".join(kinds))
    assert not {"channels", "trail_downloads", "indexing"} & report.requests.keys()
    assert ask(
        tmp_path, "select count(*) > 0, bool_and(username is not null and time is not null) from trail_downloads"
    ) == [(True, True)]
    assert ask(tmp_path, "select distinct status from indexing where status = 'COMPLETED'") == [("COMPLETED",)]
    # A session without a recording has no state of indexing: the appliance says so with a 404.
    statuses = {status for (status,) in ask(tmp_path, "select distinct indexing_status from session_details")}
    assert statuses == {"fetched", "gone"}


def test_a_kind_that_is_wanted_later_is_fetched_for_all(tmp_path: Path) -> None:
    """And until then it says that nobody asked for it, which is not the same as none."""
    world = World(FEW)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="channels")
        assert ask(tmp_path, "select distinct channels_status, alerts_status from session_details") == [
            ("fetched", "not_requested")
        ]
        events = {status for (status,) in ask(tmp_path, "select distinct events_status from session_details")}
        assert events == {"not_requested", "not_indexed"}
        report = sync(simulator, tmp_path)
        assert report.requests["alerts"] >= 100
        assert "channels" not in report.requests
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


@pytest.mark.parametrize("endpoint", ["trail_downloads", "indexing"])
def test_an_appliance_without_that_page_is_no_failure(endpoint: str, tmp_path: Path) -> None:
    """Older versions answer 404 for all sessions: the others of their details are there."""
    world = World(WorldSpec(sessions=40, days=4))
    with Simulator(world, Quirks(**{endpoint: False})) as simulator:  # type: ignore[arg-type]
        report = sync(simulator, tmp_path, details=f"channels,{endpoint}")
    assert report.is_complete
    assert ask(tmp_path, f"select distinct channels_status, {endpoint}_status from session_details") == [
        ("fetched", "gone")
    ]
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=["channels"])
