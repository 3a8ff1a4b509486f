"""What happens at the source after a session was fetched is found, however old the session is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from spsetl.errors import VanishedError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.oracle import assert_equal_copy
from tests.syncing import FEW, NAME, SMALL, all_rows, ask, forget_snapshot, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

strategies = pytest.mark.parametrize("strategy", ["windows", "snapshot"])


@strategies
@pytest.mark.parametrize("revision_by_name", [True, False])
def test_old_sessions_that_changed_arrived_or_vanished_are_found(
    strategy: str, revision_by_name: bool, tmp_path: Path
) -> None:
    """Far beyond the look-back: a new score, a late arrival, a reopened one, a deleted one."""
    world = World(FEW)
    oldest = world.keys()
    with Simulator(world, Quirks(revision_by_name=revision_by_name)) as simulator:
        sync(simulator, tmp_path, strategy=strategy)
        world.change(oldest[3], {"analytics.score.aggregated": 99})
        world.change(oldest[4], {"end_time": None, "active": True})
        world.change(oldest[5], {"recording.archived": True, "recording.archive.server": "nas.example.com"})
        late = world.add(start_time=world.session(oldest[6])["body"]["start_time"], creation_time=world.now)
        world.delete(oldest[7])
        forget_snapshot(simulator)
        report = sync(simulator, tmp_path, strategy=strategy)
    assert late in world
    assert (report.sessions_new, report.sessions_changed, report.sessions_missing) == (1, 3, 1)
    assert report.requests["channels"] == 4
    told: dict[str, Any] = {} if revision_by_name else {"told": without_revision}
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=[oldest[7]], **told)


def without_revision(row: dict[str, Any]) -> dict[str, Any]:
    """As an appliance tells it whose list hides the revision."""
    return row | {"revision": None} if "revision" in row else row


@strategies
def test_a_session_that_returns_is_there_again(strategy: str, tmp_path: Path) -> None:
    """Marked while it is gone, kept as it was, and no longer marked when the appliance shows it again."""
    world = World(FEW)
    key = world.keys()[50]
    document = world.session(key)["body"]
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, strategy=strategy)
        world.delete(key)
        for _ in range(2):
            forget_snapshot(simulator)
            report = sync(simulator, tmp_path, strategy=strategy)
            assert ask(tmp_path, "select session_key from sessions where missing_since is not null") == [(key,)]
        assert report.sessions_missing == 0
        world.add(key=key, start_time=document["start_time"])
        forget_snapshot(simulator)
        report = sync(simulator, tmp_path, strategy=strategy)
    assert (report.sessions_new, report.sessions_changed) == (0, 1)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_a_drop_that_cannot_be_believed_stops_before_publishing(tmp_path: Path) -> None:
    """As when a right was lost; the published file stays until it is accepted, or the sessions are back."""
    world = World(SMALL)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        published = (tmp_path / "warehouse.duckdb").read_bytes()
        lost = world.keys()[:60]
        for key in lost:
            world.delete(key)
        for _ in range(2):
            with pytest.raises(VanishedError, match=r"57 of 237 sessions are gone.*--accept-missing"):
                sync(simulator, tmp_path, details="none")
            assert (tmp_path / "warehouse.duckdb").read_bytes() == published
        assert sync(simulator, tmp_path, details="none", most_missing=50).published
        assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=lost, kinds=())
        more = world.keys()[:60]
        for key in more:
            world.delete(key)
        with pytest.raises(VanishedError):
            sync(simulator, tmp_path, details="none")
        sync(simulator, tmp_path, details="none", accept_missing=True)
        assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=[*lost, *more], kinds=())
        assert sync(simulator, tmp_path, details="none").published


def test_sessions_that_were_hidden_for_one_night_are_no_drop_when_they_are_back(tmp_path: Path) -> None:
    """The sync that was stopped does not make the next one believe that it has read those windows."""
    world = World(SMALL)
    hidden = set(world.keys()[:100])
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        documents = {key: world.session(key)["body"]["start_time"] for key in hidden}
        for key in hidden:
            world.delete(key)
        with pytest.raises(VanishedError):
            sync(simulator, tmp_path, details="none")
        for key, start in documents.items():
            world.add(key=key, start_time=start)
        report = sync(simulator, tmp_path, details="none")
    assert report.sessions_changed == 100
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=())


def test_where_a_night_cannot_sweep_all_open_sessions_are_looked_at_and_the_rest_in_turn(tmp_path: Path) -> None:
    """Everything is seen within SPSETL_SWEEP_DAYS, and what can change by itself each night."""
    world = World(WorldSpec(sessions=1200, days=60, late=0))
    old = world.keys()[:300]
    still_active = old[10]
    world.change(still_active, {"end_time": None, "active": True})
    with Simulator(world) as simulator:
        with_few = {"strategy": "windows", "sweep_requests": 0, "sweep_days": 4, "details": "none"}
        # Windows of a hundred sessions, so that one night is a part of them.
        sync_in_parts(simulator, tmp_path, **with_few)
        for number, key in enumerate(old[20:200:9]):
            world.change(key, {"analytics.score.aggregated": number})
        world.change(still_active, {"user.name": "somebody else"})
        report = sync_in_parts(simulator, tmp_path, **with_few)
        assert ask(tmp_path, f"select user_name from sessions where session_key = '{still_active}'") == [
            ("somebody else",)
        ]
        assert ask(tmp_path, "select count(*) from sync_windows where kind = 'open'") != [(0,)]
        nights = 1
        while report.sessions_changed or nights < 4:
            report = sync_in_parts(simulator, tmp_path, **with_few)
            nights += 1
        assert nights <= 5
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=())


def sync_in_parts(simulator: Simulator, folder: Path, **more: object) -> Any:
    """A sync whose sweep is cut into windows of a hundred sessions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spsetl.sync.planning.SWEEP_WINDOW", 100)
        return sync(simulator, folder, **more)


@strategies
def test_a_night_without_change_asks_for_keys_and_revisions_alone(strategy: str, tmp_path: Path) -> None:
    """One page for each 500 sessions, no details, and no row differs after it."""
    world = World(WorldSpec(sessions=600, days=30))
    with Simulator(world) as simulator:
        first = sync(simulator, tmp_path, strategy=strategy, details="channels")
        before = all_rows(tmp_path)
        forget_snapshot(simulator)
        fields: list[str] = []
        simulator.on_request = lambda kind, _, params: fields.append(params["fields"]) if kind == "list" else None
        report = sync(simulator, tmp_path, strategy=strategy, details="channels")
    assert "channels" not in report.requests
    assert sum("*" in one for one in fields) <= 3
    assert report.requests["list"] <= 600 / 500 + 4
    # The configuration is read whole each night: 28 requests, however many sessions there are.
    assert sum(report.requests.values()) - report.requests["configuration"] < 0.02 * sum(first.requests.values())
    assert all_rows(tmp_path) == before


def test_one_changed_session_costs_one_page_more_and_its_own_details(tmp_path: Path) -> None:
    """Nothing else is read whole."""
    world = World(WorldSpec(sessions=600, days=30))
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, strategy="windows", details="channels")
        unchanged = sync(simulator, tmp_path, strategy="windows", details="channels")
        world.change(world.keys()[400], {"user.name": "other"})
        report = sync(simulator, tmp_path, strategy="windows", details="channels")
    assert report.requests["list"] == unchanged.requests["list"] + 1
    assert (report.sessions_changed, report.requests["channels"]) == (1, 1)


def test_a_session_without_a_revision_among_others_is_read_whole(tmp_path: Path) -> None:
    """What cannot be compared is not taken for unchanged."""
    world = World(SMALL)
    key = world.keys()[7]
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, strategy="windows", details="none")
        world.change(key, {"start_time": world.session(key)["body"]["start_time"], "user.name": "x"}, revision=False)
        report = sync(simulator, tmp_path, strategy="windows", details="none")
        # Without a new revision the sweep cannot see it; within the look-back the content tells.
        assert report.sessions_changed == 0
        report = sync(simulator, tmp_path, strategy="windows", details="none", lookback=24 * 365)
    assert report.sessions_changed == 1
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=())


def test_time_passes_for_the_world_and_the_copy_follows(tmp_path: Path) -> None:
    """Three nights with arrivals, endings, indexing, scores and clean-up."""
    world = World(FEW)
    seen = set(world.keys())
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        for _ in range(3):
            world.advance(timedelta(hours=12))
            seen |= set(world.keys())
            simulator.advance_night()
            seen |= set(world.keys())
            forget_snapshot(simulator)
            sync(simulator, tmp_path)
            known = {key for (key,) in ask(tmp_path, "select session_key from sessions")}
            gone = known - set(world.keys())
            assert gone <= seen
            assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=gone)
        assert simulator.repeated_details == {}
