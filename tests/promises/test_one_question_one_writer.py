"""Whatever asks for sessions means the same ones, and whatever has rows writes them in every form."""

import csv
import io
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from spsetl.cli import run
from spsetl.settings import Settings
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase
from tests.published import publish_sessions

BEGIN = datetime.fromisoformat("2026-11-01T00:00")
SESSIONS: list[dict[str, Any]] = [
    {
        "start_time": BEGIN + timedelta(hours=7 * number),
        "end_time": BEGIN + timedelta(hours=7 * number + number % 30),
        "protocol": ("ssh", "rdp", "=ica")[number % 3],
        "user_name": f"user{number % 5}",
        "appliance": ("sps", "other")[number % 7 == 0],
    }
    for number in range(60)
]
POPULATIONS: list[dict[str, str]] = [
    {},
    {"start": "2026-11-04", "end": "2026-11-09"},
    {"start": "2026-11-04", "end": "2026-11-09", "match": "contained"},
    {"start": "2026-11-04T05:00", "end": "2026-11-09", "match": "overlap"},
    {"appliance": "other"},
    {"q": "protocol:ssh AND NOT user.name:user1"},
    {"q": "-protocol:ssh", "start": "2026-11-02", "appliance": "sps", "match": "overlap"},
    {"content": "rm"},
    {"content": "rm", "q": "user.name:user2", "end": "2026-11-12"},
]
REFUSED = [
    (["--start", "2026-11-04", "--end", "2026-11-01"], "is empty"),
    (["--start", "yesterday"], "cannot read 'yesterday' as a time"),
    (["--appliance", "othr"], "did you mean 'other'?"),
    (["--content", ""], "the text of --content is empty"),
    (["--match", "all"], "--match"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published copy of sixty sessions, some with commands, and its marts."""
    data = publish_sessions(tmp_path_factory.mktemp("asked") / "data", SESSIONS)
    with WorkDatabase(data / "work" / "warehouse.duckdb", published=data / "warehouse.duckdb") as work:
        work.connection.execute(
            "insert into events (appliance, session_key, record_id, content) "
            "select appliance, session_key, 1, 'rm -rf /' from sessions where protocol = 'rdp'"
        )
        work.connection.execute(
            "insert into detail_fetches by name "
            "select appliance, session_key, 'events' as kind, 'fetched' as status from sessions"
        )
        build_marts(work, Settings().office_hours)
        work.checkpoint()
    publish(data / "work" / "warehouse.duckdb", data / "warehouse.duckdb")
    return data


@pytest.fixture(autouse=True)
def _alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SPSETL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPSETL_DATA_DIR", str(data))


def options(population: dict[str, str]) -> list[str]:
    """A population as options of a command."""
    return [f"--{name}={value}" for name, value in population.items()]


@pytest.mark.parametrize("population", POPULATIONS, ids=str)
def test_every_command_means_the_same_sessions(
    population: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values of a key, bins of time, a list and an export are all of the same sessions."""
    asked = options(population)
    listed = {name: value for name, value in population.items() if name != "q"}
    forms = ["--format", "jsonl"]
    assert run(["stats", "session_key", "--size", "1000", *asked, *forms]) == 0
    counted = [json.loads(line)["value"] for line in capsys.readouterr().out.splitlines()]
    # After what has a hyphen before it nothing is taken for an option.
    assert run(["search", *options(listed), "--limit", "0", *forms, "--", population.get("q", "*")]) == 0
    found = [json.loads(line)["session_key"] for line in capsys.readouterr().out.splitlines()]
    assert run(["histogram", "--bin-size", "month", *asked, "--format", "json"]) == 0
    bins = json.loads(capsys.readouterr().out)["body"]["buckets"]
    assert run(["export", str(tmp_path), "--marts", "fct_sessions", *asked]) == 0
    exported = pq.read_table(tmp_path / "fct_sessions" / "fct_sessions.parquet")["session_key"].to_pylist()

    assert 0 < len(found) <= len(SESSIONS)
    assert sorted(found) == sorted(counted) == sorted(exported)
    if population.get("match") != "overlap":
        assert sum(one["start_count"] for one in bins) == len(found)
    assert (len(found) == len(SESSIONS)) == (not population)


@pytest.mark.parametrize(("wrong", "complaint"), REFUSED, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("command", [["stats", "protocol"], ["histogram"], ["search"], ["export", "out"]], ids=str)
def test_every_command_refuses_the_same(
    command: list[str], wrong: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With exit code 2 and a line, before anything is written."""
    monkeypatch.chdir(tmp_path)
    assert run([*command, *wrong]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


ASKING = [
    ["sql", "select protocol, count(*) as n from sessions group by all order by all"],
    ["search", "--columns", "session_key,protocol,start_time", "--limit", "7"],
    ["stats", "protocol"],
    ["stats", "protocol", "--sub-field", "user.name", "--size", "2"],
    ["stats", "vault.account_name"],
    ["histogram"],
    ["quarantine"],
    ["appliances"],
    ["status"],
]


def written(command: list[str], path: Path) -> bytes:
    """What the command writes into a file."""
    assert run([*command, "-o", str(path)]) == 0
    return path.read_bytes()


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_every_answer_has_every_form(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV, lines of JSON and Parquet have the same columns and rows; a file has what standard output has."""
    lines = [json.loads(line) for line in written(command, tmp_path / "out.jsonl").splitlines()]
    heading, *cells = csv.reader(io.StringIO(written(command, tmp_path / "out.csv").decode()))
    written(command, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")

    assert table.column_names == heading
    assert len(cells) == table.num_rows == len(lines)
    if "status" not in command:  # its age grows
        for row, line in zip(table.to_pylist(), lines, strict=True):
            assert json.loads(json.dumps(row, default=datetime.isoformat)) == line
    assert not any(field.type == "null" for field in table.schema)
    capsys.readouterr()
    if "status" not in command:
        assert run([*command, "--format", "csv"]) == 0
        assert capsys.readouterr().out.encode() == (tmp_path / "out.csv").read_bytes()


def test_no_answer_is_a_formula(tmp_path: Path) -> None:
    """A value that begins like one has an apostrophe in CSV, unless it is asked for as it is; and nowhere else."""
    for command in (["stats", "protocol"], ["search", "--columns", "protocol"]):
        assert b"\n'=ica" in written(command, tmp_path / "out.csv")
        assert b"\n=ica" in written([*command, "--raw"], tmp_path / "out.csv")
        assert b'"=ica"' in written(command, tmp_path / "out.jsonl")


@pytest.mark.parametrize("command", [["stats", "protocol"], ["histogram"]], ids=" ".join)
def test_json_has_the_appliances_own_shape(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard output and in a file, by its name too; lines of JSON are rows."""
    assert run([*command, "--format", "json"]) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown)["meta"]["parent"] == "/api/audit/sessions"
    assert written(command, tmp_path / "out.json") == shown.encode()


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_nothing_is_written_into_the_copy(command: list[str], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by any of them, and Parquet never goes to a terminal."""
    before = (data / "warehouse.duckdb").read_bytes()
    assert run([*command, "-o", str(data / "warehouse.duckdb"), "--format", "csv"]) == 2
    assert "part of the copy" in capsys.readouterr().err
    assert run([*command, "--format", "parquet"]) == 2
    assert "add -o FILE" in capsys.readouterr().err
    assert (data / "warehouse.duckdb").read_bytes() == before
