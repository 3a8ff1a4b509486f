"""The questions in sql/reports/: each runs as it is on a copy, and the README shows what it is."""

import re
from collections.abc import Iterator

import pytest

from spsetl.queries import read_folder, read_statement
from spsetl.settings import load_settings
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import Silence, ThreadRunner, run_sync
from spsetl.warehouse.reader import Warehouse, open_warehouse
from tests.answers import QUESTIONS, answer_as_markdown, question_as_markdown
from tests.readme import README

BI_TYPES = re.compile(r"BOOLEAN|INTEGER|BIGINT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|DATE|TIMESTAMP")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A small copy with all details."""
    folder = tmp_path_factory.mktemp("copy")
    with Simulator(World(WorldSpec(sessions=300))) as simulator:
        access = {"url": simulator.url, "username": simulator.username, "password": simulator.password}
        settings = load_settings(access | {"data_dir": folder}, environ={})
        run_sync(settings, runner=ThreadRunner(), progress=Silence())
    with open_warehouse(folder) as opened:
        yield opened


@pytest.mark.parametrize("name", sorted(read_folder("reports")))
def test_the_question_is_answered_in_types_that_every_tool_reads(name: str, warehouse: Warehouse) -> None:
    """It runs read-only, finds something in a copy of an ordinary appliance, and casts every column."""
    statement = read_statement("reports", name)
    _, rows = warehouse.rows(statement)
    assert rows
    _, columns = warehouse.rows(f"describe {statement.partition(chr(10))[2]}")
    assert [(column, kind) for column, kind, *_ in columns if not BI_TYPES.fullmatch(kind)] == []


@pytest.mark.parametrize(("number", "name"), list(enumerate(QUESTIONS, 1)))
def test_the_readme_shows_the_question_as_its_file_has_it(number: int, name: str, warehouse: Warehouse) -> None:
    """`python -m tests.answers demo-data` writes it, with the answer of the demo's copy below."""
    readme = README.read_text(encoding="utf-8")
    columns, _ = warehouse.rows(read_statement("reports", name))
    heading = answer_as_markdown(columns, [])
    assert f"{question_as_markdown(number, name)}\n{heading}" in readme
