"""What a person asks with `spsetl sql --file`: each file runs, in types every tool reads, and is shown as it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.queries import read_folder, read_statement
from tests.answers import (
    END,
    IN_README,
    QUESTIONS,
    QUESTIONS_PAGE,
    START,
    answer_as_markdown,
    question_as_markdown,
    with_answers,
)
from tests.handmade import write_handmade_copy
from tests.readme import README

# The two of sql/status/ that DATA.md names.
OF_THE_COPY: Final = (("status", "copy_status"), ("status", "retention"))
FILES: Final = [*(("questions", name) for name in sorted(read_folder("questions"))), *OF_THE_COPY]
BI_TYPES: Final = re.compile(r"BOOLEAN|INTEGER|BIGINT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|DATE|TIMESTAMP")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A copy made by hand."""
    file: Path = tmp_path_factory.mktemp("copy") / "warehouse.duckdb"
    write_handmade_copy(file)
    with open_warehouse(file) as opened:
        yield opened


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_the_question_is_answered_in_types_that_every_tool_reads(folder: str, name: str, warehouse: Warehouse) -> None:
    """It runs read-only, finds something, and casts every column."""
    statement = read_statement(folder, name)
    _, rows = warehouse.rows(statement)
    assert rows
    _, columns = warehouse.rows(f"describe {statement.partition(chr(10))[2]}")
    assert columns
    assert [(column, kind) for column, kind, *_ in columns if not BI_TYPES.fullmatch(kind)] == []


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_the_first_line_is_a_question_and_what_a_row_is(folder: str, name: str) -> None:
    """The demo and the README show what stands before the colon."""
    first = read_statement(folder, name).partition("\n")[0]
    assert re.fullmatch(r"-- [A-Z][^:]+: one row per [^:]+\.", first)


@pytest.mark.parametrize(("number", "name"), list(enumerate(QUESTIONS, 1)))
def test_the_page_shows_the_question_as_its_file_has_it(number: int, name: str, warehouse: Warehouse) -> None:
    """`python -m tests.answers demo-data` writes it, with the answer of the demo's copy below."""
    page = QUESTIONS_PAGE.read_text(encoding="utf-8")
    columns, _ = warehouse.rows(read_statement("questions", name))
    heading = answer_as_markdown(columns, [])
    assert f"{question_as_markdown(number, name)}\n{heading}" in page


def test_there_are_ten_questions_on_the_page() -> None:
    """All different, and nothing else stands between the two marks."""
    part = QUESTIONS_PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]

    assert len(set(QUESTIONS)) == 10
    assert re.findall(r"^(\d+)\. \*\*", part, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert re.findall(r"`sql/questions/(\w+)\.sql`", part) == list(QUESTIONS)


@pytest.mark.parametrize("name", IN_README)
def test_the_readme_has_five_with_their_answers(name: str, warehouse: Warehouse) -> None:
    """With the command that asks it, and the columns that it has now."""
    readme = README.read_text(encoding="utf-8")
    columns, _ = warehouse.rows(read_statement("questions", name))
    assert f"    spsetl sql --file sql/questions/{name}.sql\n\n{answer_as_markdown(columns, [])}| " in readme


def test_the_answers_are_written_between_the_marks(warehouse: Warehouse) -> None:
    """What stood there is replaced, what stands around it stays; each question has its first three rows at most."""
    text = with_answers(f"before\n{START}\nold\n{END}\nafter\n", warehouse)

    assert text.startswith(f"before\n{START}\n\n1. **")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text.partition(START)[2].partition("\n1.")[0]
    for number, name in enumerate(QUESTIONS, 1):
        columns, rows = warehouse.rows(read_statement("questions", name))
        assert f"{question_as_markdown(number, name)}\n{answer_as_markdown(columns, rows[:3])}" in text
    assert with_answers(text, warehouse) == text
