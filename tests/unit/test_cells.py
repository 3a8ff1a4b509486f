"""Values for other programs: whatever a session holds, a spreadsheet shows it, and a parser reads it back."""

import csv
import io
import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.cli.output import csv_lines, json_line, unique_names

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@\t\r\n\",'＝＋－＠ "))  # noqa: RUF001
FORMULA = set("=+-@\t\r＝＋－＠")  # noqa: RUF001


def read(text: str) -> list[list[str]]:
    """What a strict reader of CSV finds."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=4))
def test_raw_text_is_read_back_as_it_was(rows: list[list[str]]) -> None:
    """Quotes, commas, line ends and control characters stay in their cell."""
    assert read(csv_lines(rows, raw=True)) == rows


@given(st.lists(TEXT, min_size=2, max_size=2))
def test_no_cell_of_text_begins_as_a_formula(row: list[str]) -> None:
    """Nothing but apostrophes is added, and then only where a spreadsheet would calculate."""
    [cells] = read(csv_lines([row]))
    for cell, text in zip(cells, row, strict=True):
        assert re.sub("(^|[;\t\r\n])'", r"\1", cell) == re.sub("(^|[;\t\r\n])'", r"\1", text)
        assert cell in {text, f"'{text}"} or set(text) & set(";\t\r\n")
        assert cell[:1] not in FORMULA
        assert cell.strip()[:1] not in FORMULA


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "\u200b=1", "\uff1d1"])
def test_formulas_are_disarmed(text: str) -> None:
    """Also behind blanks that cannot be seen, and in full-width forms."""
    # Where lines are split at tabs, or amid a line at its ends, what follows them begins a cell.
    behind = re.sub("([\t\r\n])=", r"\1'=", text)
    assert read(csv_lines([[text, "b"]])) == [[f"'{behind}", "b"]]
    assert read(csv_lines([[text, "b"]], raw=True)) == [[text, "b"]]


@pytest.mark.parametrize(
    ("value", "cell", "in_json"),
    [
        (None, "", "null"),
        (-5, "-5", "-5"),
        (-0.5, "-0.5", "-0.5"),
        (Decimal("-1.50"), "-1.50", "-1.50"),
        (2**70, str(2**70), str(2**70)),
        (float("nan"), "nan", "null"),
        (True, "True", "true"),
        (datetime(2024, 3, 1, 10), "2024-03-01T10:00:00", '"2024-03-01T10:00:00"'),  # noqa: DTZ001 as the tables hold it
        (date(2024, 3, 1), "2024-03-01", '"2024-03-01"'),
        (timedelta(hours=1), "1:00:00", '"1:00:00"'),
        (b"\xff", "ff", '"ff"'),
        (UUID(int=1), str(UUID(int=1)), f'"{UUID(int=1)}"'),
        (["=a", 2**70, Decimal(1)], f'"[""=a"",{2**70},1]"', f'["=a",{2**70},1]'),
        ({"a": [b"\x01"]}, '"{""a"":[""01""]}"', '{"a":["01"]}'),
        ({Decimal(1): 2}, '"{""1"":2}"', '{"1":2}'),
        ({1: 2}, '"{""1"":2}"', '{"1":2}'),
    ],
)
def test_values_of_every_kind(value: Any, cell: str, in_json: str) -> None:
    """Numbers keep all of their digits and their sign, times are ISO 8601."""
    assert csv_lines([["", value]]) == f",{cell}\n"
    assert json_line(["a"], [value]) == f'{{"a":{in_json}}}\n'
    assert set(json.loads(json_line(["a"], [value]))) == {"a"}


def test_a_line_with_one_empty_cell_is_a_line() -> None:
    """An empty line would be no row."""
    assert read(csv_lines([["a"], [None], [""]])) == [["a"], [""], [""]]


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_2_2"])))
def test_no_column_hides_another(names: list[str]) -> None:
    """Names are told apart; those that are different already stay."""
    unique = unique_names(names)
    assert len(set(unique)) == len(names)
    assert unique == names or len(set(names)) < len(names)
