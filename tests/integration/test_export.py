"""`spsetl export`: every mart as a file, all of one published state, replaced whole or not at all."""

import csv
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from spsetl.cli import run
from spsetl.simulator import Simulator, World, WorldSpec
from tests.published import publish_sessions
from tests.syncing import ask, sync

MARTS = "select table_name from information_schema.tables where table_schema = 'mart' order by all"
FACTS = {"fct_sessions", "fct_channels", "fct_events", "fct_alerts"}
SOME = "upper(protocol) = 'SSH' and start_time >= '2026-10-29'"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published copy of a small appliance."""
    folder = tmp_path_factory.mktemp("export") / "data"
    with Simulator(World(WorldSpec(sessions=60, days=6))) as simulator:
        sync(simulator, folder)
    return folder


@pytest.fixture(autouse=True)
def _settings(alone: None, monkeypatch: pytest.MonkeyPatch, copy: Path) -> None:
    """Where the copy is."""
    monkeypatch.setenv("SPSETL_DATA_DIR", str(copy))


def rows_of(file: Path) -> list[tuple[Any, ...]]:
    """What DuckDB reads from a file."""
    with duckdb.connect() as connection:
        return connection.execute(f"select * from '{file}' order by all").fetchall()


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(copy: Path) -> list[str]:
    """The marts of the copy."""
    found = [name for (name,) in ask(copy, MARTS)]
    assert set(found) >= FACTS | {"dim_users", "dim_servers", "dim_dates", "agg_sessions_daily"}
    return found


def test_every_mart_is_a_file(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its rows, its types and its comments; what else is in the folder stays."""
    Path("out/mine").mkdir(parents=True)
    Path("out/mine/notes.txt").write_text("mine")
    assert run(["export", "out"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    marts = names(copy)
    assert set(files(Path("out"))) == {"mine/notes.txt", *(f"{name}/{name}.parquet" for name in marts)}
    for name in marts:
        file = Path("out", name, f"{name}.parquet")
        rows = rows_of(file)
        assert rows == ask(copy, f"select * from mart.{name} order by all")
        assert f"{name}: {len(rows):,} rows\n" in said.err
        types = "select column_name, column_type from (describe {})"
        with duckdb.connect(copy / "warehouse.duckdb", read_only=True) as connection:
            of_file = connection.execute(types.format(f"from '{file}'")).fetchall()
            assert of_file == connection.execute(types.format(f"from mart.{name}")).fetchall()
    schema = pq.read_schema("out/fct_sessions/fct_sessions.parquet")
    [(comment,)] = ask(
        copy,
        "select comment from duckdb_columns() where schema_name = 'mart' and table_name = 'fct_sessions' "
        "and column_name = 'user_name'",
    )
    assert schema.field("user_name").metadata == {b"comment": comment.encode()}


def test_facts_of_the_sessions_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Q and a range restrict what belongs to a session; the rest is whole, and that is said."""
    assert run(["export", "out", "--q", "protocol:ssh", "--start", "2026-10-29"]) == 0
    said = capsys.readouterr().err
    keys = f"(appliance, session_key) in (select (appliance, session_key) from sessions where {SOME})"
    for name in names(copy):
        rows = rows_of(Path("out", name, f"{name}.parquet"))
        is_fact = name in FACTS
        line = next(line for line in said.splitlines() if line.startswith(f"{name}: "))
        if is_fact:
            assert rows == ask(copy, f"select * from mart.{name} where {keys} order by all")
            assert 0 < len(rows) < ask(copy, f"select count(*) from mart.{name}")[0][0]
        assert not (is_fact and "whole" in line)
        if "whole" in line:
            assert rows == ask(copy, f"select * from mart.{name} order by all")


def test_chosen_marts_as_csv(copy: Path) -> None:
    """Safe for a spreadsheet, and no other is touched."""
    assert run(["export", "out", "--marts", "dim_users, fct_alerts", "--format", "csv"]) == 0
    assert set(files(Path("out"))) == {"dim_users/dim_users.csv", "fct_alerts/fct_alerts.csv"}
    with Path("out/dim_users/dim_users.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    users = ask(copy, "select user_name from mart.dim_users")
    # "; --" would begin a formula where lines are split at semicolons.
    assert {row["user_name"].replace(";' --", "; --") for row in found} == {name for (name,) in users}
    assert len(found) == len(users)


def test_a_new_export_replaces_the_old_one(copy: Path) -> None:
    """Whole: what a narrower one leaves out is gone."""
    assert run(["export", "out"]) == 0
    before = files(Path("out"))
    assert run(["export", "out", "--q", "NOT protocol:*", "--marts", "fct_sessions"]) == 0
    after = files(Path("out"))
    assert rows_of(Path("out/fct_sessions/fct_sessions.parquet")) == []
    changed = {name for name in before if before[name] != after[name]}
    assert (before.keys(), changed) == (after.keys(), {"fct_sessions/fct_sessions.parquet"})


def test_a_full_disk_leaves_the_old_export(copy: Path) -> None:
    """Every file of it, though some of the new ones had room; one line and exit code 3."""
    assert run(["export", "out"]) == 0
    before = files(Path("out"))
    limit = max(map(len, before.values())) - 1

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "spsetl", "export", "out"]
    done = subprocess.run(command, preexec_fn=no_room, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write out/" in done.stderr
    assert files(Path("out")) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["{copy}/lake"], "part of the copy"),
        (["{copy}/work/out"], "part of the copy"),
        (["out", "--marts", "dim_user"], "did you mean 'dim_users'?"),
        (["out", "--marts", ","], "dim_users"),
        (["file/out"], "a file is in its place"),
        (["file"], "a file is in its place"),
        (["out", "--q", "protocol:("], "position"),
        (["out", "--format", "xlsx"], "xlsx"),
        ([], "FOLDER"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], named: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is written."""
    Path("file").touch()
    assert run(["export", *(argument.format(copy=copy) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert named in said.err
    assert set(files(Path())) == {"file"}


def test_what_a_killed_export_left_is_removed_later(copy: Path) -> None:
    """Once it is a day old, so that nobody still writes it; other hidden files stay."""
    folder = Path("out/dim_users")
    folder.mkdir(parents=True)
    left = folder / ".dim_users.parquet.999999.partial"
    for path in (left, folder / ".mine"):
        path.write_text("half")
        os.utime(path, (1, 1))
    assert run(["export", "out", "--marts", "dim_users"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [".mine", "dim_users.parquet"]


def test_a_copy_without_marts_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that an older version has published."""
    publish_sessions(tmp_path / "old", [{}])
    assert run(["export", "out", "--data-dir", str(tmp_path / "old")]) == 2
    assert "run `spsetl sync`" in capsys.readouterr().err
