"""Which tables a database has, of whatever version of spsetl, and how they are read as those of this one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from spsetl import schema


@dataclass(frozen=True)
class FoundTables:
    """The tables of one attached database.

    Attributes:
        database: What it is attached as.
        columns: The type of each column, by table, in their order.
        version: The number of the schema; None in copies from before there was one, and in an empty one.
        written_by: The version of spsetl that wrote it last, None where it does not say.
    """

    database: str
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
    def told_version(self) -> int:
        """The number of the schema; where it does not say, the one that came before all that is lacking."""
        tables = [since for name, since in schema.ADDED_TABLES.items() if name not in self.columns]
        columns = [
            since
            for (table, name), (since, _) in schema.ADDED_COLUMNS.items()
            if name not in self.columns.get(table, (name,))
        ]
        return self.version or min([schema.VERSION + 1, *tables, *columns]) - 1

    @property
    def is_warehouse(self) -> bool:
        """Whether this is a warehouse of any version: it has the tables that all of them had."""
        return all(table.name in self.columns or table.name in schema.ADDED_TABLES for table in schema.TABLES)

    @property
    def are_of_now(self) -> bool:
        """Whether all tables that are there, and all that every version had, are those of this version."""
        is_same = all(
            _is_same(table, self.columns[table.name])
            if table.name in self.columns
            else table.name in schema.ADDED_TABLES
            for table in schema.TABLES
        )
        return is_same and self.version in {None, schema.VERSION}

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing that a newer or an older version would have otherwise."""
        return self.are_of_now and all(table.name in self.columns for table in schema.TABLES)

    @property
    def only_lack(self) -> bool:
        """Whether they are those of this version but for tables and columns that came later."""
        return self.is_warehouse and all(
            _only_lacks(table, self.columns[table.name]) for table in schema.TABLES if table.name in self.columns
        )

    def lacks_columns(self, table: schema.Table) -> bool:
        """Whether the table is there, and not as this version has it."""
        return table.name in self.columns and not _is_same(table, self.columns[table.name])

    def select_as_of_now(self, table: schema.Table) -> str:
        """A SELECT of a table's rows, with the columns of this version. Only where the tables `only_lack`."""
        found = self.columns.get(table.name)
        old = f'"{self.database}".main'
        columns = []
        for column in table.columns:
            if found is not None and column.name in found:
                value = f't."{column.name}"'
            else:
                _, value = schema.ADDED_COLUMNS.get((table.name, column.name), (0, "null"))
            columns.append(f'cast({value.format(old=old)} as {column.kind.sql_type}) as "{column.name}"')
        source = f'{old}."{table.name}" as t' if found is not None else "(select null) as t where false"
        return f"select {', '.join(columns)} from {source}"  # noqa: S608 our names


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
    return FoundTables(database, columns, version, written_by)


def _is_same(table: schema.Table, found: Mapping[str, str]) -> bool:
    return list(found.items()) == [(column.name, column.kind.sql_type) for column in table.columns]


def _only_lacks(table: schema.Table, found: Mapping[str, str]) -> bool:
    wanted = {column.name: column.kind.sql_type for column in table.columns}
    lacking = wanted.keys() - found.keys()
    return all(wanted.get(name) == kind for name, kind in found.items()) and all(
        (table.name, name) in schema.ADDED_COLUMNS for name in lacking
    )
