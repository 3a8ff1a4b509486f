"""Details that cannot be fetched: of one session, of one kind, of all; for a night, and for ever."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from spsetl.appliance.client import Client
from spsetl.cli import run
from spsetl.errors import ApplianceError, BadAnswerError, RightsError, SpsetlError
from spsetl.extract.details import has_session
from spsetl.settings.access import Access
from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_backfill
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, ask, settings_for, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

FEW = WorldSpec(sessions=40, days=4)
KINDS = ("channels", "events", "alerts")
ALL_KINDS = (*KINDS, "trail_downloads", "indexing")


def nights_pass(folder: Path, days: float) -> None:
    """What was asked for in vain was asked for so much longer ago."""
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb")) as connection:
        connection.execute(
            "update detail_fetches set extracted_at = extracted_at - to_minutes($m)", {"m": round(days * 24 * 60)}
        )


def statuses(folder: Path, key: str) -> tuple[str, ...]:
    """How far the details of a session are: channels, events, alerts."""
    query = "select channels_status, events_status, alerts_status from session_details"
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        [found] = connection.execute(f"{query} where session_key = $key", {"key": key}).fetchall()
    return tuple(found)


def with_events(world: World) -> str:
    """An indexed session: one that is asked for all kinds."""
    indexed = [k for k in world if world.session(k)["body"].get("recording", {}).get("index_status") == "INDEXED"]
    return sorted(indexed)[len(indexed) // 2]


def client_of(simulator: Simulator) -> Client:
    """A client of it."""
    password = SecretStr(simulator.password)
    return Client(Access(url=simulator.url, appliance="sps", username=simulator.username, password=password))


def test_a_session_is_there_or_not() -> None:
    """By the appliance's own answer; a key that cannot be asked for is not said to have gone."""
    world = World(WorldSpec(sessions=5, days=1))
    keys = world.keys()
    with Simulator(world) as simulator, client_of(simulator) as client:
        assert all(has_session(client, key) for key in keys)
        assert not has_session(client, "nobody/knows it")
        assert simulator.requests["session"] == 6
        assert all(has_session(client, key) for key in ("", ".", ".."))
        assert simulator.requests["session"] == 6


@pytest.mark.parametrize("answer", [[], {"items": []}, {"key": "other", "body": {}}])
def test_another_page_is_no_session(answer: Any) -> None:
    """Neither there nor gone: an answer that is not understood."""

    class Odd:
        def get(self, _path: str, *, kind: str) -> Any:
            assert kind == "session"
            return answer

    with pytest.raises(BadAnswerError):
        has_session(Odd(), "key")  # type: ignore[arg-type]


# One session that fails


@pytest.mark.parametrize("poison", ["400", "403", "500", "unavailable", "html", "shape", "reset"])
def test_one_session_that_fails_stops_no_other(poison: Any, tmp_path: Path) -> None:
    """Its key is told, the rest is published; what fails is soon given up, and comes as soon as it can be had."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, poison, *KINDS)
        report = sync(simulator, tmp_path)
        assert (report.published, report.details_failed, report.is_complete) == (True, 1, False)
        assert [line for line in report.warnings if repr(key) in line]
        assert statuses(tmp_path, key) == ("pending",) * 3
        assert report.requests["channels"] < 40 + 20
        assert ask(tmp_path, "select count(*) from session_details where channels_status = 'fetched'") == [(39,)]
        assert ask(tmp_path, "select distinct session_key, tries from detail_failures") == [(key, 1)]
        simulator.cure(key, *KINDS)
        report = sync(simulator, tmp_path)
        assert (report.details_failed, report.details_pending, report.is_complete) == (0, 0, True)
        assert report.requests["channels"] == 1
    assert ask(tmp_path, "select count(*) from detail_failures") == [(0,)]
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


@pytest.mark.parametrize("key", ["..", "."])
def test_a_key_that_cannot_be_asked_for_is_one_failure(key: str, tmp_path: Path) -> None:
    """No request is made that would ask for something else."""
    world = World(FEW)
    world.add(key)
    with Simulator(world) as simulator:
        report = sync(simulator, tmp_path)
        assert (report.published, report.details_failed) == (True, 1)
        assert report.requests["channels"] == 40
    assert statuses(tmp_path, key)[0] == "pending"


def test_one_kind_that_fails_keeps_the_others(tmp_path: Path) -> None:
    """Only what was not given is asked for again."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, "500", "events")
        report = sync(simulator, tmp_path)
        assert report.details_failed == 1
        assert statuses(tmp_path, key) == ("fetched", "pending", "fetched")
        simulator.cure(key, "events")
        report = sync(simulator, tmp_path)
        assert (report.requests["channels"], report.requests["events"]) == (0, 1)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_a_page_that_fails_for_a_while_costs_no_page_before_it(tmp_path: Path) -> None:
    """Once the appliance is back, the rest is asked for, and nothing that it gave twice."""
    world = World(FEW)
    key = with_events(world)
    world.give_events(key, 12)
    with Simulator(world, Quirks(detail_limit=5)) as simulator:
        failed = 0

        def be_away(kind: str, path: str, params: Any) -> Fault | None:
            nonlocal failed
            if kind != "events" or f"/{key}/" not in path or params["offset"] != "5" or failed == 4:
                return None
            failed += 1
            return Fault.UNAVAILABLE

        simulator.on_request = be_away
        assert sync(simulator, tmp_path).is_complete
        assert (failed, simulator.repeated_details) == (4, {})
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_what_fails_is_asked_for_at_growing_distances(tmp_path: Path) -> None:
    """By the next run, then after 2, 4 and 7 nights; in between the copy is not complete, and says so."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, "403", *KINDS)
        asked = []
        for days in (0, 0, 0, 1, 1, 3, 1, 6, 1, 6, 1):
            nights_pass(tmp_path, days) if asked else None
            report = sync(simulator, tmp_path)
            assert (report.published, report.details_failed, report.is_complete) == (True, 1, False)
            asked.append(report.requests["alerts"] > 0)
        assert asked == [True, True, False, False, True, False, True, False, True, False, True]


def test_a_clock_that_was_ahead_delays_nothing(tmp_path: Path) -> None:
    """A try in the future is of a clock that was wrong."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, "403", *KINDS)
        for _ in range(3):
            sync(simulator, tmp_path)
        nights_pass(tmp_path, -1000)
        simulator.cure(key, *KINDS)
        assert sync(simulator, tmp_path).is_complete


def test_a_changed_session_and_a_backfill_wait_for_no_night(tmp_path: Path) -> None:
    """Another revision is asked for at once; and so is a range that somebody asks for."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, "403", *KINDS)
        for _ in range(3):
            report = sync(simulator, tmp_path, lookback=24 * 60)
        assert report.requests["channels"] == 0
        whole = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2030, 1, 1, tzinfo=UTC)}
        settings = settings_for(simulator, tmp_path, lookback=24 * 60)
        report = run_backfill(settings, **whole, runner=ThreadRunner())
        assert (report.requests["channels"], report.details_failed) == (1, 1)
        simulator.cure(key, *KINDS)
        world.change(key, {"user.name": "somebody else"})
        report = sync(simulator, tmp_path, lookback=24 * 60)
        assert (report.requests["channels"], report.is_complete) == (1, True)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_a_rebuild_remembers_what_fails(tmp_path: Path) -> None:
    """And what it has given up."""
    world = World(FEW)
    failing, gone = sorted(k for k in world)[:2]
    with Simulator(world) as simulator:
        simulator.poison(failing, "403", "alerts")
        simulator.poison(gone, "404", "alerts")
        for _ in range(5):
            sync(simulator, tmp_path)
            nights_pass(tmp_path, 30)
    failures = "select session_key, kind, status, error, tries, run_id from detail_failures order by all"
    before, state = ask(tmp_path, failures), statuses(tmp_path, gone)
    assert [row[:3] for row in before] == [(failing, "alerts", "failed")]
    assert state[2] == "gone"
    assert run(["rebuild", "--data-dir", str(tmp_path)]) == 0
    assert (ask(tmp_path, failures), statuses(tmp_path, gone)) == (before, state)


def test_the_command_tells_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """Exit code 3, numbers, and a key that can do nothing to a terminal; also in the tables and in status."""
    monkeypatch.chdir(tmp_path)
    world = World(FEW)
    key = world.add("\x1b[31mred\u202e")
    with Simulator(world) as simulator:
        simulator.poison(key, "500", *KINDS)
        for name, value in {"URL": simulator.url, "USERNAME": "audit", "PASSWORD": simulator.password}.items():
            monkeypatch.setenv(f"SPSETL_{name}", value)
        assert run(["sync", "--json"]) == 3
        told = capsys.readouterr()
        outcome = json.loads(told.out)
        assert (outcome["details_failed"], outcome["details_gone"], outcome["published"]) == (1, 0, True)
        assert [line for line in outcome["warnings"] if "'\\x1b[31mred\\u202e'" in line]
        assert told.err.isascii()
        assert "\x1b[31m" not in told.err
        assert run(["status", "--json"]) == 0
        [state] = json.loads(capsys.readouterr().out)["appliances"]
        assert state["sessions_with_failed_details"] == 1
    assert ask(tmp_path / "data", "select details_failed, details_gone from sync_runs") == [(1, 0)]


# 404


def test_a_404_of_one_kind_keeps_the_others_and_is_doubted(tmp_path: Path) -> None:
    """The session is there: its events are asked for again, and only after some nights it is believed that none are."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, "404", "events")
        report = sync(simulator, tmp_path)
        assert (report.details_failed, report.details_gone, report.published) == (1, 0, True)
        assert statuses(tmp_path, key) == ("fetched", "pending", "fetched")
        assert ask(tmp_path, f"select count(*) from channels where session_key = '{key}'")[0][0] > 0
        for _ in range(2):
            nights_pass(tmp_path, 7)
            assert not sync(simulator, tmp_path).is_complete
        nights_pass(tmp_path, 7)
        report = sync(simulator, tmp_path)
        assert (report.details_failed, report.details_gone, report.is_complete) == (0, 1, True)
        assert statuses(tmp_path, key) == ("fetched", "gone", "fetched")
        nights_pass(tmp_path, 7)
        assert sync(simulator, tmp_path).requests["events"] == 0


def test_a_404_of_the_session_is_believed_until_the_list_says_otherwise(tmp_path: Path) -> None:
    """What was fetched before it is kept; where the list still has the session later, it is asked once more."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:
        simulator.poison(key, "404", "events", "alerts", "session")
        report = sync(simulator, tmp_path)
        assert (report.details_failed, report.details_gone, report.is_complete) == (0, 2, True)
        assert statuses(tmp_path, key) == ("fetched", "gone", "gone")
        simulator.cure(key, "events", "alerts", "session")
        report = sync(simulator, tmp_path)
        assert (report.requests["events"], report.details_gone, report.is_complete) == (1, 0, True)
        assert statuses(tmp_path, key) == ("fetched",) * 3
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_a_session_that_went_is_not_asked_for_again(tmp_path: Path) -> None:
    """Once the list lacks it."""
    world = World(FEW)
    key = with_events(world)
    with Simulator(world) as simulator:

        def clean_up(kind: str, path: str, _params: Any) -> None:
            if kind == "events" and f"/{key}/" in path:
                world.delete(key)

        simulator.on_request = clean_up
        report = sync(simulator, tmp_path)
        assert (report.details_failed, report.details_gone, report.is_complete) == (0, 2, True)
        assert statuses(tmp_path, key) == ("fetched", "gone", "gone")
        simulator.on_request = None
        report = sync(simulator, tmp_path, lookback=24 * 60)
        assert (report.sessions_missing, report.requests["events"], report.is_complete) == (1, 0, True)


@pytest.mark.parametrize("also", [(), ("session",)], ids=["details", "and the sessions' own pages"])
def test_a_night_of_404s_heals_by_itself(also: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever is answered with 404 that night: little is asked in vain, and the next night all is fetched."""
    world = World(WorldSpec(sessions=120, days=6))
    details = ",".join(ALL_KINDS)
    with Simulator(world) as simulator:
        for key in world:
            simulator.poison(key, "404", *ALL_KINDS, *also)
        report = sync(simulator, tmp_path, details=details)
        assert (report.published, report.is_complete) == (True, False)
        assert sum(report.requests[kind] for kind in (*ALL_KINDS, "session")) < 300
        for key in world:
            simulator.cure(key, *ALL_KINDS, *also)
        report = sync(simulator, tmp_path, details=details)
        assert (report.details_failed, report.details_pending, report.is_complete) == (0, 0, True)
    assert ask(tmp_path, "select count(*) from session_details where channels_status <> 'fetched'") == [(0,)]
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


@pytest.mark.parametrize("sessions", [8, 60])
def test_a_kind_that_this_firmware_has_not_is_believed_after_some_nights(sessions: int, tmp_path: Path) -> None:
    """Told, then settled: also for sessions that are new. Once the appliance has it, it is copied."""
    world = World(WorldSpec(sessions=sessions, days=4))
    with Simulator(world) as simulator:
        for key in world:
            simulator.poison(key, "404", "alerts")
        report = sync(simulator, tmp_path)
        assert (report.details_failed, report.is_complete, report.published) == (sessions, False, True)
        assert report.requests["alerts"] <= 20 + 8
        for _ in range(6):
            nights_pass(tmp_path, 7)
            report = sync(simulator, tmp_path)
        assert (report.details_failed, report.details_pending, report.is_complete) == (0, 0, True)
        new = world.add()
        simulator.poison(new, "404", "alerts")
        report = sync(simulator, tmp_path)
        assert (report.requests["alerts"], report.details_gone, report.is_complete) == (1, 0, True)
        assert statuses(tmp_path, new)[2] == "gone"
        newer = world.add()
        assert sync(simulator, tmp_path).is_complete
        assert statuses(tmp_path, newer)[2] == "fetched"


# Most fail


@pytest.mark.parametrize(
    ("poison", "expected"), [("403", RightsError), ("500", ApplianceError), ("html", BadAnswerError)]
)
@pytest.mark.parametrize("sessions", [30, 200])
def test_where_most_fail_it_is_the_appliance(
    poison: Any, expected: type[SpsetlError], sessions: int, tmp_path: Path
) -> None:
    """The run ends soon, with what it fails with, and publishes nothing; what it got is kept."""
    world = World(WorldSpec(sessions=sessions, days=4))
    newest = world.keys()[-10:]
    with Simulator(world) as simulator:
        poisoned = [key for key in world if key not in newest]
        for key in poisoned:
            simulator.poison(key, poison, *KINDS)
        with pytest.raises(expected):
            sync(simulator, tmp_path)
        assert not (tmp_path / "warehouse.duckdb").exists()
        assert simulator.requests["channels"] <= 3 * 130
        for key in poisoned:
            simulator.cure(key, *KINDS)
        report = sync(simulator, tmp_path)
        assert (report.is_complete, report.requests["channels"]) == (True, sessions - 10)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_many_that_fail_for_ever_stop_no_night(tmp_path: Path) -> None:
    """They say nothing of a night on which nothing else is new."""
    world = World(WorldSpec(sessions=60, days=4))
    with Simulator(world) as simulator:
        for key in world.keys()[:25]:
            simulator.poison(key, "500", *KINDS)
        for _ in range(3):
            report = sync(simulator, tmp_path)
            assert (report.published, report.details_failed) == (True, 25)
            nights_pass(tmp_path, 10)
