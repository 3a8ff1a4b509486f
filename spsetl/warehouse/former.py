"""A published warehouse of an older spsetl, read as one of this: until the next sync brings it up to date."""

from pathlib import Path
from typing import Final

import duckdb

from spsetl import schema
from spsetl.warehouse.found import FoundTables
from spsetl.warehouse.tables import read_macros

_ABSENT: Final = (duckdb.CatalogException, duckdb.BinderException)


class FormerTables:
    """What is put before the tables and macros of an older warehouse, for those who ask in this version's terms.

    The file stays as it is: temporary views and macros come before what it has under the same names.

    Args:
        found: Its tables.
    """

    def __init__(self, found: FoundTables) -> None:
        self._found = found
        self._views = _views(found) if found.only_lack else []
        self._macros = [statement.replace("replace macro", "replace temp macro", 1) for statement in read_macros()]

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Have this connection see the tables as those of this version."""
        for statement in (*self._views, *self._macros):
            connection.execute(statement)

    def hint(self, error: duckdb.Error, path: Path) -> str:
        """What may be behind an error: what is asked for came later."""
        if not isinstance(error, _ABSENT):
            return ""
        return (
            f"; {path} was published by an older spsetl (schema {self._found.told_version}; this one has "
            f"{schema.VERSION}): run spsetl sync, which brings it up to date"
        )


def _views(found: FoundTables) -> list[str]:
    """The tables that differ, as views."""
    return [
        f'create or replace temp view "{table.name}" as {found.select_as_of_now(table)}'
        for table in schema.TABLES
        if found.columns.get(table.name, {}).keys() != set(table.names)
    ]
