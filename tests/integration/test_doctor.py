"""Doctor as a whole: what it says of appliances that differ, and of the copy, in text and as JSON."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from spsetl.cli import run
from spsetl.doctor import Finding, examine
from spsetl.errors import NewerCopyError
from spsetl.runs import Run, Status
from spsetl.settings import Settings
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.simulator.faults import Fault
from spsetl.sync.data_dir import hold_lock, keep_last_run
from tests.syncing import settings_for, sync

FEW = WorldSpec(sessions=60, days=6)
Change = Callable[[duckdb.DuckDBPyConnection], object]


def by_check(settings: Settings) -> dict[str, Finding]:
    """What is found, the last of each name."""
    return {finding.check: finding for finding in examine(settings)}


def findings(folder: Path, *, more: dict[str, object] | None = None, **quirks: object) -> dict[str, Finding]:
    """What is found of an appliance with these quirks."""
    with Simulator(World(FEW), Quirks(**quirks)) as simulator:  # type: ignore[arg-type]
        return by_check(settings_for(simulator, folder, **more or {}))


@pytest.fixture(autouse=True)
def without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever server this machine may have is not looked at."""
    monkeypatch.setattr("spsetl.doctor.scheduler.find_server", lambda: None)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy after one sync."""
    folder = tmp_path_factory.mktemp("synced")
    with Simulator(World(FEW)) as simulator:
        sync(simulator, folder)
    return folder


@pytest.fixture
def changed(synced: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies of the copy, changed by a statement."""

    def change(statement: str) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(synced, folder)
        with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
            connection.execute(statement)
        return folder

    return change


def test_a_set_up_that_works(synced: Path) -> None:
    """Nothing is red, the appliance has no snapshot open, was asked for a few pages only, and knows no new login."""
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, synced))
        asked = simulator.requests
    assert {name for name, finding in found.items() if finding.state != "green"} == set()
    assert asked["snapshot"] == 0
    assert asked["authentication"] == 1
    assert asked.total() < 40
    assert found["version"].facts == {"firmware_version": "8.0.0"}
    assert found["retention"].facts["retention_days"]["http"] == 30


def test_nothing_is_written(tmp_path: Path) -> None:
    """Not even the folders of a copy that is not there yet."""
    found = findings(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert found["last sync"].state == "yellow"
    assert "the first sync makes it" in found["data directory"].found


@pytest.mark.parametrize(
    ("quirks", "check", "state", "says"),
    [
        ({"firmware": "7.5.1"}, "version", "green", "documented"),
        ({"firmware": "8.9.0"}, "version", "yellow", "none of those"),
        ({"clock_offset": 50.0}, "clock", "green", "s from ours"),
        ({"clock_offset": 4000.0}, "clock", "yellow", "ahead of ours"),
        ({"clock_offset": -4000.0}, "clock", "yellow", "behind ours"),
        ({"configuration_right": False}, "configuration", "yellow", "may not read it"),
        ({"counts": False}, "_count", "yellow", "not counted"),
        ({"revision_by_name": False}, "revision", "yellow", "a hash"),
        ({"trail_downloads": False}, "trail_downloads", "yellow", "none of the newest"),
        ({"indexing": False}, "indexing", "yellow", "none of the newest"),
        ({}, "trail_downloads", "green", "can be read"),
    ],
)
def test_what_an_appliance_is_like(
    tmp_path: Path, quirks: dict[str, object], check: str, state: str, says: str
) -> None:
    """Each difference shows at its own check, with a next step unless it is green."""
    found = findings(tmp_path, more={"details": "channels,trail_downloads,indexing"}, **quirks)[check]
    assert (found.state, found.exit_code) == (state, 0)
    assert says in found.found
    assert bool(found.next_step) is (state != "green")


def test_details_that_nobody_wants_are_not_asked_for(tmp_path: Path) -> None:
    """Neither trail_downloads nor indexing, which not every user may read."""
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, tmp_path))
        assert simulator.requests["trail_downloads"] == simulator.requests["indexing"] == 0
    assert not {"trail_downloads", "indexing"} & found.keys()


def test_a_wrong_password(tmp_path: Path) -> None:
    """Red at the login with exit code 4, after one try: twenty would block the user."""
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, tmp_path, password="wrong"))
        assert simulator.requests["authentication"] == 1
    assert (found["login"].state, found["login"].exit_code) == ("red", 4)
    assert "search right" not in found
    assert "disk space" in found


def test_no_right_to_search(tmp_path: Path) -> None:
    """Red with exit code 4, and the login itself is green."""
    found = findings(tmp_path, search_right=False)
    assert found["login"].state == "green"
    assert (found["search right"].state, found["search right"].exit_code) == ("red", 4)
    assert "version" not in found


@pytest.mark.parametrize("poison", ["400", "403", "500", "unavailable", "html", "shape", "reset"])
def test_one_session_whose_details_fail_is_no_failure_of_the_set_up(synced: Path, poison: Any) -> None:
    """However they fail: told with the count, and nothing behind it is left out."""
    world = World(FEW)
    with Simulator(world) as simulator:
        simulator.poison(world.keys()[-1], poison, "channels", "trail_downloads")
        found = by_check(settings_for(simulator, synced, details="channels,trail_downloads"))
    assert (found["details"].state, found["details"].facts) == ("yellow", {"failed": 1})
    assert "1 of the 4 newest sessions" in found["details"].found
    assert found["trail_downloads"].state == found["full sync"].state == "green"
    assert not [one for one in found.values() if one.state == "red"]


def test_details_that_all_fail_are_one(synced: Path) -> None:
    """Then no sync could be complete: red, in the client's words."""
    world = World(FEW)
    with Simulator(world) as simulator:
        for key in world:
            simulator.poison(key, "403", "channels")
        found = by_check(settings_for(simulator, synced))
    assert (found["details"].state, found["details"].exit_code) == ("red", 4)
    assert "the user may not read channels" in found["details"].found
    assert "full sync" not in found


def test_quiet_hours_are_kept(tmp_path: Path) -> None:
    """No request is sent while they last."""
    now = datetime.now().astimezone()
    quiet = f"{(now.hour - 1) % 24:02}:00-{(now.hour + 2) % 24:02}:00"
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, tmp_path, quiet_hours=quiet))
        assert simulator.requests.total() == 0
    assert found["quiet hours"].state == "yellow"
    assert "login" not in found


@pytest.mark.parametrize("kind", ["authentication", "list", "count", "configuration"])
def test_an_appliance_that_falls_silent(tmp_path: Path, kind: str) -> None:
    """Whichever request hangs, doctor ends soon after the timeout, red with exit code 5."""
    began = time.monotonic()
    with Simulator(World(FEW)) as simulator:
        simulator.on_request = lambda asked, _path, _params: Fault.HANG if asked == kind else None
        found = [one for one in examine(settings_for(simulator, tmp_path, timeout=0.3)) if one.state == "red"]
    assert time.monotonic() - began < 4
    assert [one.exit_code for one in found] == [5]
    assert "0.3 s" in found[0].found


def test_the_estimate_of_a_full_sync(tmp_path: Path) -> None:
    """It states its terms: pages of the list, and a request for each kind of details of each session."""
    found = findings(tmp_path, more={"details": "channels,alerts", "concurrency": 2}, latency=0.02, page_limit=25)
    facts = found["full sync"].facts
    assert (facts["list_requests"], facts["detail_requests"]) == (3, 120)
    assert facts["hours"] == pytest.approx(facts["list_hours"] + facts["detail_hours"])
    assert facts["detail_hours"] * 3600 > 120 * 0.02 / 2
    assert found["page latency"].facts["page_seconds"] > 0.02


@pytest.mark.parametrize(("hours", "state", "code"), [(1, "green", 0), (30, "yellow", 0), (24 * 8, "red", 3)])
def test_the_age_of_the_copy(changed: Callable[[str], Path], hours: int, state: str, code: int) -> None:
    """Green after a night, yellow after more than one, red after a week."""
    folder = changed(f"update sync_runs set finished_at = finished_at - interval {hours} hour")
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, folder))["last sync"]
    assert (found.state, found.exit_code) == (state, code)


@pytest.mark.parametrize(("status", "state"), [("failed", "yellow"), ("incomplete", "yellow"), ("done", "green")])
def test_a_sync_that_failed_is_told_of(synced: Path, tmp_path: Path, status: Status, state: str) -> None:
    """A failed run publishes nothing; what is written down of it is shown all the same, with its error."""
    folder = tmp_path / "copy"
    shutil.copytree(synced, folder)
    last = Run(appliance="sps", status=status, error="no login")
    keep_last_run(folder / "work", last)
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, folder))["last sync"]
    assert found.state == state
    assert (f"the last one: {status}, no login" in found.found) is (state != "green")


@pytest.mark.parametrize(
    ("free", "state", "code"), [(2**40, "green", 0), (3 * 2**20, "yellow", 0), (2 * 2**20, "red", 3)]
)
def test_disk_space_against_growth(
    changed: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, free: int, state: str, code: int
) -> None:
    """Days until it is full: yellow below 30, red below 3; the first sync is no measure of a night."""
    folder = changed(
        "insert into sync_runs by name select * replace ('second' as run_id, 6 as sessions_new) from sync_runs;"
        "update sync_runs set started_at = started_at - interval 6 day where run_id <> 'second'"
    )
    with Simulator(World(FEW)) as simulator:
        settings = settings_for(simulator, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        usable = 10 * free if free == 2**40 else size // 60 * (10 if state == "yellow" else 2)
        reserve = (folder / "work" / "warehouse.duckdb").stat().st_size
        monkeypatch.setattr("spsetl.doctor.disk._NONE", 0)
        usage = shutil.disk_usage(folder)._replace(free=usable + reserve)
        monkeypatch.setattr("spsetl.doctor.disk.shutil.disk_usage", lambda _path: usage)
        found = by_check(settings)["disk space"]
    assert found.facts["bytes_per_day"] == pytest.approx(size / 60, rel=0.01)
    assert (found.state, found.exit_code) == (state, code)


def test_a_running_sync_is_named(synced: Path) -> None:
    """Doctor neither fails nor takes the lock while a sync holds the data directory."""
    with hold_lock(synced / "work"), Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, synced))
    assert found["data directory"].state == "green"
    assert "a sync is at work (process" in found["data directory"].found
    assert found["last sync"].state == "green"


def test_a_copy_that_cannot_be_read(synced: Path, tmp_path: Path) -> None:
    """Of another version or damaged: yellow, with the reason, and everything else is looked at."""
    folder = tmp_path / "copy"
    shutil.copytree(synced, folder)
    (folder / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, folder))
    assert found["copy"].state == "yellow"
    assert "cannot read" in found["copy"].found
    assert found["copy"].next_step
    assert found["search right"].state == "green"


def test_a_copy_of_a_newer_version(synced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red with the exit code that a sync would have; everything else is looked at."""

    def refuse(_path: object) -> None:
        raise NewerCopyError("spsetl 9 wrote this copy; install that")

    monkeypatch.setattr("spsetl.doctor.copy.fetch_state", refuse)
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, synced))
    assert (found["copy"].state, found["copy"].exit_code) == ("red", 2)
    assert found["copy"].next_step == "install that"
    assert "Prefect" in found


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """Red with exit code 2: what is in the way is a file."""
    (tmp_path / "file").write_text("x")
    found = findings(tmp_path / "file" / "data")["data directory"]
    assert (found.state, found.exit_code) == ("red", 2)
    assert "SPSETL_DATA_DIR" in found.next_step


def environment(monkeypatch: pytest.MonkeyPatch, folder: Path, simulator: Simulator) -> None:
    """Settings as they come at night."""
    monkeypatch.chdir(folder)
    for name, value in {"URL": simulator.url, "USERNAME": "audit", "PASSWORD": "sps-audit"}.items():
        monkeypatch.setenv(f"SPSETL_{name}", value)


def test_json_is_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checks, the overall state, and the exit code of the first red one; origins without secrets."""
    with Simulator(World(FEW), Quirks(search_right=False)) as simulator:
        environment(monkeypatch, tmp_path, simulator)
        code = run(["doctor", "--json"])
    out = capsys.readouterr().out
    answer = orjson.loads(out)
    assert (answer["state"], answer["exit_code"], code) == ("red", 4, 4)
    assert {tuple(check) for check in answer["checks"]} == {
        ("appliance", "check", "state", "found", "next_step", "exit_code", "facts")
    }
    settings = answer["checks"][0]["facts"]
    assert settings["url"] == {"value": simulator.url, "origin": "SPSETL_URL"}
    assert settings["timeout"] == {"value": 60.0, "origin": "default"}
    assert settings["password"]["origin"] == "SPSETL_PASSWORD"
    assert "sps-audit" not in out


def test_text_has_a_line_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The state, the check and what was found are aligned, the next step is indented, a word ends it; no secret."""
    with Simulator(World(FEW)) as simulator:
        environment(monkeypatch, tmp_path, simulator)
        code = run(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    places = [lines.index(line) for line in lines if line.startswith("  yellow  last sync          no sync")]
    assert lines[0] == "127.0.0.1"
    assert lines[places[0] + 1] == " " * 29 + "→ run spsetl sync"
    assert lines[-1].endswith("this can work; look at the yellow ones")
    assert not any("sps-audit" in line or "\033" in line for line in lines)
    assert code == 0


def test_several_appliances_each_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that fails does not keep the next from being looked at; the exit code is that of the first red one."""
    with Simulator(World(FEW)) as simulator:
        environment(monkeypatch, tmp_path, simulator)
        monkeypatch.delenv("SPSETL_URL")
        (tmp_path / "spsetl.toml").write_text(
            f'[appliances.one]\nurl = "https://one.invalid"\n[appliances.two]\nurl = "{simulator.url}"\n'
        )
        code = run(["doctor", "--json"])
    checks = orjson.loads(capsys.readouterr().out)["checks"]
    red = [(check["appliance"], check["check"]) for check in checks if check["state"] == "red"]
    assert red == [("one", "name")]
    assert ("two", "search right") in {(check["appliance"], check["check"]) for check in checks}
    assert code == 5


def test_settings_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are a red finding, in JSON as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spsetl.toml").write_text("nonsense = 1\n")
    assert run(["doctor", "--json"]) == 2
    answer = orjson.loads(capsys.readouterr().out)
    assert [(check["check"], check["state"], check["exit_code"]) for check in answer["checks"]] == [
        ("settings", "red", 2)
    ]


def test_no_address_is_no_reason_to_say_nothing(tmp_path: Path) -> None:
    """Red settings; what is on this machine is looked at all the same."""
    with Simulator(World(FEW)) as simulator:
        found = by_check(settings_for(simulator, tmp_path, url=None))
    assert (found["settings"].state, found["settings"].exit_code) == ("red", 2)
    assert found["settings"].next_step
    assert {"disk space", "libraries", "Prefect", "data directory"} <= found.keys()
    assert "name" not in found


def test_now_is_utc(synced: Path) -> None:
    """The last sync's time is told with its zone."""
    with Simulator(World(FEW)) as simulator:
        facts = by_check(settings_for(simulator, synced))["last sync"].facts
    assert abs(datetime.fromisoformat(facts["finished_at"]) - datetime.now(UTC)).total_seconds() < 600
