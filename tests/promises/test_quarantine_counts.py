"""Rows that cannot be read: a few are told, many make the run incomplete, and an answer of nothing else is none."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl.cli import run
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.warehouse.work import WorkDatabase
from tests.syncing import ask, forget_snapshot
from tests.tampering import of_items, tampering

pytestmark = pytest.mark.usefixtures("two_tries")

SMALL = WorldSpec(sessions=60, days=6)
Sync = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _settings(alone: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the copy is and what it is of."""
    monkeypatch.setenv("SPSETL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPSETL_DETAILS", "none")
    monkeypatch.setenv("SPSETL_APPLIANCE", "sps")
    monkeypatch.setenv("SPSETL_LOOKBACK", str(24 * 60))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data directory."""
    return tmp_path / "data"


@pytest.fixture(params=["windows", "snapshot"])
def simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """An appliance of 60 sessions, listed both ways."""
    monkeypatch.setenv("SPSETL_STRATEGY", request.param)
    with Simulator(World(SMALL)) as running:
        yield running


@pytest.fixture
def sync(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sync:
    """`spsetl sync --json` of a simulated appliance whose sessions are changed on the way: exit code and outcome."""

    def run_sync(simulator: Simulator, change: Callable[[Any], Any] = lambda item: item) -> tuple[int, dict[str, Any]]:
        forget_snapshot(simulator)
        monkeypatch.setenv("SPSETL_USERNAME", simulator.username)
        monkeypatch.setenv("SPSETL_PASSWORD", simulator.password)
        capsys.readouterr()
        with tampering(simulator, of_items(change)) as url:
            monkeypatch.setenv("SPSETL_URL", url)
            code = run(["sync", "--json"])
        told = capsys.readouterr()
        return code, json.loads(told.out) if told.out else {"error": told.err}

    return run_sync


def spoilt(keys: set[str], **instead: Any) -> Callable[[Any], Any]:
    """Leaves these sessions without a body that can be read, or as said."""
    return lambda item: item | (instead or {"body": None}) if item["key"] in keys else item


@pytest.mark.parametrize("body", [None, {}])
def test_a_list_without_bodies_is_not_published(body: Any, simulator: Simulator, folder: Path, sync: Sync) -> None:
    """Neither at first nor later, however often it is tried; once there are bodies again, all is there."""
    every = set(simulator.world.keys())
    for _ in range(2):
        code, said = sync(simulator, spoilt(every, body=body))
        assert code == 3
        assert "could be read" in said["error"]
        assert "nothing was published" in said["error"]
        assert not (folder / "warehouse.duckdb").exists()
    assert sync(simulator)[0] == 0
    before = (folder / "warehouse.duckdb").read_bytes()
    rows = ask(folder, "select * from sessions order by all")
    assert len(rows) == 60
    code, _ = sync(simulator, spoilt(every, body=body))
    assert (code, (folder / "warehouse.duckdb").read_bytes()) == (3, before)
    code, said = sync(simulator)
    assert (code, said["sessions"]["missing"]) == (0, 0)
    assert ask(folder, "select * from sessions order by all") == rows


def test_a_list_without_keys_is_not_published(simulator: Simulator, folder: Path, sync: Sync) -> None:
    """Nor does it make sessions go."""
    every = set(simulator.world.keys())
    assert sync(simulator, spoilt(every, key=None))[0] == 3
    assert not (folder / "warehouse.duckdb").exists()
    assert sync(simulator)[0] == 0
    rows = ask(folder, "select * from sessions order by all")
    assert sync(simulator, spoilt(every, key=None))[0] == 3
    assert sync(simulator)[0] == 0
    assert ask(folder, "select * from sessions order by all") == rows


def test_many_unreadable_sessions_make_a_run_incomplete(simulator: Simulator, folder: Path, sync: Sync) -> None:
    """What could be read is published, and how many could not be is said."""
    odd = set(simulator.world.keys()[10:30])
    for _ in range(2):
        code, said = sync(simulator, spoilt(odd))
        assert (code, said["published"], said["quarantined"]) == (3, True, 20)
        assert [line for line in said["warnings"] if line.startswith("20 of 60 rows of sessions could not be read")]
        assert ask(folder, "select count(*) from sessions") == [(40,)]
    assert sync(simulator)[0] == 0
    assert ask(folder, "select (select count(*) from sessions), (select count(*) from quarantine)") == [(60, 0)]


@pytest.mark.parametrize("instead", [{"body": None}, {"key": None}, {"key": "", "body": {}}])
def test_a_few_unreadable_sessions_are_told_and_read_once(
    instead: dict[str, Any], simulator: Simulator, folder: Path, sync: Sync
) -> None:
    """The appliance counts them too: the windows agree, and no night reads them twice or marks a session as gone."""
    odd = set(simulator.world.keys()[10:12])
    requests = []
    for keys in (set[str](), odd, odd, set[str]()):
        code, said = sync(simulator, spoilt(keys, **instead))
        assert (code, said["published"], said["windows_differing"]) == (0, True, 0)
        assert (said["quarantined"], said["sessions"]["missing"]) == (len(keys), 0)
        requests.append(said["requests"]["list"])
    assert requests[1] == requests[2] == requests[3]
    assert ask(folder, "select count(*), count(missing_since) from sessions") == [(60, 0)]


def test_an_empty_appliance_is_no_unreadable_one(folder: Path, sync: Sync) -> None:
    """Nothing was given, and nothing could not be read."""
    with Simulator(World(WorldSpec(sessions=0, days=1)), Quirks()) as simulator:
        code, said = sync(simulator)
    assert (code, said["published"], said["quarantined"]) == (0, True, 0)


def test_a_replay_reads_all_of_what_it_publishes(
    folder: Path, sync: Sync, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a sync does: a damaged block is found before readers see it, and what is published is not wasteful."""
    with Simulator(World(SMALL)) as simulator:
        sync(simulator)
    before = (folder / "warehouse.duckdb").read_bytes()

    def refuse(_: WorkDatabase) -> None:
        raise duckdb.IOException("Corrupt database file: computed checksum does not match")

    with monkeypatch.context() as patch:
        patch.setattr(WorkDatabase, "read_all", refuse)
        assert run(["quarantine", "replay"]) == 3
    assert "is damaged" in capsys.readouterr().err
    assert (folder / "warehouse.duckdb").read_bytes() == before
    assert run(["quarantine", "replay", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["published"] is True
