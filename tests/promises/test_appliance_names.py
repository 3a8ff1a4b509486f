"""No appliance is copied twice under two names; and `spsetl appliances` lists, renames and forgets one, exactly."""

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

import spsetl
from spsetl import schema
from spsetl.cli import run
from spsetl.errors import UsageError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.killing import kill_at
from tests.oracle import assert_equal_copy
from tests.syncing import compact_all, forget_snapshot, sync

pytestmark = pytest.mark.usefixtures("alone", "two_tries")

FEW = WorldSpec(sessions=60, days=6)
OTHERS = WorldSpec(sessions=40, days=4, seed=7)
Said = tuple[int, str, str]


@pytest.fixture(scope="module")
def world() -> World:
    """What the appliance of `two` has, a night after its first sync, in which sessions changed and went."""
    return World(FEW)


@pytest.fixture(scope="module")
def two(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of two appliances after two nights, one session of which could not be read; its first month compacted."""
    folder = tmp_path_factory.mktemp("two")
    with Simulator(world) as old, Simulator(World(OTHERS)) as west:
        sync(old, folder, appliance="old", lookback=24 * 60)
        sync(west, folder, appliance="west", details="none")
        assert compact_all(folder).files_after
        old.advance_night()
        sync(old, folder, appliance="old", lookback=24 * 60)
    return folder


@pytest.fixture
def copy(two: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(two, tmp_path / "copy")
    return tmp_path / "copy"


def call(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> Said:
    """The exit code, stdout and stderr."""
    capsys.readouterr()
    code = run([*arguments, "--data-dir", str(folder)])
    said = capsys.readouterr()
    return code, said.out, said.err


def ask_appliance(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on commands go to that one, if they are told its name."""
    for name in ("url", "username", "password"):
        monkeypatch.setenv(f"SPSETL_{name.upper()}", getattr(simulator, name))


def rows_of(database: Path, *, but: str = "", marts: bool = False) -> dict[str, list[Any]]:
    """All rows of a database but those of one appliance, by table."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name = 'main' or $marts", {"marts": marts}
        ).fetchall()
        rows = {}
        for place, table in found:
            answer = connection.execute(f'select * from "{place}"."{table}" order by all')
            names = [name for name, *_ in answer.description or ()]
            at = names.index("appliance") if "appliance" in names else None
            rows[f"{place}.{table}"] = [row for row in answer.fetchall() if at is None or row[at] != but]
    return rows


def renamed(value: Any, old: str, new: str) -> Any:
    """The same rows, sorted, with the new name where the old one stands by itself."""
    rows = [tuple(new if cell == old else cell for cell in row) for row in value]
    return sorted(rows, key=repr)


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_lake(folder: Path) -> dict[str, list[Any]]:
    """Every row of the lake by the file it is in."""
    return {
        str(path.relative_to(folder)): pq.read_table(path).to_pylist()
        for path in sorted((folder / "lake").rglob("*.parquet"))
    }


# What is there under one name is not taken under another


@pytest.mark.parametrize("reading", ["literal", "overlap"])
@pytest.mark.parametrize("began", ["sync", "backfill", "nothing published"])
def test_a_second_name_for_the_same_sessions_is_refused(
    reading: str, began: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 before anything is taken, by one request; the line names each way out, and each of them works."""
    folder = tmp_path / "copy"
    with Simulator(World(WorldSpec(sessions=600, days=30)), Quirks(reading=reading)) as simulator:
        ask_appliance(simulator, monkeypatch)
        old = ["--appliance", "10.0.0.1", "--details", "none"]
        days = ["--start", "2026-10-20", "--end", "2026-12-01"]
        assert call(capsys, folder, *(["backfill", *days] if began == "backfill" else ["sync"]), *old)[0] == 0
        if began == "nothing published":  # as a first sync leaves it that was stopped
            (folder / "warehouse.duckdb").unlink()
        before, asked = files_of(folder), simulator.requests.copy()
        for command in (["sync"], ["sync", "--dry-run"], ["backfill", *days]):
            forget_snapshot(simulator)
            code, out, err = call(capsys, folder, *command, "--appliance", "sps.example", "--details", "none")
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert "spsetl appliances rename 10.0.0.1 sps.example" in err
            assert "--appliance 10.0.0.1" in err
            assert "--new-appliance" in err
        spent = simulator.requests - asked
        assert spent.pop("list") == 3
        assert spent.keys() <= {"authentication"}
        left_over = {"work/lock", "work/lock.holder"}
        same = {
            name for name in before if name not in left_over and not name.endswith(("work/warehouse.duckdb", ".wal"))
        }
        after = files_of(folder)
        assert {name: after[name] for name in same} == {name: before[name] for name in same}
        assert {name for name in after if "sps.example" in name} == set()
        assert "sps.example" not in {row[1] for row in rows_of(folder / "work/warehouse.duckdb")["main.sync_runs"]}
        # One way out, and the other.
        forget_snapshot(simulator)
        assert call(capsys, folder, "sync", *old)[0] == 0
        forget_snapshot(simulator)
        taken = call(capsys, folder, "sync", "--appliance", "sps.example", "--details", "none", "--new-appliance")
        assert taken[0] == 0
        assert "600 new" in taken[2]


def test_a_tiny_copy_is_recognised_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one session that there is, is all that there is."""
    with Simulator(World(WorldSpec(sessions=1, days=1))) as simulator:
        ask_appliance(simulator, monkeypatch)
        assert call(capsys, tmp_path, "sync", "--appliance", "old", "--details", "none")[0] == 0
        assert call(capsys, tmp_path, "sync", "--appliance", "new", "--details", "none")[0] == 2


def test_another_appliance_is_taken_though_some_keys_are_equal(tmp_path: Path) -> None:
    """By one request more, the first time only."""
    east, west = World(FEW), World(OTHERS)
    for key in east.keys()[:2]:
        west.add(key=key)
    with Simulator(east) as first, Simulator(west) as second:
        sync(first, tmp_path / "a", appliance="east", details="none", strategy="windows")
        sync(second, tmp_path / "a", appliance="west", details="none", strategy="windows")
        beside = second.requests.copy()
        sync(second, tmp_path / "b", appliance="west", details="none", strategy="windows")
        assert beside["list"] == (second.requests - beside)["list"] + 1
        before = second.requests.copy()
        sync(second, tmp_path / "a", appliance="west", details="none", strategy="windows")
        once = second.requests - before
        before = second.requests.copy()
        sync(second, tmp_path / "b", appliance="west", details="none", strategy="windows")
        assert once == second.requests - before
    assert_equal_copy(east, tmp_path / "a" / "warehouse.duckdb", appliance="east", kinds=())
    assert_equal_copy(west, tmp_path / "a" / "warehouse.duckdb", appliance="west", kinds=())


def test_a_refused_name_is_nothing_that_anybody_waits_for(
    copy: Path, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither status nor the metrics know it: else a name mistyped once would be late for ever."""
    metrics = copy / "spsetl.prom"
    with Simulator(world) as simulator:
        ask_appliance(simulator, monkeypatch)
        for command in ("sync", "reconcile"):
            assert call(capsys, copy, command, "--appliance", "odl", "--metrics-file", str(metrics))[0] == 2
    told = json.loads(call(capsys, copy, "status", "--json")[1])
    assert [one["appliance"] for one in told["appliances"]] == ["old", "west"]
    assert not metrics.exists()


# A name that the copy does not have


def test_a_mistyped_name_is_told_with_those_that_there_are(
    copy: Path, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By every command that takes one and means what is copied, in one line."""
    with Simulator(world) as simulator:
        ask_appliance(simulator, monkeypatch)
        commands = (
            ["reconcile", "--appliance", "odl"],
            ["search", "--appliance", "odl"],
            ["search", "--content", "sudo", "--appliance", "odl"],
            ["appliances", "rename", "odl", "new"],
            ["appliances", "forget", "odl", "--yes"],
        )
        for command in commands:
            code, out, err = call(capsys, copy, *command)
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert "odl" in err
            assert "old, west" in err
        assert sum(simulator.requests.values()) == simulator.requests["authentication"]
        code, out, _ = call(capsys, copy, "doctor", "--appliance", "odl")
        assert "no sync was ever complete under this name, the copy has old, west" in " ".join(out.split())
    with spsetl.open_warehouse(copy) as warehouse:
        for question in (warehouse.search, warehouse.histogram, lambda **given: warehouse.stats("protocol", **given)):
            with pytest.raises(UsageError, match="old, west"):
                question(appliance="odl")
            assert len(question(appliance="west"))


# What there is


def test_they_are_listed(copy: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With how many sessions from when to when, their last complete sync, and where they were asked."""
    code, out, _ = call(capsys, copy, "appliances", "--json")
    old, west = json.loads(out)["appliances"]
    assert code == 0
    assert (old["appliance"], west["appliance"], west["sessions"]) == ("old", "west", 40)
    assert old["address"].startswith("http://127.0.0.1:")
    assert old["first_start"] < old["last_start"] < old["last_complete_sync"]
    code, out, _ = call(capsys, copy, "appliances")
    assert (code, "west" in out, "last_complete_sync" in out) == (0, True, True)
    code, out, err = call(capsys, tmp_path / "none", "appliances")
    assert (code, out) == (0, "")
    assert "no appliance" in err


def test_an_address_that_changed_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it was asked last."""
    seen = []
    world = World(FEW)
    for _ in range(2):
        with Simulator(world) as simulator:
            sync(simulator, tmp_path, appliance="old", details="none")
            [one] = json.loads(call(capsys, tmp_path, "appliances", "--json")[1])["appliances"]
            assert one["address"] == simulator.url
            seen.append(one["address"])
    assert seen[0] != seen[1]


# Another name


def assert_renamed(two: Path, copy: Path, old: str, new: str) -> None:
    """Warehouse, work database and lake say the new name where they said the old one, and else what they said."""
    for database in ("warehouse.duckdb", "work/warehouse.duckdb"):
        before, after = rows_of(two / database, marts=True), rows_of(copy / database, marts=True)
        assert after.keys() == before.keys()
        for table, rows in before.items():
            assert renamed(after[table], old, new) == renamed(rows, old, new), table
            assert not any(cell == old for row in after[table] for cell in row)
    lake = {name.replace(f"/{old}/", f"/{new}/"): rows for name, rows in read_lake(two).items()}
    for rows in lake.values():
        for row in rows:
            row["appliance"] = new if row["appliance"] == old else row["appliance"]
    assert read_lake(copy) == lake
    assert not list((copy / "lake").rglob(f"{old}*"))
    assert {path.name for path in copy.rglob("*.tmp")} == set()
    for path in (copy / "lake").rglob("*.parquet"):
        told = pq.read_metadata(path).metadata
        assert told[b"spsetl.appliance"].decode() == path.relative_to(copy / "lake").parts[1]
        assert {b"spsetl.table", b"spsetl.schema"} <= told.keys()
    assert sorted(path.name for path in (copy / "work").iterdir()) == sorted(
        path.name.replace(f"-{old}.json", f"-{new}.json") for path in (two / "work").iterdir()
    )


@pytest.mark.parametrize("new", ["new", "ünïcode%name", "x" * 128])
def test_a_renamed_appliance_is_as_if_it_had_always_been_called_so(
    new: str, two: Path, copy: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """All rows, all files, what a rebuild makes of them; and the next sync goes on where the last one was."""
    code, out, err = call(capsys, copy, "appliances", "rename", "old", new)
    assert (code, out) == (0, "")
    assert new in err
    if new == "new":
        assert_renamed(two, copy, "old", new)
    with duckdb.connect(str(copy / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("from session_stats('protocol')").fetchall()
        assert connection.execute("select count(*) from duckdb_tables() where comment is null").fetchall() == [(0,)]
    expected = rows_of(copy / "warehouse.duckdb")
    assert {row["appliance"] for row in json.loads(call(capsys, copy, "appliances", "--json")[1])["appliances"]} == {
        new,
        "west",
    }
    told = json.loads(call(capsys, copy, "status", "--json")[1])
    assert {(one["appliance"], one["last_run"]["appliance"]) for one in told["appliances"]} == {
        (new, new),
        ("west", "west"),
    }
    assert call(capsys, copy, "rebuild")[0] == 0
    rebuilt = rows_of(copy / "warehouse.duckdb")
    for table in ("sessions", "session_lists", "session_scores", "channels", "events", "alerts", "quarantine"):
        of_it = [[row for row in rows[f"main.{table}"] if row[0] == new] for rows in (rebuilt, expected)]
        assert of_it[0] == of_it[1]
    with Simulator(world) as simulator:
        report = sync(simulator, copy, appliance=new, lookback=24 * 60)
        assert (report.sessions_new, report.sessions_missing) == (0, 0)
        assert not {"channels", "events", "alerts"} & report.requests.keys()
    compact_all(copy)
    assert call(capsys, copy, "rebuild")[0] == 0
    assert_equal_copy(world, copy / "warehouse.duckdb", appliance=new, gone=gone_of(copy, new))


def gone_of(folder: Path, appliance: str) -> list[str]:
    """The sessions that the copy has and the appliance has no more."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select session_key from sessions where appliance = ? and missing_since is not null", [appliance]
        ).fetchall()
    return [key for (key,) in rows]


@pytest.mark.parametrize("new", ["west", "a/b", "a b", ".hidden", "old"])
def test_a_name_that_cannot_be_given_is_refused(new: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That of another, or no name at all: nothing is touched."""
    before = files_of(copy / "lake") | {"": (copy / "warehouse.duckdb").read_bytes()}
    code, _, err = call(capsys, copy, "appliances", "rename", "old", new)
    assert (code, err.count("\n")) == (2, 1)
    assert files_of(copy / "lake") | {"": (copy / "warehouse.duckdb").read_bytes()} == before


@pytest.mark.parametrize(
    "arguments", [["rename"], ["rename", "old"], ["forget"], ["list", "old"], ["forget", "a", "b"]]
)
def test_what_is_missing_is_told(arguments: list[str], copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How it is called."""
    code, _, err = call(capsys, copy, "appliances", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert "rename OLD NEW" in err


def test_what_was_not_to_be_published_is_not(copy: Path, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The work database may be ahead, after a sync that was refused: readers get the old state with the new name."""
    with duckdb.connect(str(copy / "work/warehouse.duckdb")) as connection:
        connection.execute("update sessions set missing_since = start_time where appliance = 'old'")
    assert call(capsys, copy, "appliances", "rename", "old", "new")[0] == 0
    published = rows_of(copy / "warehouse.duckdb")["main.sessions"]
    assert renamed(published, "old", "new") == renamed(rows_of(two / "warehouse.duckdb")["main.sessions"], "old", "new")
    with duckdb.connect(str(copy / "work/warehouse.duckdb"), read_only=True) as connection:
        query = "select count(*) from sessions where appliance = 'new' and missing_since is null"
        assert connection.execute(query).fetchall() == [(0,)]


def test_metrics_of_the_old_name_go(copy: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Else its last success would grow old for ever; other appliances keep theirs."""
    metrics = copy / "spsetl.prom"
    Path("spsetl.toml").write_text(f'metrics_file = "{metrics}"')
    with Simulator(world) as simulator:
        sync(simulator, copy, appliance="old", details="none", metrics_file=metrics)
    metrics.write_text(metrics.read_text() + 'spsetl_sessions{appliance="west"} 40.0\n')
    assert 'appliance="old"' in metrics.read_text()
    assert call(capsys, copy, "appliances", "rename", "old", "new")[0] == 0
    assert 'appliance="old"' not in metrics.read_text()
    assert 'spsetl_sessions{appliance="west"} 40.0' in metrics.read_text()


# Killed at any instant


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where copies are killed."""
    return tmp_path_factory.mktemp("scratch")


@pytest.mark.parametrize(
    ("part", "then"),
    [
        (0.0, "again"),
        (0.1, "rebuild"),
        (0.4, "again"),
        (0.6, "sync"),
        (0.7, "compact"),
        (0.8, "rebuild"),
        (0.9, "again"),
        (1.0, "nothing"),
    ],
)
def test_a_rename_that_was_killed_is_finished(
    part: float, then: str, two: Path, world: World, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the same command, or by whatever holds the lock next; readers have the one state or the other until then."""
    arguments = ("appliances", "rename", "old", "new")
    folder = kill_at(two, scratch, part, *arguments)
    seen = {row[0] for row in rows_of(folder / "warehouse.duckdb")["main.sessions"]}
    assert seen in ({"old", "west"}, {"new", "west"})
    is_begun = (folder / "work" / "appliance-change.json").exists()
    if then == "sync":
        assert is_begun
        with Simulator(world) as simulator:
            assert sync(simulator, folder, appliance="new", lookback=24 * 60).sessions_new == 0
    elif then in {"rebuild", "compact"}:
        assert call(capsys, folder, then)[0] == 0
    code = call(capsys, folder, *arguments)[0]
    # Where somebody else has finished it, there is nothing left to rename.
    assert code == (2 if then in {"sync", "compact", "nothing"} else 0)
    if then == "again":
        assert_renamed(two, folder, "old", "new")
    assert {row[0] for row in rows_of(folder / "warehouse.duckdb")["main.sessions"]} == {"new", "west"}
    assert {path.name for path in (folder / "lake").glob("*/*")} == {"new", "west"}
    assert not (folder / "work" / "appliance-change.json").exists()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_one_that_is_half_forgotten_goes(
    part: float, two: Path, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whenever it was killed, the next does the rest."""
    arguments = ("appliances", "forget", "old", "--yes")
    folder = kill_at(two, scratch / "forget", part, *arguments)
    assert call(capsys, folder, *arguments)[0] == 0
    assert_forgotten(two, folder)


# Forgotten


def assert_forgotten(two: Path, folder: Path) -> None:
    """Nothing of it is left, and everything of the other."""
    for database in ("warehouse.duckdb", "work/warehouse.duckdb"):
        assert rows_of(folder / database) == rows_of(two / database, but="old")
    assert read_lake(folder) == {name: rows for name, rows in read_lake(two).items() if "/old/" not in name}
    assert not [*(folder / "lake").rglob("old"), *(folder / "work").glob("*-old.json")]
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        assert (
            connection.execute("select count(*), sum(session_count) from mart.dim_users").fetchall()
            == connection.execute("select count(distinct user_name), count(user_name) from sessions").fetchall()
        )


def test_forgetting_asks_first(copy: Path, two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody can be asked, it wants to be told; and then nothing of it is left."""
    code, _, err = call(capsys, copy, "appliances", "forget", "old")
    assert (code, err.count("\n")) == (2, 1)
    assert "--yes" in err
    assert files_of(copy) == files_of(two)
    assert call(capsys, copy, "appliances", "forget", "old", "--yes")[0] == 0
    assert_forgotten(two, copy)
    assert call(capsys, copy, "rebuild")[0] == 0
    assert {row[0] for row in rows_of(copy / "warehouse.duckdb")["main.sessions"]} == {"west"}


def test_a_no_keeps_it(
    copy: Path, two: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, where Enter is no, too."""
    monkeypatch.setattr("spsetl.cli.upkeep.has_terminal", lambda: True)
    for answer in ("\n", "no\n"):
        monkeypatch.setattr("sys.stdin", StringIO(answer))
        assert call(capsys, copy, "appliances", "forget", "old")[0] == 2
        assert files_of(copy) == files_of(two)
    monkeypatch.setattr("sys.stdin", StringIO("yes\n"))
    assert call(capsys, copy, "appliances", "forget", "old")[0] == 0
    assert_forgotten(two, copy)


def test_the_last_one_can_be_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is left is an empty copy, which the next sync fills."""
    world = World(FEW)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, appliance="old")
        assert call(capsys, tmp_path, "appliances", "forget", "old", "--yes")[0] == 0
        assert all(not rows for table, rows in rows_of(tmp_path / "warehouse.duckdb").items() if "version" not in table)
        assert {table.name for table in schema.TABLES} <= {
            name.partition(".")[2] for name in rows_of(tmp_path / "warehouse.duckdb")
        }
        forget_snapshot(simulator)
        sync(simulator, tmp_path, appliance="new")
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance="new")
