"""Each question in sql/questions/ answers, row by row, what boring Python finds in the plain tables."""

import json
import subprocess
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from spsetl.analysis.reader import open_warehouse
from spsetl.queries import read_folder, read_statement
from spsetl.simulator import Simulator, World, WorldSpec
from tests.handmade import write_handmade_copy
from tests.report_oracle import ANSWERS
from tests.report_rows import Copied, Office
from tests.syncing import sync

OLD_PYTHON: Final = Path(__file__).parents[2] / ".venv-duckdb-1.2.2" / "bin" / "python"
SQL: Final = Path(__file__).parents[2] / "sql"
DETAILS: Final = "channels,events,alerts,trail_downloads,indexing"
COPIES: Final = {
    "synced": Office(time(7), time(19), ZoneInfo("UTC")),
    "handmade": Office(time(8), time(17, 30), ZoneInfo("Europe/Budapest")),
}
# The zone of the session must not matter.
ASK: Final = """
import duckdb, json, sys
files, questions = json.load(sys.stdin)
answers = {}
for copy, file in files.items():
    con = duckdb.connect(file, read_only=True)
    con.execute("set TimeZone = 'Asia/Tokyo'")
    answers[copy] = {name: con.execute(query).fetchall() for name, query in questions.items()}
print(json.dumps([duckdb.__version__, answers], default=str))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of a small world, with all details, a night later; and one made by hand."""
    folder = tmp_path_factory.mktemp("copies")
    world = World(WorldSpec(sessions=250, days=150))
    with Simulator(world) as simulator:
        sync(simulator, folder, details=DETAILS)
        world.advance_night()
        world.add(fields={"start_time": world.now - timedelta(hours=30), "end_time": None, "verdict": "ACCEPT"})
        sync(simulator, folder, details=DETAILS)
    write_handmade_copy(folder / "handmade" / "warehouse.duckdb")
    return {"synced": folder / "warehouse.duckdb", "handmade": folder / "handmade" / "warehouse.duckdb"}


@pytest.fixture(scope="module", params=sorted(COPIES))
def copied(request: pytest.FixtureRequest, files: dict[str, Path]) -> Iterator[tuple[Any, Copied]]:
    """One of the copies, to be asked, and all its rows."""
    with open_warehouse(files[request.param]) as warehouse:
        yield warehouse, Copied.read(warehouse, COPIES[request.param])


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_answer_is_what_loops_over_the_rows_find(name: str, copied: tuple[Any, Copied]) -> None:
    """All of it: values, order and limit; and it finds something in either copy."""
    warehouse, rows = copied
    _, answer = warehouse.rows(read_statement("questions", name))

    assert answer == ANSWERS[name](rows)
    assert answer


def test_every_question_is_compared() -> None:
    """A new file in sql/questions/ needs its answer in Python too."""
    assert set(ANSWERS) == set(read_folder("questions"))


def test_what_counts_as_a_privileged_command_is_stated_once() -> None:
    """The three questions ask the macro, and no other statement names such commands."""
    questions = {name for name in read_folder("questions") if "privileged" in name}
    asking = {name for name, statement in read_folder("questions").items() if "from privileged_commands()" in statement}
    folders = [path.name for path in SQL.iterdir() if path.is_dir()]
    naming = {(folder, name) for folder in folders for name, text in read_folder(folder).items() if "'sudo'" in text}

    assert len(questions) == 3
    assert asking == questions
    assert naming == {("macros", "privileged_commands")}


def test_old_duckdb_answers_the_same(files: dict[str, Path]) -> None:
    """DuckDB 1.2.2, which many tools still embed, runs each question as it is."""
    questions = {name: read_statement("questions", name) for name in ANSWERS}
    asked = json.dumps([{copy: str(file) for copy, file in files.items()}, questions])
    done = subprocess.run([str(OLD_PYTHON), "-I", "-c", ASK], input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    version, answers = json.loads(done.stdout)

    assert version == "1.2.2"
    assert answers.keys() == COPIES.keys()
    for copy, file in files.items():
        with open_warehouse(file) as warehouse:
            now = {name: warehouse.rows(question)[1] for name, question in questions.items()}
        assert answers[copy] == json.loads(json.dumps(now, default=str))
