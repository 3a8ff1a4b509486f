"""The policies in the copy: their history over nights, what a missing right means, and whether clean-up comes first."""

import hmac
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl.cli import run
from spsetl.doctor import examine
from spsetl.queries import read_statement
from spsetl.runs import Run
from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec
from spsetl.simulator.policies import KINDS, RETENTION_DAYS, SECRET
from spsetl.sync.rebuild import run_rebuild
from tests.syncing import NAME, ask, compact_all, settings_for, sync

SMALL = WorldSpec(sessions=60, days=6)
SSH = ("ssh", "connections", "mine")
Bodies = dict[tuple[str, str, str], dict[str, Any]]


def bodies_of(world: World, night: int, seal: bytes) -> Bodies:
    """The policies of the world, each with its name, and a hash for each other field."""
    return {
        (protocol, kind, item["key"]): {
            name: value if name == "name" else sealed(seal, [kind, item["key"], name, value])
            for name, value in item["body"].items()
        }
        for protocol in RETENTION_DAYS
        for kind in KINDS
        for item in world.policies.items(protocol, kind, night)
    }


def seal_of(folder: Path) -> bytes:
    """The key of the copy's hashes."""
    return (folder / "work" / "policies.key").read_bytes()


def sealed(seal: bytes, what: list[Any]) -> str:
    """The hash that stands for a value."""
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return f"hmac:{hmac.new(seal, text.encode(), 'sha256').hexdigest()[:32]}"


def valid_at(folder: Path, moment: datetime) -> Bodies:
    """The policies of the copy, options left out, as they were at that time."""
    rows = ask(
        folder,
        "select protocol, kind, policy_key, body from policies where kind <> 'options' "
        f"and valid_from <= timestamp '{moment}' and coalesce(valid_to > timestamp '{moment}', true)",
    )
    found = {(protocol, kind, key): json.loads(body) for protocol, kind, key, body in rows}
    assert len(found) == len(rows)
    return found


def now() -> datetime:
    """UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class Nights:
    """A copy that was synced on four nights, and what the appliance had each time."""

    folder: Path
    world: World
    reports: list[Run] = field(default_factory=list)
    seen: list[tuple[datetime, Bodies]] = field(default_factory=list)

    def sync(self, simulator: Simulator) -> None:
        """One sync."""
        self.reports.append(sync(simulator, self.folder, details="none"))
        self.seen.append((now(), bodies_of(self.world, len(self.seen), seal_of(self.folder))))


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """A policy arrives, changes, vanishes and returns, beside what the nights themselves change."""
    passed = Nights(tmp_path_factory.mktemp("copy"), World(SMALL))
    with Simulator(passed.world) as simulator:
        for body in ({"name": "a", "n": 1}, {"name": "b", "n": 1}, None, {"name": "b", "n": 1}):
            if body:
                passed.world.policies.put(*SSH, body)
            else:
                passed.world.policies.delete(*SSH)
            passed.sync(simulator)
            simulator.advance_night()
    return passed


def test_the_history_tells_what_was_valid_at_any_time(nights: Nights) -> None:
    """After each sync the versions that are valid are those that the appliance had then."""
    for moment, bodies in nights.seen:
        assert valid_at(nights.folder, moment) == bodies
    assert [report.rows["policies"] for report in nights.reports[1:]] == [3, 1, 3]
    assert all(report.requests["configuration"] == 28 for report in nights.reports)
    assert all(report.is_complete and not report.warnings for report in nights.reports)


def test_versions_follow_each_other(nights: Nights) -> None:
    """The time of the sync that saw it begins a version and ends the one before; what vanished leaves a gap."""
    rows = ask(
        nights.folder,
        "select name, valid_from, valid_to, extracted_at, run_id, appliance from policies where policy_key = 'mine' "
        "order by valid_from",
    )
    assert [name for name, *_ in rows] == ["a", "b", "b"]
    assert rows[0][2] == rows[1][1]
    assert rows[1][2] < rows[2][1]
    assert rows[2][2] is None
    moments = [moment for moment, _ in nights.seen]
    assert rows[0][1] < moments[0] < rows[1][1] < moments[1] < rows[1][2] < moments[2] < rows[2][1] < moments[3]
    assert [row[3] for row in rows] == [row[1] for row in rows]
    assert [row[4] for row in rows] == [nights.reports[n].run_id for n in (0, 1, 3)]
    assert {row[5] for row in rows} == {NAME}


def test_what_has_not_changed_is_there_once(nights: Nights) -> None:
    """The first sync saw it; the others wrote nothing of it, neither into the warehouse nor into the lake."""
    rows = ask(
        nights.folder,
        "select count(*), count(distinct valid_from), count(valid_to) from policies where kind = 'channel_policies'",
    )
    assert rows == [(28, 1, 0)]
    lake = duckdb.sql(f"select count(*) from '{nights.folder}/lake/policies/**/*.parquet' where body is not null")
    assert lake.fetchall() == ask(nights.folder, "select count(*) from policies")


def test_each_recorded_session_finds_its_policy(nights: Nights) -> None:
    """By appliance and key; the policy has the name and the protocol that the session has."""
    rows = ask(
        nights.folder,
        "select s.recording_connection_policy, lower(s.protocol), p.name, p.protocol from sessions s "
        "left join policies p on p.appliance = s.appliance and p.policy_key = s.recording_connection_policy_id "
        "and p.kind = 'connections' and p.valid_to is null where s.recording_connection_policy_id is not null",
    )
    assert len(rows) > 40
    assert [row for row in rows if row[:2] != row[2:]] == []


def test_retention_and_no_secret(nights: Nights) -> None:
    """The days of each protocol's options; the secret of a policy is nowhere in the copy."""
    kept = dict(ask(nights.folder, "select protocol, retention_days from policies where kind = 'options'"))
    assert kept == RETENTION_DAYS
    sealed_ = ask(nights.folder, 'select count(*) from policies where body like \'%"web_gateway":"hmac:%\'')[0][0]
    assert sealed_ > 20
    tables = [nights.folder / "warehouse.duckdb", *nights.folder.glob("lake/policies/**/*.parquet")]
    assert len(tables) == 5
    dump = duckdb.sql(f"select string_agg(body) from '{nights.folder}/lake/policies/**/*.parquet'").fetchall()[0][0]
    assert SECRET not in dump + str(ask(nights.folder, "from policies"))


def test_the_lake_alone_gives_the_same_history(nights: Nights, tmp_path: Path) -> None:
    """Row by row, also after its files were gathered."""
    expected = ask(nights.folder, "from policies order by all")
    settings = settings_for_copy(nights.folder)
    run_rebuild(settings)
    assert ask(nights.folder, "from policies order by all") == expected
    report = compact_all(nights.folder)
    assert report.files_after < report.files_before
    run_rebuild(settings)
    assert ask(nights.folder, "from policies order by all") == expected


def settings_for_copy(folder: Path) -> Any:
    """Settings that ask no appliance."""
    return settings_for(Simulator(World(WorldSpec(sessions=1))), folder, url="http://127.0.0.1:1", details="none")


@pytest.fixture
def world() -> World:
    """A small one."""
    return World(SMALL)


def test_without_the_right_the_sync_goes_on(world: World, tmp_path: Path) -> None:
    """It asks once, says so once, and what was known stays valid; sessions are copied and published."""
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
    before = ask(tmp_path, "from policies order by all")
    key = world.add()
    world.policies.put(*SSH, {"name": "unseen"})
    with Simulator(world, Quirks(configuration_right=False)) as simulator:
        report = sync(simulator, tmp_path, details="none")
        assert simulator.requests["configuration"] == report.requests["configuration"] == 1
        findings = {one.check: one for one in examine(settings_for(simulator, tmp_path))}
    assert report.published
    assert report.is_complete
    (warning,) = report.warnings
    assert "the user may not read the configuration:" in warning
    assert ask(tmp_path, "from policies order by all") == before
    assert ask(tmp_path, f"select count(*) from sessions where session_key = '{key}'") == [(1,)]
    assert (findings["configuration"].state, findings["retention"].state) == ("yellow", "green")
    assert findings["retention"].found.endswith(
        "http 30, ica 90, mssql for ever, rdp 365, ssh 365, telnet 90, vnc for ever"
    )


def valid_by_protocol(folder: Path) -> dict[str, list[Any]]:
    """What is valid, by protocol."""
    rows = ask(folder, "select protocol, kind, policy_key, body from policies where valid_to is null order by all")
    return {protocol: [row for row in rows if row[0] == protocol] for protocol in {row[0] for row in rows}}


def test_a_protocol_may_be_forbidden_unknown_or_ill(world: World, tmp_path: Path) -> None:
    """The others are read; what this version does not know is no failure, and has gone if it was there."""
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
    before = valid_by_protocol(tmp_path)
    for protocol in RETENTION_DAYS:
        world.policies.put(protocol, "connections", "new", {"name": "new"})
    quirks = Quirks(forbidden_protocols=("rdp",), configured_protocols=tuple(RETENTION_DAYS)[:-1])
    with Simulator(world, quirks) as simulator:
        simulator.on_request = lambda _, path, __: Fault.HTML if path.endswith("/ica/connections") else None
        report = sync(simulator, tmp_path, details="none")
    forbidden, ill = sorted(report.warnings, key=lambda line: "ica" in line)
    assert "may not read the configuration of rdp:" in forbidden
    assert ill.startswith("some policies of ica are as they were last seen: ")
    assert report.published
    after = valid_by_protocol(tmp_path)
    assert (after["rdp"], after["ica"]) == (before["rdp"], before["ica"])
    assert "mssql" not in after
    others = ("ssh", "telnet", "vnc", "http")
    assert [len(after[name]) - len(before[name]) for name in others] == [1, 1, 1, 1]


def test_a_kill_between_lake_and_warehouse_loses_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next sync writes it again, and the lake, which has it twice, gives what the merges gave."""
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        published = ask(tmp_path, "from policies order by all")
        world.policies.put(*SSH, {"name": "killed"})
        world.policies.delete("rdp", "settings_policies", "-33891")
        with monkeypatch.context() as patch:
            patch.setattr("spsetl.sync.policies.merge_part", _die)
            with pytest.raises(RuntimeError, match="killed"):
                sync(simulator, tmp_path, details="none")
        assert ask(tmp_path, "from policies order by all") == published
        report = sync(simulator, tmp_path, details="none")
    assert report.rows["policies"] == 1
    expected = ask(tmp_path, "from policies order by all")
    assert len(expected) == len(published) + 1
    assert valid_at(tmp_path, now()) == bodies_of(world, 0, seal_of(tmp_path))
    run_rebuild(settings_for_copy(tmp_path))
    assert ask(tmp_path, "from policies order by all") == expected


def _die(*_: object) -> None:
    raise RuntimeError("killed")


@pytest.fixture(scope="module")
def lagging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose sync ended without a single session's details, of sessions up to 200 days old."""
    folder = tmp_path_factory.mktemp("lagging")
    spec = WorldSpec(sessions=300, days=200, now=datetime.now(UTC).replace(microsecond=0))
    with Simulator(World(spec)) as simulator:
        report = sync(simulator, folder, details="channels", max_requests=1)
    (http, *others) = report.warnings
    assert http.startswith("sps, http: the appliance keeps metadata for 30 days, and the copy lags 1")
    assert "some may be lost already" in http
    assert [line.partition(": ")[0] for line in others] == ["sps, ica", "sps, telnet"]
    return folder


def states(folder: Path) -> dict[str, str]:
    """The state of each protocol."""
    statement = read_statement("status", "retention")
    return {row[1]: row[-1] for row in ask(folder, statement)}


def test_waiting_details_are_told_of_before_clean_up_wins(lagging: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` tells it as a table, in JSON, and in a line each."""
    assert states(lagging) == {
        "http": "late", "ica": "late", "mssql": "ok", "rdp": "ok", "ssh": "ok", "telnet": "late", "vnc": "ok"
    }  # fmt: skip
    assert run(["status", "--data-dir", str(lagging)]) == 0
    said = capsys.readouterr()
    assert "retention_days" in said.out
    assert said.err.count("spsetl: warning: sps, ") == 3
    assert run(["status", "--data-dir", str(lagging), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["warnings"]) == 3
    row = next(row for row in answer["retention"] if row["protocol"] == "ica")
    assert (row["appliance"], row["retention_days"], row["state"]) == (NAME, 90, "late")
    assert row["lag_days"] == pytest.approx(90 - row["days_left"], abs=0.11)
    assert row["sessions_with_pending_details"] > 0


@pytest.mark.parametrize(
    ("days", "troubled"),
    [
        (0, {}),
        (23, {}),
        (25, {"http": "soon"}),
        (31, {"http": "late"}),
        (77, {"http": "late", "ica": "soon", "telnet": "soon"}),
        (352, {"http": "late", "ica": "late", "telnet": "late", "rdp": "soon", "ssh": "soon"}),
        (None, dict.fromkeys(["http", "ica", "telnet", "rdp", "ssh"], "late")),
    ],
)
def test_a_copy_that_is_not_synced_is_told_of(
    lagging: Path, tmp_path: Path, days: int | None, troubled: dict[str, str]
) -> None:
    """A fifth of the retention before it ends, 14 days at most; and where no sync was ever complete."""
    copy = tmp_path / "warehouse.duckdb"
    shutil.copy(lagging / "warehouse.duckdb", copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        connection.execute(
            "insert into detail_fetches by name select appliance, session_key, "
            "unnest(['channels', 'events', 'alerts']) as kind, 'fetched' as status from sessions"
        )
        if days is None:
            connection.execute("update sync_runs set kind = 'backfill'")
        else:
            connection.execute(f"update sync_runs set started_at = started_at - interval {days} day")
        rows = connection.execute(read_statement("status", "retention")).fetchall()
    assert {row[1]: row[-1] for row in rows if row[-1] != "ok"} == troubled


def test_doctor_tells_of_it_too(lagging: Path) -> None:
    """Yellow, a line for each protocol; the set-up as such works."""
    with Simulator(World(SMALL)) as simulator:
        found = list(examine(settings_for(simulator, lagging)))
    told = [one for one in found if one.check == "retention"]
    assert [(one.state, one.exit_code) for one in told] == [("yellow", 0)] * 3
    assert next(one.state for one in found if one.check == "configuration") == "green"
