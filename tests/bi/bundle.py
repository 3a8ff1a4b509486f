"""Superset's files of the dashboard, and the columns of the warehouse in them: `python -m tests.bi.bundle WAREHOUSE`.

So called, it writes the warehouse's columns into the datasets; names that a person gave to columns stay.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import yaml

DEPLOYMENT: Final = Path(__file__).parents[2] / "deployments" / "bi" / "superset"
DASHBOARD: Final = DEPLOYMENT / "privileged_sessions"
TIMES: Final = ("TIMESTAMP", "DATE")

Column = tuple[str, str, str]


def read_all(folder: str) -> dict[str, dict[str, Any]]:
    """The files of one kind (charts, dashboards, databases, datasets) by their names."""
    files = sorted((DASHBOARD / folder).rglob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}


def described_columns(dataset: dict[str, Any]) -> list[Column]:
    """Name, type and meaning of the dataset's columns that are the table's own."""
    own = [column for column in dataset["columns"] if not column["expression"]]
    return [(column["column_name"], column["type"], column["description"]) for column in own]


def warehouse_columns(warehouse: Path, dataset: dict[str, Any]) -> list[Column]:
    """Name, type and meaning of the columns of the dataset's table."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(
            "select column_name, data_type, comment from duckdb_columns() "
            "where schema_name = ? and table_name = ? order by column_index",
            [dataset["schema"], dataset["table_name"]],
        ).fetchall()


def names_in(part: Any) -> Iterator[str]:
    """Every text in a chart's parameters or its query."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from names_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from names_in(value)


def write_columns(warehouse: Path) -> None:
    """Each dataset has the warehouse's columns, and those that it calculates."""
    for file in sorted((DASHBOARD / "datasets").rglob("*.yaml")):
        dataset = yaml.safe_load(file.read_text(encoding="utf-8"))
        known = {column["column_name"]: column for column in dataset["columns"]}
        calculated = [column for column in dataset["columns"] if column["expression"]]
        own = [_column(*one, known) for one in warehouse_columns(warehouse, dataset)]
        dataset["columns"] = own + calculated
        text = yaml.safe_dump(dataset, sort_keys=False, allow_unicode=True, width=10**6)
        file.write_text(text, encoding="utf-8")


def _column(name: str, kind: str, meaning: str, known: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = {
        "column_name": name,
        "verbose_name": name.replace("_", " ").capitalize(),
        "groupby": True,
        "filterable": True,
        "expression": None,
        "python_date_format": None,
        "extra": {},
    }
    latest = {"is_dttm": kind in TIMES, "is_active": True, "type": kind, "description": meaning}
    return template | known.get(name, {}) | latest


if __name__ == "__main__":
    write_columns(Path(sys.argv[1]))
