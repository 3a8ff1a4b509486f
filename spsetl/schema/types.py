"""What a table is made of: kinds of columns, columns, tables."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pyarrow as pa


class Kind(StrEnum):
    """What a column holds. `TEXT` also takes numbers and booleans, as text; `JSON` is JSON in a text column."""

    TEXT = "VARCHAR"
    BOOLEAN = "BOOLEAN"
    INTEGER = "BIGINT"
    DOUBLE = "DOUBLE"
    TIMESTAMP = "TIMESTAMP"
    JSON = "JSON"

    @property
    def sql_type(self) -> str:
        """The DuckDB type; JSON is stored as text, which every driver reads."""
        return "VARCHAR" if self is Kind.JSON else self.value

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type; timestamps are UTC, in microseconds, without a zone."""
        return _ARROW_TYPES[self]


_ARROW_TYPES: Final[dict[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.TIMESTAMP: pa.timestamp("us"),
}


@dataclass(frozen=True)
class Column:
    """One column. `path` is the API's dotted path below `body`, empty where spsetl makes the value itself.

    `aliases` are older spellings of the same field; see "Versions" in the API's notes.
    """

    name: str
    path: str
    kind: Kind
    comment: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table. `key` names the columns that tell its rows apart; `parent` the table its rows belong to."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    parent: str | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))

    def column(self, name: str) -> Column:
        """The column of that name."""
        return self.columns[self.names.index(name)]

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the table's Parquet files."""
        return pa.schema([pa.field(c.name, c.kind.arrow_type) for c in self.columns])

    @property
    def ddl(self) -> str:
        """The table in DuckDB: no constraint, index or default, so that DuckDB 1.2 reads the file."""
        columns = ", ".join(f'"{c.name}" {c.kind.sql_type}' for c in self.columns)
        return f'create table if not exists "{self.name}" ({columns})'
