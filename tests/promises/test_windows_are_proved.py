"""A window counts as read only when the appliance's own count says so; what is gone, only where that was proved."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.syncing import ask, forget_snapshot, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

SPEC = WorldSpec(sessions=60, days=3)


@pytest.mark.parametrize("strategy", ["windows", "snapshot"])
def test_a_list_that_ends_early_is_not_called_equal(strategy: str, tmp_path: Path) -> None:
    """The newest sessions are counted and not listed: that is told, in every kind of walk."""
    with Simulator(World(SPEC), Quirks(unlisted_newest=7)) as simulator:
        report = sync(simulator, tmp_path, strategy=strategy)

    assert not report.is_complete
    assert ("differs",) in ask(tmp_path, "select verdict from sync_windows")
    assert any("53 sessions were listed, the appliance counts 60" in line for line in report.warnings)


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(counts=False, date_ranges=False)], ids=["counted", "uncounted"])
@pytest.mark.parametrize("strategy", ["windows", "snapshot"])
def test_what_a_short_list_lacks_is_not_marked_as_gone(strategy: str, quirks: Quirks, tmp_path: Path) -> None:
    """It is there: the count says so, and where there is none, the session itself."""
    world = World(SPEC)
    with Simulator(world, quirks) as simulator:
        sync(simulator, tmp_path, strategy=strategy)
    with Simulator(world, replace(quirks, unlisted_newest=9)) as simulator:
        report = sync(simulator, tmp_path, strategy=strategy, most_missing=100)

    assert report.sessions_missing == 0
    assert ask(tmp_path, "select count(*) from sessions where missing_since is not null") == [(0,)]


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(counts=False, date_ranges=False)], ids=["counted", "uncounted"])
def test_what_is_really_gone_is_marked(quirks: Quirks, tmp_path: Path) -> None:
    """Also in the newest window, and where the appliance has no count."""
    world = World(SPEC)
    with Simulator(world, quirks) as simulator:
        sync(simulator, tmp_path)
        forget_snapshot(simulator)
        gone = [world.keys()[3], world.keys()[-2]]
        for key in gone:
            world.delete(key)
        report = sync(simulator, tmp_path)

    assert report.is_complete
    assert ask(tmp_path, "select session_key from sessions where missing_since is not null order by 1") == sorted(
        (key,) for key in gone
    )


def test_sessions_without_a_start_are_told(tmp_path: Path) -> None:
    """No window can list them; the unfiltered count knows of them."""
    world = World(SPEC)
    with Simulator(world, Quirks(without_start=4)) as simulator:
        report = sync(simulator, tmp_path)

    assert not report.is_complete
    assert report.source_sessions == 64
    assert any("4 sessions" in line and "start_time" in line for line in report.warnings)
    assert ask(tmp_path, "select source_sessions from sync_runs") == [(64,)]


def test_a_quiet_night_costs_one_count_of_all(tmp_path: Path) -> None:
    """And says nothing."""
    with Simulator(World(SPEC)) as simulator:
        sync(simulator, tmp_path)
        forget_snapshot(simulator)
        report = sync(simulator, tmp_path)

    assert report.is_complete
    assert report.warnings == []
    assert report.source_sessions == 60


def test_sessions_that_arrive_meanwhile_are_no_difference(tmp_path: Path) -> None:
    """They started after the reading began; the next night has them."""
    world = World(WorldSpec(sessions=30, days=3, now=datetime.now(UTC)))
    with Simulator(world) as simulator:
        simulator.on_request = lambda *_: world.add(start_time=datetime.now(UTC)) and None
        report = sync(simulator, tmp_path)

    assert report.windows_differing == 0


def test_a_key_that_is_listed_twice_is_one_session(tmp_path: Path) -> None:
    """The first publish is not held up by it."""
    world = World(SPEC)
    twice = world.keys()[5]
    world.list_twice(twice, world.session(world.keys()[50])["body"]["start_time"])
    with (
        Simulator(world) as simulator,
        patch("spsetl.extract.plan.SMALLEST_WINDOW", 10),
        patch("spsetl.extract.plan.LARGEST_WINDOW", 20),
    ):
        report = sync(simulator, tmp_path, strategy="windows")
        assert report.published
        assert ask(tmp_path, "select count(*) > 2 from sync_windows") == [(True,)]
        assert ask(tmp_path, "select count(*), count(distinct session_key) from sessions") == [(60, 60)]
        report = sync(simulator, tmp_path, strategy="windows")

    assert report.published
    assert report.is_complete
