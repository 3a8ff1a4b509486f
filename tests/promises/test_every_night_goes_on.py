"""No ordinary night stops the copy for ever: clean-up, odd times, a wrong clock, kills, an appliance's own `q`."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest

from spsetl.errors import IncompleteError, UnsplittableError, VanishedError
from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_reconcile
from spsetl.sync.rebuild import run_rebuild
from spsetl.sync.status import fetch_state
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, all_rows, ask, settings_for, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

EACH_PROTOCOL = ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql")


def pass_nights(simulator: Simulator, nights: int, *, keeps: timedelta) -> None:
    """So many nights, after each of which the appliance removes what is older."""
    for _ in range(nights):
        simulator.advance_night()
    oldest = simulator.world.now - keeps
    for key in list(simulator.world):
        if datetime.fromisoformat(simulator.world.session(key)["body"]["start_time"]) < oldest:
            simulator.world.delete(key)


@pytest.mark.parametrize("may_read_policies", [True, False])
@pytest.mark.parametrize(("days", "nights_off", "each_day"), [(7, 1, 100), (30, 5, 50)])
def test_ordinary_clean_up_is_no_alarm(
    may_read_policies: bool, days: int, nights_off: int, each_day: int, tmp_path: Path
) -> None:
    """What is older than the appliance keeps is expected to go, whether its options can be read or not."""
    world = World(WorldSpec(sessions=each_day * days, days=days, deleted_per_night=0.0, late=0.0))
    for protocol in EACH_PROTOCOL:
        world.policies.put(
            protocol, "options", "options", {"channel_database_cleanup": {"enabled": True, "days": days}}
        )
    with Simulator(world, Quirks(configuration_right=may_read_policies)) as simulator:
        sync(simulator, tmp_path, details="none")
        for _ in range(3):
            pass_nights(simulator, nights_off, keeps=timedelta(days=days))
            report = sync(simulator, tmp_path, details="none")
            assert report.published
            assert report.sessions_missing > 20


def test_a_refusal_fetches_details_first_and_is_told_again(tmp_path: Path) -> None:
    """What is new gets its details though the drop is refused; each night says the same; once accepted, it is over."""
    world = World(WorldSpec(sessions=120, days=10, late=0.0))
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="channels")
        for key in world.keys()[30:110]:
            world.delete(key)
        for _ in range(2):
            simulator.advance_clock(1000)
            world.add()
            before = simulator.requests["channels"]
            with pytest.raises(VanishedError, match="run once spsetl sync --accept-missing"):
                sync(simulator, tmp_path, details="channels")
            assert simulator.requests["channels"] == before + 1
        simulator.advance_clock(1000)
        assert sync(simulator, tmp_path, details="channels", accept_missing=True).published
        simulator.advance_clock(1000)
        assert sync(simulator, tmp_path, details="channels").published


def test_a_login_that_ends_before_the_info_page_is_made_anew(tmp_path: Path) -> None:
    """That page answers strangers, too, but without the firmware's version."""
    with Simulator(World(WorldSpec(sessions=5, days=1))) as simulator:
        sync(simulator, tmp_path)
        ended: list[str] = []

        def end_login(kind: str, path: str, _: object) -> None:
            if kind == "info" and not ended:
                ended.append(path)
                simulator.end_logins()

        simulator.on_request = end_login
        assert sync(simulator, tmp_path).published
    assert ended


@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_session_at_an_end_of_time_stops_nothing(start: str, tmp_path: Path) -> None:
    """The histogram refuses so many days: months do, or none at all; and days are compared in pieces."""
    world = World(WorldSpec(sessions=80, days=5))
    world.add(start_time=start)
    with (
        Simulator(world, Quirks(bin_limit=400)) as simulator,
        patch("spsetl.extract.plan.SMALLEST_WINDOW", 10),
        patch("spsetl.extract.plan.LARGEST_WINDOW", 20),
    ):
        report = sync(simulator, tmp_path, details=[])
        assert report.is_complete
        assert ask(tmp_path, "select count(*) > 3 from sync_windows") == [(True,)]
        compared = run_reconcile(settings_for(simulator, tmp_path), runner=ThreadRunner())
    assert compared.is_complete
    assert ask(tmp_path, "select count(*) from sessions") == [(81,)]


def test_seven_years_of_days_are_planned(tmp_path: Path) -> None:
    """The first sync of an old appliance."""
    world = World(WorldSpec(sessions=200, days=7 * 365))
    with (
        Simulator(world, Quirks(bin_limit=1000)) as simulator,
        patch("spsetl.extract.plan.SMALLEST_WINDOW", 20),
        patch("spsetl.extract.plan.LARGEST_WINDOW", 40),
    ):
        assert sync(simulator, tmp_path, details="none").is_complete
        compared = run_reconcile(settings_for(simulator, tmp_path, details="none"), runner=ThreadRunner())
        assert compared.is_complete
        assert simulator.requests["histogram"] < 12
    assert ask(tmp_path, "select count(*) > 4 from sync_windows where kind = 'list'") == [(True,)]


@pytest.mark.parametrize("histogram", [True, False])
def test_a_copy_that_was_nearly_empty_plans_by_the_appliance(histogram: bool, tmp_path: Path) -> None:
    """A right that was granted later brings thousands of sessions at once: in windows, not in one."""
    world = World(WorldSpec(sessions=5, days=2, late=0.0))
    quirks = Quirks(histogram=histogram)
    with (
        Simulator(world, quirks) as simulator,
        patch("spsetl.extract.plan.SMALLEST_WINDOW", 40),
        patch("spsetl.extract.plan.LARGEST_WINDOW", 100),
        patch("spsetl.sync.planning.SMALLEST_WINDOW", 40),
        patch("spsetl.sync.planning.LARGEST_WINDOW", 100),
        patch("spsetl.sync.planning.SWEEP_WINDOW", 100),
    ):
        sync(simulator, tmp_path, details="none")
        for day in range(40):
            world.add_many(20, start_time=world.now - timedelta(hours=30 * day + 1))
        report = sync(simulator, tmp_path, details="none")
        assert report.sessions_new == 800
        largest = ask(
            tmp_path,
            "select max(distinct_keys) from sync_windows where run_id = (select max(run_id) from sync_windows)",
        )
        assert largest[0][0] <= 200
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, kinds=())


def shift_clock(folder: Path, by: timedelta) -> None:
    """The copy as a run would have left it whose clock was ahead."""
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb")) as connection:
        for table in ("sessions", "channels", "events", "alerts", "session_lists", "session_scores"):
            connection.execute(f"update {table} set extracted_at = extracted_at + ?", [by])
        connection.execute("update sync_windows set finished_at = finished_at + ?", [by])
        connection.execute(
            "update sync_runs set started_at = started_at + $by, finished_at = finished_at + $by, "
            "watermark = watermark + $by, ordered_at = ordered_at + $by",
            {"by": by},
        )


def test_one_run_under_a_clock_set_ahead_disarms_nothing(tmp_path: Path) -> None:
    """The next night looks at everything again, sees what changed and what is gone, and the guard still guards."""
    world = World(WorldSpec(sessions=90, days=5))
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        shift_clock(tmp_path, timedelta(days=4000))
        world.change(world.keys()[3], {"user.name": "changed"})
        gone = world.keys()[4]
        world.delete(gone)
        world.add(start_time=world.now - timedelta(days=3))
        simulator.advance_clock(1000)
        report = sync(simulator, tmp_path)
        assert (report.sessions_new, report.sessions_changed, report.sessions_missing) == (1, 1, 1)
        assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone={gone})
        world.change(world.keys()[3], {"user.name": "changed again"})
        simulator.advance_clock(1000)
        assert sync(simulator, tmp_path).sessions_changed == 1
        for key in world.keys()[5:60]:
            world.delete(key)
        simulator.advance_clock(1000)
        with pytest.raises(VanishedError):
            sync(simulator, tmp_path)


@pytest.mark.parametrize("strategy", ["windows", "snapshot"])
@pytest.mark.parametrize("off", [timedelta(days=400), timedelta(days=-400), timedelta(hours=30)])
def test_under_a_wrong_clock_what_is_gone_is_seen_by_the_appliances(
    off: timedelta, strategy: str, tmp_path: Path
) -> None:
    """Ours is so far off, the appliance says what time it is: its count proves the newest sessions, too."""
    world = World(WorldSpec(sessions=90, days=5, late=0.0, now=datetime.now(UTC) - off))
    with Simulator(world, Quirks(clock_offset=-off.total_seconds())) as simulator:
        sync(simulator, tmp_path, strategy=strategy)
        gone = {world.keys()[40], world.keys()[-2]}
        for key in gone:
            world.delete(key)
        simulator.advance_clock(1000)
        assert sync(simulator, tmp_path, strategy=strategy).sessions_missing == len(gone)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=gone)


def test_a_sync_from_the_future_is_stale(tmp_path: Path) -> None:
    """`status --max-age` does not take a negative age for a fresh one."""
    with Simulator(World(WorldSpec(sessions=10, days=2))) as simulator:
        sync(simulator, tmp_path, details="none")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("update sync_runs set finished_at = finished_at + interval 4000 day")

    assert len(fetch_state(tmp_path).stale(26)) == 1


def test_what_killed_runs_have_read_is_swept_before_done_is_said(tmp_path: Path) -> None:
    """The world moves on while a first sync is killed again and again; what is there at the end is in the copy."""
    world = World(WorldSpec(sessions=600, days=10))
    with (
        Simulator(world) as simulator,
        patch("spsetl.extract.plan.SMALLEST_WINDOW", 20),
        patch("spsetl.extract.plan.LARGEST_WINDOW", 40),
    ):
        for kill in range(4):
            lists = Counter[str]()

            def cut(kind: str, *_: object, lists: Counter[str] = lists) -> Fault | None:
                lists[kind] += 1
                return Fault.UNAVAILABLE if lists["list"] > 5 else None

            simulator.on_request = cut
            with pytest.raises(Exception, match="busy or restarting"):
                sync(simulator, tmp_path, strategy="windows", concurrency=1, details="none")
            simulator.on_request = None
            keys = world.keys()
            world.change(keys[kill], {"user.name": f"later {kill}"})
            world.delete(keys[20 + kill])
            started = world.session(keys[40])["body"]["start_time"]
            world.add(start_time=started, creation_time=world.now)
        report = sync(simulator, tmp_path, strategy="windows", sweep_requests=1, details="none")
        assert report.published
    gone = {key for (key,) in ask(tmp_path, "select session_key from sessions where missing_since is not null")}
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=gone, kinds=())


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(bare_star=False),
        Quirks(matching_all=False),
        Quirks(bare_star=False, matching_all=False),
    ],
    ids=["no *", "no *:*", "neither"],
)
def test_another_spelling_of_everything_is_tried(quirks: Quirks, tmp_path: Path) -> None:
    """A burst of more than one answer holds is told apart, whatever the appliance takes for every session."""
    world = World(WorldSpec(sessions=20, days=2, burst=160))
    with (
        Simulator(world, replace(quirks, result_limit=100, page_limit=25, snapshots=False)) as simulator,
        patch("spsetl.extract.windows.RESULT_CAP", 100),
        patch("spsetl.extract.windows.PAGE_LIMIT", 25),
    ):
        assert sync(simulator, tmp_path, details=[]).is_complete
    assert ask(tmp_path, "select count(*) from sessions") == [(180,)]


def test_where_no_spelling_is_understood_that_is_told(tmp_path: Path) -> None:
    """Exit code 3, in words; no usage error of ours."""
    world = World(WorldSpec(sessions=20, days=2, burst=160))
    quirks = Quirks(
        bare_star=False,
        matching_all=False,
        date_ranges=False,
        bare_not=False,
        result_limit=100,
        page_limit=25,
        snapshots=False,
    )
    with (
        Simulator(world, quirks) as simulator,
        patch("spsetl.extract.windows.RESULT_CAP", 100),
        patch("spsetl.extract.windows.PAGE_LIMIT", 25),
        pytest.raises(UnsplittableError, match="understands no query for all of them") as told,
    ):
        sync(simulator, tmp_path, details=[])
    assert isinstance(told.value, IncompleteError)
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_a_revision_that_goes_back_is_seen(tmp_path: Path) -> None:
    """A restore: the copy shows what the source says now, the lake keeps what it said, and a rebuild agrees."""
    world = World(WorldSpec(sessions=30, days=3))
    key = world.keys()[7]
    with Simulator(world) as simulator:
        old = world.find(key)
        world.change(key, {"user.name": "before the restore"})
        world.change(key, {"user.name": "just before it"})
        sync(simulator, tmp_path)
        with world.lock:
            world.put(old)
        simulator.advance_clock(1000)
        report = sync(simulator, tmp_path)
        assert report.sessions_changed == 1
        assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)
        before = all_rows(tmp_path)
        run_rebuild(settings_for(simulator, tmp_path))
        assert all_rows(tmp_path) == before
