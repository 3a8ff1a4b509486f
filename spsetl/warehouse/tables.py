"""The tables of a work database: made, described, numbered, and with the macros beside them."""

import re
from graphlib import TopologicalSorter

import duckdb

from spsetl import __version__, schema
from spsetl.queries import read_folder


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
