"""What the marts are: each a SELECT in `sql/models/`, described there with its columns in models.toml."""

import re
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, Final, Literal

from spsetl.queries import read_descriptions, read_folder

SCHEMA: Final = "mart"
_FOLDER: Final = "models"


@dataclass(frozen=True)
class MartColumn:
    """One column: its name, its type in DuckDB, and what it means."""

    name: str
    sql_type: str
    comment: str


@dataclass(frozen=True)
class Mart:
    """One table or view of the schema `mart`.

    Attributes:
        name: Its name, and its file's.
        kind: Views are made of whatever is in the tables below them; tables are built.
        comment: What one row is.
        columns: In the order of the SELECT.
        statement: The SELECT.
    """

    name: str
    kind: Literal["table", "view"]
    comment: str
    columns: tuple[MartColumn, ...]
    statement: str

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the values that the SELECT needs."""
        return frozenset(re.findall(r"\$(\w+)", self.statement))


@cache
def read_marts() -> tuple[Mart, ...]:
    """All marts, each after those that it reads."""
    statements, descriptions = read_folder(_FOLDER), read_descriptions(_FOLDER)
    reads = {
        name: set(re.findall(rf"\b{SCHEMA}\.(\w+)", statement)) & statements.keys()
        for name, statement in statements.items()
    }
    return tuple(_mart(name, statements[name], descriptions[name]) for name in TopologicalSorter(reads).static_order())


def _mart(name: str, statement: str, description: dict[str, Any]) -> Mart:
    columns = tuple(
        MartColumn(column, told["type"], told["meaning"]) for column, told in description["columns"].items()
    )
    return Mart(name, description["kind"], description["description"], columns, statement)
