"""The tables of a warehouse: found, made, described, numbered, and with the macros beside them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from spsetl import __version__, schema
from spsetl.queries import read_folder


@dataclass(frozen=True)
class FoundTables:
    """The tables of one attached database, of whatever version of spsetl.

    Attributes:
        columns: The type of each column, by table, in their order.
        version: The number of the schema; None where it does not say.
        written_by: The version of spsetl that wrote it last, None where it does not say.
    """

    columns: Mapping[str, Mapping[str, str]]
    version: int | None
    written_by: str | None

    def require_known(self, path: Path) -> None:
        """Stop where a newer spsetl has written the file at `path`.

        Raises:
            NewerCopyError: Says which one is needed.
        """
        schema.require_known(str(path), self.version, self.written_by)

    @property
    def is_warehouse(self) -> bool:
        """Whether this is a warehouse of any version: it says which."""
        return self.version is not None and schema.SESSIONS.name in self.columns

    @property
    def are_of_now(self) -> bool:
        """Whether they are the tables of this version, all of them and no other columns."""
        return self.version in {None, schema.VERSION} and all(
            list(self.columns.get(table.name, {}).items()) == [(c.name, c.kind.sql_type) for c in table.columns]
            for table in schema.TABLES
        )


def find_tables(connection: duckdb.DuckDBPyConnection, database: str) -> FoundTables:
    """The tables of a database that is attached under this name."""
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "semi join duckdb_tables() t using (database_name, schema_name, table_name) "
        "where database_name = $database and schema_name = 'main' order by table_name, column_index",
        {"database": database},
    ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        columns.setdefault(table, {})[column] = kind
    version, written_by = None, None
    if set(schema.WAREHOUSE_VERSION.names) <= columns.get(schema.WAREHOUSE_VERSION.name, {}).keys():
        version, written_by = connection.execute(
            "select max(schema_version)::bigint, arg_max(spsetl_version, schema_version)::varchar "  # noqa: S608 our names
            f'from "{database}".main.{schema.WAREHOUSE_VERSION.name}'
        ).fetchall()[0]
    return FoundTables(columns, version, written_by)


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that are missing in the current database."""
    for table in schema.TABLES:
        connection.execute(table.ddl)


def dress_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Put beside the tables of the current database, called work, what tells of them and asks them."""
    _number(connection)
    _describe(connection)
    create_macros(connection)


def _number(connection: duckdb.DuckDBPyConnection) -> None:
    """Say which tables these are, and who wrote them last."""
    name = schema.WAREHOUSE_VERSION.name
    now = [(schema.VERSION, __version__)]
    if connection.execute(f"from {name}").fetchall() != now:
        connection.execute(f"delete from {name}")  # noqa: S608 our names
        connection.execute(f"insert into {name} values (?, ?)", now[0])  # noqa: S608 our names


def _describe(connection: duckdb.DuckDBPyConnection) -> None:
    """Every table and column says what it means, to any tool that shows comments."""
    rows = connection.execute(
        "select table_name, column_name, comment from duckdb_columns() where database_name = 'work'"
    ).fetchall()
    known = {(table, column): comment for table, column, comment in rows}
    for table in schema.TABLES:
        connection.execute(f'comment on table "{table.name}" is {quote_text(table.comment)}')
        for column in table.columns:
            if known.get((table.name, column.name)) != column.comment:
                target = f'"{table.name}"."{column.name}"'
                connection.execute(f"comment on column {target} is {quote_text(column.comment)}")


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the macros of `sql/macros/` into the current database, each after those that it calls."""
    for statement in read_macros():
        connection.execute(statement)


def read_macros() -> list[str]:
    """The statements that make the macros, each after those that it calls."""
    macros = read_folder("macros")
    calls = {
        name: {other for other in macros if other != name and re.search(rf"\b{other}\(", statement)}
        for name, statement in macros.items()
    }
    return [macros[name] for name in TopologicalSorter(calls).static_order()]


def quote_text(value: str) -> str:
    """The value as an SQL text literal."""
    return "'" + value.replace("'", "''") + "'"
