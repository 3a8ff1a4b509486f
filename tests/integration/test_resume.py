"""A run that was stopped is gone on with: nothing that was finished is asked for again."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl.errors import ApplianceError
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_backfill, run_sync
from tests.oracle import assert_equal_copy
from tests.syncing import FEW, NAME, SMALL, ask, settings_for, sync

pytestmark = pytest.mark.usefixtures("without_waiting", "small_windows")

WIDE = WorldSpec(sessions=1040, days=30)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small world is cut into windows as a large one is."""
    monkeypatch.setattr("spsetl.extract.plan.SMALLEST_WINDOW", 250)


class Killed(BaseException):
    """The process dies here, as far as it can be told from inside."""


class DyingRunner(ThreadRunner):
    """Dies after so many results of all steps together, which are merged before."""

    def __init__(self, results: int) -> None:
        self.left = results

    def map(
        self,
        name: str,
        step: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        workers: int,
        stop: Callable[[], None],
    ) -> Iterator[Any]:
        """See ThreadRunner."""
        for result in super().map(name, step, items, workers=workers, stop=stop):
            if self.left == 0:
                raise Killed
            self.left -= 1
            yield result


def asked_lists(simulator: Simulator) -> list[str]:
    """The `start` of each request for whole sessions from now on."""
    starts: list[str] = []

    def note(kind: str, _: str, params: Any) -> None:
        if kind == "list" and params.get("fields", "").startswith("*,") and params.get("limit") == "500":
            starts.append(params["start"])

    simulator.on_request = note
    return starts


@pytest.mark.parametrize(("strategy", "finished"), [("windows", 0), ("windows", 2), ("snapshot", 3)])
def test_finished_windows_are_not_read_again(strategy: str, finished: int, tmp_path: Path) -> None:
    """The first sync dies after some windows: the second reads the others, and ends equal."""
    world = World(WIDE)
    more: dict[str, object] = {"strategy": strategy, "details": "none", "concurrency": 4}
    with Simulator(world) as simulator:
        with pytest.raises(Killed):
            run_sync(settings_for(simulator, tmp_path, **more), runner=DyingRunner(finished))
        done = finished_windows(tmp_path)
        assert len(done) == finished
        starts = asked_lists(simulator)
        report = sync(simulator, tmp_path, **more)
    for first, last in done:
        assert not [start for start in starts if first <= as_time(start) and (last is None or as_time(start) < last)]
    assert report.sessions_new == 1040 - kept(tmp_path, done)
    assert ask(tmp_path, "select status from sync_runs order by started_at") == [("killed",), ("done",)]
    assert_same_versions(world, tmp_path, world.keys())


def finished_windows(folder: Path) -> list[tuple[datetime, datetime | None]]:
    """What the work database says was read."""
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("select window_start, window_end from sync_windows order by all").fetchall()
    return [(start.replace(tzinfo=UTC), end and end.replace(tzinfo=UTC)) for start, end in rows]


def kept(folder: Path, done: list[tuple[datetime, datetime | None]]) -> int:
    """How many sessions of the copy lie in those windows."""
    starts = [start.replace(tzinfo=UTC) for (start,) in ask(folder, "select start_time from sessions")]
    return sum(any(first <= start and (last is None or start < last) for first, last in done) for start in starts)


def assert_same_versions(world: World, folder: Path, keys: list[str]) -> None:
    """The copy has each of these sessions once, with its revision, and no other."""
    found = ask(folder, "select session_key, revision from sessions where missing_since is null")
    assert sorted(found) == sorted((key, world.session(key)["body"]["revision"]) for key in keys)


def as_time(text: str) -> datetime:
    """A parameter of a request."""
    return datetime.fromisoformat(text)


def test_fetched_details_are_not_fetched_again(tmp_path: Path) -> None:
    """The sync dies amid the details; the next one asks for none of those that were merged."""
    world = World(WorldSpec(sessions=600, days=12))
    with Simulator(world) as simulator:
        settings = settings_for(simulator, tmp_path, concurrency=1)  # one window
        with pytest.raises(Killed):
            run_sync(settings, runner=DyingRunner(3))
        with duckdb.connect(str(tmp_path / "work" / "warehouse.duckdb"), read_only=True) as connection:
            done = connection.execute(
                "select count(*) from session_details where channels_status = 'fetched'"
            ).fetchall()
        assert done[0][0] >= 250
        report = sync(simulator, tmp_path)
    assert report.requests["channels"] == 600 - done[0][0]
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_a_sync_that_broke_off_is_compared_once_more(tmp_path: Path) -> None:
    """What it read is not read whole again, but what changed since is found."""
    world = World(WIDE)
    with Simulator(world) as simulator:
        settings = settings_for(simulator, tmp_path, strategy="windows", details="none", concurrency=4)
        with pytest.raises(Killed):
            run_sync(settings, runner=DyingRunner(4))
        (first, _), *_ = finished_windows(tmp_path)
        changed = next(k for k in world if as_time(world.session(k)["body"]["start_time"]) >= first)
        world.change(changed, {"user.name": "somebody else"})
        run_sync(settings, runner=ThreadRunner())
    assert_same_versions(world, tmp_path, world.keys())


def test_a_budget_leaves_details_for_the_next_sync(tmp_path: Path) -> None:
    """The list is read whole and published; what waits is told apart from what there is none of, and done later."""
    world = World(SMALL)
    with Simulator(world) as simulator:
        report = sync(simulator, tmp_path, max_requests=200)
        assert report.sessions_new == 240
        assert report.published
        assert 0 < report.details_pending < 240
        assert 200 <= sum(report.requests.values()) <= 200 + 8 * 3
        [(pending,)] = ask(tmp_path, "select count(*) from session_details where channels_status = 'pending'")
        assert 0 < pending <= report.details_pending
        [(newest_pending, oldest_fetched)] = ask(
            tmp_path,
            "select max(start_time) filter (channels_status = 'pending'), "
            "min(start_time) filter (channels_status = 'fetched') from session_details",
        )
        assert newest_pending <= oldest_fetched
        report = sync(simulator, tmp_path, max_minutes=10)
        assert report.details_pending == 0
        assert report.requests["channels"] == pending
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_no_time_left_is_no_details(tmp_path: Path) -> None:
    """The budget in minutes."""
    with Simulator(World(SMALL)) as simulator:
        report = sync(simulator, tmp_path, max_minutes=1e-9)
    assert (report.sessions_new, report.details_pending, report.requests["channels"]) == (240, 240, 0)


def test_a_backfill_reads_its_range_newest_first_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """With details; outside of the range nothing is touched; a sync afterwards reads only the rest."""
    world = World(WIDE)
    start, end = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    inside = [k for k in world if start <= as_time(world.session(k)["body"]["start_time"]) < end]
    with Simulator(world) as simulator:
        settings = settings_for(simulator, tmp_path, strategy="windows", details="none", concurrency=2)
        starts = asked_lists(simulator)
        with pytest.raises(Killed):
            run_backfill(settings, start=start, end=end, runner=DyingRunner(1))
        [(first, last)] = finished_windows(tmp_path)
        assert as_time(starts[0]) > start
        starts.clear()
        report = run_backfill(settings, start=start, end=end, runner=ThreadRunner())
        assert not [asked for asked in starts if first <= as_time(asked) and (last is None or as_time(asked) < last)]
        assert (report.sessions_new, report.published) == (len(inside) - kept(tmp_path, [(first, last)]), True)
        assert_same_versions(world, tmp_path, inside)
        report = run_sync(settings, runner=ThreadRunner())
        assert report.sessions_new == 1040 - len(inside)
    assert_same_versions(world, tmp_path, world.keys())


def test_a_failed_night_is_made_up_for(tmp_path: Path) -> None:
    """The appliance goes away amid a nightly sync: the next one ends equal, and the copy was never harmed."""
    world = World(FEW)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        published = (tmp_path / "warehouse.duckdb").read_bytes()
        before = set(world.keys())
        simulator.advance_night()
        simulator.on_request = lambda kind, *_: simulator.cut_power() if kind == "alerts" else None
        with pytest.raises(ApplianceError):
            sync(simulator, tmp_path)
        assert (tmp_path / "warehouse.duckdb").read_bytes() == published
        simulator.on_request = None
        simulator.restore_power()
        sync(simulator, tmp_path)
    gone = before - set(world.keys())
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=gone)


@pytest.mark.parametrize("size", [0, 4096, None])
def test_a_sync_that_was_killed_while_it_made_the_work_database(size: int | None, tmp_path: Path) -> None:
    """What it leaves has no tables, or not even all headers: the next one makes it anew."""
    work = tmp_path / "work" / "warehouse.duckdb"
    work.parent.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{work}' as work")
    if size is not None:
        os.truncate(work, size)
    world = World(FEW)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)
