"""`spsetl search` and `spsetl sql`: what is found, and each form that it is written in."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.cli import run
from spsetl.errors import UsageError
from tests.published import publish_sessions

FIRST = datetime(2024, 3, 1, 10)  # noqa: DTZ001 as the tables hold it
SESSIONS: list[dict[str, Any]] = [
    {
        "user_name": f"user{number % 5}" if number % 4 else None,
        "user_gateway_username": "gate",
        "server_name": "=HYPERLINK(1)" if number == 7 else f"web{number % 3}",
        "protocol": "ssh" if number % 2 else "RDP",
        "recording_connection_policy": f"policy{number % 2}",
        "start_time": FIRST + timedelta(hours=number),
        "duration": number * 10,
        "analytics_score_aggregated": -float(number % 6) if number % 5 else None,
    }
    for number in range(30)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a published copy in data/."""
    folder = tmp_path_factory.mktemp("search")
    publish_sessions(folder / "data", SESSIONS)
    return folder


@pytest.fixture(autouse=True)
def _beside_the_copy(no_settings: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is found as ./data."""
    monkeypatch.chdir(folder)


@pytest.fixture
def warehouse(folder: Path) -> Iterator[Warehouse]:
    """The copy, open."""
    with open_warehouse(folder / "data") as warehouse:
        yield warehouse


def asked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    """What a command says on stdout and on stderr."""
    assert run(arguments) == code
    said = capsys.readouterr()
    return said.out, said.err


def keys(text: str) -> list[str]:
    """The last column of CSV."""
    return [row[-1] for row in csv.reader(io.StringIO(text))][1:]


def test_sessions_by_an_expression(capsys: pytest.CaptureFixture[str]) -> None:
    """The newest first, with the columns that a person looks for."""
    out, err = asked(capsys, "search", "protocol:ssh AND recording.connection_policy:policy1", "--format", "csv")
    assert out.startswith("start_time,user,server,protocol,verdict,score,duration,session_key\n")
    assert keys(out) == [f"key-{number:04}" for number in reversed(range(1, 30, 2))]
    assert err == ""


def test_ranges_and_all_sessions(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an expression all sessions; a range restricts them; nothing found is said."""
    out, _ = asked(capsys, "search", "--format", "csv", "--start", "2024-03-02", "--end", "2024-03-02T03:00")
    assert keys(out) == ["key-0016", "key-0015", "key-0014"]
    out, err = asked(capsys, "search", "--start", "2031-01-01")
    assert "session_key" in out
    assert err == "no session found\n"
    out, _ = asked(capsys, "search", "-protocol:ssh", "--format", "csv")
    assert keys(out) == [f"key-{number:04}" for number in reversed(range(0, 30, 2))]


def test_columns_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns in any spelling; each order is total, and what has no value comes last."""
    wanted = "psm.connection_policy,user,analytics_score_aggregated,session_key"
    out, _ = asked(
        capsys, "search", "--columns", wanted, "--sort", "-score,duration", "--format", "csv", "--limit", "0"
    )
    assert out.startswith("recording_connection_policy,user,analytics_score_aggregated,session_key\n")
    order = sorted(
        range(30),
        key=lambda n: (n % 5 == 0, -(SESSIONS[n]["analytics_score_aggregated"] or 0), SESSIONS[n]["duration"]),
    )
    assert keys(out) == [f"key-{number:04}" for number in order]
    assert {row[1] for row in csv.reader(io.StringIO(out))} == {"user", "gate", *(f"user{n}" for n in range(5))}


def test_a_limit_says_how_many_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Only where some are left out."""
    assert asked(capsys, "search", "--limit", "3")[1] == "3 of 30 sessions found; --limit 0 shows all\n"
    for limit in ("30", "31", "0"):
        assert asked(capsys, "search", "--limit", limit)[1] == ""


def test_content_says_what_it_searches(capsys: pytest.CaptureFixture[str]) -> None:
    """No event is in this copy, which is said with the empty answer."""
    out, err = asked(capsys, "search", "--content", "rm -rf", "--format", "csv")
    assert keys(out) == []
    assert "--content searches" in err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["search", "protocol:("], "position"),
        (["search", "--columns", "usr"], "did you mean 'user'?"),
        (["search", "--columns", ","], "no column"),
        (["search", "--sort", "-scor"], "did you mean 'score'?"),
        (["search", "--limit", "-1"], "limit"),
        (["search", "--start", "2024-03-02", "--end", "2024-03-01"], "empty"),
        (["sql"], "--file"),
        (["sql", "select 1", "--file", "question.sql"], "one question"),
        (["sql", "--file", "nowhere.sql"], "nowhere.sql"),
        (["sql", "select 1", "--format", "parquet"], "-o FILE"),
        (["sql", "select 1", "-o", "nowhere/x.csv"], "no folder nowhere"),
        (["sql", "select 1", "-o", "."], "folder"),
        (["sql", "select 1", "-o", "data/warehouse.duckdb"], "part of the copy"),
        (["sql", "select 1", "-o", "data/lake/x.csv"], "part of the copy"),
        (["sql", "select union_value(a := 1) as u", "-o", "x.parquet"], "varchar"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names what is wrong, and no file is there afterwards."""
    out, err = asked(capsys, *arguments, code=2)
    assert (out, len(err.splitlines())) == ("", 1)
    assert named in err
    assert [path.name for path in Path().iterdir()] == ["data"]


def test_frames_of_sessions(warehouse: Warehouse) -> None:
    """As a notebook asks: all of them, with proper types."""
    frame = warehouse.search("protocol:ssh", columns=["start_time", "duration"], sort=["start_time"])
    assert list(frame["duration"]) == list(range(10, 300, 20))
    assert pd.api.types.is_datetime64_dtype(frame["start_time"])
    assert len(warehouse.search(start="2024-03-02", limit=2)) == 2
    with pytest.raises(UsageError, match="limit"):
        warehouse.search(limit=0)


QUESTION = "select server_name, -duration as less, start_time, score.s from sessions, (select 1.50 as s) as score "
QUESTION += "where duration = 70"


def test_every_form_of_an_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table, CSV safe for a spreadsheet or raw, JSON lines, and Parquet with its types."""
    assert "=HYPERLINK(1)" in asked(capsys, "sql", QUESTION)[0]
    header = "server_name,less,start_time,s\n"
    row = "=HYPERLINK(1),-70,2024-03-01T17:00:00,1.50\n"
    assert asked(capsys, "sql", QUESTION, "--format", "csv")[0] == f"{header}'{row}"
    assert asked(capsys, "sql", QUESTION, "--format", "csv", "--raw")[0] == header + row
    for form in ("json", "jsonl"):
        [line] = asked(capsys, "sql", QUESTION, "--format", form)[0].splitlines()
        values = {"server_name": "=HYPERLINK(1)", "less": -70, "start_time": "2024-03-01T17:00:00", "s": 1.5}
        assert json.loads(line) == values
    file = tmp_path / "answer.parquet"
    assert asked(capsys, "sql", QUESTION, "-o", str(file)) == ("", "")
    with duckdb.connect() as connection:
        assert connection.execute(f"select typeof(columns(*)) from '{file}'").fetchall() == [
            ("VARCHAR", "BIGINT", "TIMESTAMP", "DECIMAL(3,2)")
        ]
    assert pq.read_table(file).to_pylist()[0]["server_name"] == "=HYPERLINK(1)"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "ndjson", "parquet", "txt"])
def test_a_file_is_replaced_whole(ending: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In the form that its ending says, else a table; a question that fails leaves the old one."""
    file = tmp_path / f"answer.{ending}"
    file.write_text("old")
    broken = "select cast(case when range > 300000 then 'x' else '1' end as integer) as n from range(400000)"
    if ending != "txt":  # a table of that takes long
        asked(capsys, "sql", broken, "-o", str(file), code=2)
        assert file.read_text() == "old"
    asked(capsys, "sql", "select 17 as n, 18 as n", "-o", str(file))
    content = file.read_bytes()
    assert {
        "csv": content == b"n,n\n17,18\n",
        "jsonl": content == b'{"n":17,"n_2":18}\n',
        "ndjson": content == b'{"n":17,"n_2":18}\n',
        "parquet": ending == "parquet" and pq.read_table(file).to_pylist() == [{"n": 17, "n_2": 18}],
        "txt": "│ 17".encode() in content,
    }[ending]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_questions_from_a_file_and_from_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As they are, comments, byte order mark and all."""
    file = tmp_path / "question.sql"
    file.write_text("\ufeff-- a question\nselect 'ü' as letter", encoding="utf-8")
    assert asked(capsys, "sql", "--file", str(file), "--format", "csv")[0] == "letter\nü\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"select 2 as two")))
    assert asked(capsys, "sql", "-", "--format", "csv")[0] == "two\n2\n"
    file.write_bytes(b"select '\xff'")
    assert "UTF-8" in asked(capsys, "sql", "--file", str(file), code=2)[1]


@pytest.mark.parametrize("form", ["csv", "table"])
def test_a_reader_that_goes_away_is_no_failure(form: str) -> None:
    """`| head`, of more than a pipe holds."""
    command = [sys.executable, "-m", "spsetl", "sql", "from range(20000)", "--format", form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_memory_does_not_grow_with_the_answer(tmp_path: Path) -> None:
    """A hundred times the rows take less than half as much memory again, in CSV and in Parquet."""
    program = (
        "import resource, sys\n"
        "from spsetl.cli import run\n"
        "code = run(['sql', f\"select range, 'x' || range || repeat('y', 100) as text from range({sys.argv[1]})\", "
        "'-o', sys.argv[2]])\n"
        "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(rows: int, ending: str) -> int:
        command = [sys.executable, "-c", program, str(rows), str(tmp_path / f"answer.{ending}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        code, size = done.stdout.split()
        assert code == "0"
        return int(size)

    for ending, many in (("parquet", 1_000_000), ("csv", 200_000)):
        assert peak(many, ending) < 1.5 * peak(many // 100, ending)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    """Also where it is the shell that writes the file."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "spsetl", "sql", "from range(20000)", "--format", "csv"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr
