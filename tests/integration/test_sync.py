"""A sync against a simulated appliance, over real HTTP, into a real DuckDB file."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stamina

from spsetl import schema
from spsetl.errors import ApplianceError, CheckError, LockedError, RightsError, SettingsError, StorageError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.sync import plan_sync
from spsetl.sync.data_dir import hold_lock
from tests.oracle import Row, actual_rows, assert_equal_copy
from tests.syncing import FEW, NAME, SMALL, all_rows, settings_for, sync
from tests.tampering import of_items, tampering

pytestmark = pytest.mark.usefixtures("without_waiting")


def by_the_name_psm(row: Row) -> Row:
    """An older appliance calls what it recorded PSM; unknown fields keep the name that they came with."""
    extra = row["extra"] and {re.sub(r"^recording\.", "psm.", path): value for path, value in row["extra"].items()}
    origin = {"origin": "PSM"} if row.get("origin") == "RECORDING" else {}
    return row | {"extra": extra} | origin


@pytest.mark.parametrize("reading", ["literal", "overlap"])
def test_the_copy_equals_the_appliance(reading: str, tmp_path: Path) -> None:
    """Every session, channel, event and alert is there once, equal field by field, under both readings."""
    world = World(SMALL)
    with Simulator(world, Quirks(reading=reading, histogram_reading=reading), tls=True) as simulator:
        report = sync(simulator, tmp_path)
        assert report.requests["list"] == simulator.requests["list"]
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)
    assert (report.sessions_seen, report.sessions_new, report.sessions_changed) == (240, 240, 0)
    assert (report.quarantined, report.details_pending, report.published) == (0, 0, True)


def test_an_older_appliance_is_copied_into_the_same_columns(tmp_path: Path) -> None:
    """The name psm instead of recording, addresses, channels under their own name, bin-size with a dash."""
    world = World(SMALL)
    quirks = Quirks(
        naming="psm",
        channels_wrapper="channels",
        bin_size_parameter="bin-size",
        snapshots=False,
        counts=False,
        gzip=False,
    )
    with Simulator(world, quirks) as simulator:
        sync(simulator, tmp_path)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, told=by_the_name_psm)


def test_times_in_unix_seconds_are_read(tmp_path: Path) -> None:
    """Sessions and channels of older appliances carry Unix seconds; thereby many sessions start in one instant."""
    world = World(WorldSpec(sessions=600, days=1))
    with Simulator(world, Quirks(times="epoch")) as simulator:
        sync(simulator, tmp_path, details="none")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        rows = {row["session_key"]: row for row in actual_rows(connection, schema.SESSIONS)}
    for key in rows:
        started = datetime.fromisoformat(world.session(key)["body"]["start_time"]).astimezone(UTC)
        assert rows[key]["start_time"] == started.replace(microsecond=0, tzinfo=None)
    assert len(rows) == 600


@pytest.mark.parametrize("reading", ["literal", "overlap"])
def test_results_that_stop_early_lose_nothing(reading: str, tmp_path: Path) -> None:
    """An appliance with smaller pages and an earlier stop than documented, a burst in one second, no histogram."""
    world = World(WorldSpec(sessions=1500, burst=700))
    quirks = Quirks(reading=reading, page_limit=100, result_limit=1000, histogram=False)
    with Simulator(world, quirks) as simulator:
        report = sync(simulator, tmp_path, details="none")
    assert report.sessions_new == 2200
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        keys = connection.execute("select session_key from sessions order by 1").fetchall()
        pending = connection.execute("select distinct channels_status, alerts_status from session_details").fetchall()
    assert [key for (key,) in keys] == sorted(world.keys())
    assert pending == [("not_requested", "not_requested")]


def test_a_second_sync_with_nothing_changed_fetches_no_details_and_changes_no_row(tmp_path: Path) -> None:
    """It lists the look-back again, sweeps the rest, and counts both."""
    with Simulator(World(FEW)) as simulator:
        sync(simulator, tmp_path)
        before = all_rows(tmp_path)
        report = sync(simulator, tmp_path)
    # The snapshot that the first sync opened is still alive, and shows nothing of what happened since.
    assert dict(report.requests) == {
        "login": 1,
        "info": 1,
        "snapshot": 1,
        "list": 2,
        "count": 4,  # the look-back before it is planned, both windows, and all sessions
        "configuration": 28,  # four for each protocol
    }
    assert (report.sessions_new, report.sessions_changed) == (0, 0)
    assert report.sessions_seen > 0
    assert all_rows(tmp_path) == before


@pytest.mark.parametrize("revision_by_name", [True, False])
def test_nights_bring_what_is_new_and_what_changed(revision_by_name: bool, tmp_path: Path) -> None:
    """With a look-back over everything the copy follows, with and without revisions; the deleted stay in it."""
    world = World(FEW)
    seen = set(world.keys())
    with Simulator(world, Quirks(revision_by_name=revision_by_name)) as simulator:
        sync(simulator, tmp_path, lookback=24 * 60)
        for _ in range(2):
            before = set(world.keys())
            simulator.advance_night()
            report = sync(simulator, tmp_path, lookback=24 * 60)
            asked = report.requests["channels"]
            seen |= set(world.keys())
            assert report.sessions_new == len(set(world.keys()) - before)
            assert report.sessions_missing == len(before - set(world.keys()))
            assert asked == report.sessions_new + report.sessions_changed
            assert 0 < report.sessions_changed < 50
    gone = seen - set(world.keys())
    hide = (lambda row: row | {"revision": None} if "revision" in row else row) if not revision_by_name else None
    more = {"told": hide} if hide else {}
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=gone, **more)


def test_a_flaky_appliance_gives_an_equal_copy(tmp_path: Path) -> None:
    """Busy answers, proxies' pages, resets, half bodies, logins that end: all of it in one sync."""
    world = World(SMALL)
    quirks = Quirks(unavailable=0.05, bad_gateway=0.03, service_unavailable=0.03, reset=0.03, half_body=0.03)
    with Simulator(world, quirks) as simulator:
        asked: list[str] = []

        def end_logins_now_and_then(kind: str, path: str, params: Any) -> None:
            asked.append(kind)
            if len(asked) % 200 == 0:
                simulator.end_logins()

        simulator.on_request = end_logins_now_and_then
        report = sync(simulator, tmp_path)
    assert sum(report.requests.values()) > 800
    assert report.requests["login"] > 2
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_what_a_failed_sync_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    """The power goes amid the details: the published file stays, and the next sync goes on with what is not done."""
    world = World(WorldSpec(sessions=900, days=12))
    with Simulator(world) as simulator:
        seen: list[str] = []

        def cut(kind: str, path: str, params: Any) -> None:
            seen.append(kind)
            if seen.count("channels") > 800:
                simulator.cut_power()

        simulator.on_request = cut
        stamina.set_testing(testing=True, attempts=2)
        with pytest.raises(ApplianceError):
            sync(simulator, tmp_path)
        assert not (tmp_path / "warehouse.duckdb").exists()
        simulator.on_request = None
        simulator.restore_power()
        report = sync(simulator, tmp_path)
    assert report.requests["channels"] <= 900 - 250
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def test_sessions_that_vanish_between_list_and_detail_are_no_failure(tmp_path: Path) -> None:
    """They stay in the copy as they were listed, and their details are marked as gone."""
    world = World(FEW)
    with Simulator(world) as simulator:
        victims = world.keys()[10:13]
        gone: list[str] = []

        def clean_up(kind: str, path: str, params: Any) -> None:
            if kind == "channels" and not gone:
                gone.extend(victims)
                for key in victims:
                    world.delete(key)

        simulator.on_request = clean_up
        report = sync(simulator, tmp_path)
    assert report.sessions_seen == 100
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        statuses = connection.execute(
            "select session_key, channels_status from session_details where channels_status <> 'fetched'"
        ).fetchall()
    assert {key for key, _ in statuses} <= set(victims)
    assert {status for _, status in statuses} == {"gone"}


def test_a_user_without_the_right_learns_which(tmp_path: Path) -> None:
    """403 stops the sync with the name of the right; the published file stays as it was."""
    with Simulator(World(SMALL), Quirks(search_right=False)) as simulator, pytest.raises(RightsError, match="Search"):
        sync(simulator, tmp_path)
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_only_one_sync_holds_a_data_directory(tmp_path: Path) -> None:
    """The second says who holds it; a lock file left behind is no obstacle."""
    with Simulator(World(SMALL)) as simulator:
        settings_for(simulator, tmp_path)
        (tmp_path / "work").mkdir()
        with hold_lock(tmp_path / "work"), pytest.raises(LockedError, match=r"process \d+ on .* since"):
            sync(simulator, tmp_path, details="none")
        assert sync(simulator, tmp_path, details="none").published


def test_a_row_that_cannot_be_read_is_kept_aside_and_comes_back(tmp_path: Path) -> None:
    """The run goes on and says so; the row is in quarantine once, and leaves it when it can be read again."""
    world = World(FEW)
    key = world.keys()[50]
    tamper = of_items(lambda item: item | {"body": "not a body"} if item["key"] == key else item)
    with Simulator(world) as simulator:
        with tampering(simulator, tamper) as url:
            for _ in range(2):
                report = sync(simulator, tmp_path, lookback=24 * 60, url=url)
                assert (report.sessions_seen, report.quarantined, report.windows_differing) == (99, 1, 0)
                [(table, session, reason)] = quarantined(tmp_path)
                assert (table, session) == ("sessions", key)
                assert reason.startswith("body")
                assert "not a body" not in reason
        report = sync(simulator, tmp_path, lookback=24 * 60)
    assert (report.sessions_new, report.quarantined) == (1, 0)
    assert quarantined(tmp_path) == []
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def quarantined(folder: Path) -> list[Any]:
    """What the published copy could not read."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute("select table_name, session_key, reason from quarantine").fetchall()


def test_a_plan_asks_little_and_writes_no_copy(tmp_path: Path) -> None:
    """The dry run's windows cover everything; nothing is fetched."""
    with Simulator(World(WorldSpec(sessions=9000))) as simulator:
        windows = plan_sync(settings_for(simulator, tmp_path)).planned
        assert simulator.requests.total() == 3
    assert len(windows) > 1
    assert windows[-1][1] is None
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_wrong_rows_are_not_published(tmp_path: Path) -> None:
    """A check that fails stops before publishing: readers keep the last good state."""
    with Simulator(World(FEW)) as simulator:
        sync(simulator, tmp_path)
        published = (tmp_path / "warehouse.duckdb").read_bytes()
        with duckdb.connect(str(tmp_path / "work" / "warehouse.duckdb")) as connection:
            connection.execute("insert into events (appliance, session_key, record_id) values ('sps', 'nobody', 1)")
        with pytest.raises(CheckError, match=r"events__have_a_session \(1\)"):
            sync(simulator, tmp_path)
    assert (tmp_path / "warehouse.duckdb").read_bytes() == published


def test_a_damaged_work_file_says_what_to_do_and_that_helps(tmp_path: Path) -> None:
    """Deleting it, as the message says, goes on from the published file without fetching everything again."""
    with Simulator(World(FEW)) as simulator:
        sync(simulator, tmp_path)
        work = tmp_path / "work" / "warehouse.duckdb"
        work.write_bytes(b"\\0" * 5000)
        with pytest.raises(StorageError, match="delete it"):
            sync(simulator, tmp_path)
        work.unlink()
        report = sync(simulator, tmp_path)
    assert (report.sessions_new, report.requests["channels"]) == (0, 0)


def test_a_data_directory_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "data").write_text("")
    with Simulator(World(SMALL)) as simulator, pytest.raises(SettingsError, match="SPSETL_DATA_DIR"):
        sync(simulator, tmp_path / "data")
