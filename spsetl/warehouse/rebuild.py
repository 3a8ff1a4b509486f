"""The tables of the copy, made from the lake alone: what the merges made one by one, by the same rules at once.

The lake knows all but this, and the next sync sets it right:

- what the appliance can do (`appliances`), and runs that were killed: windows that only these have read are read again
- whether details that were never fetched are asked for (`pending`) or not (`not_requested`): see `request_kinds`
- that the windows before a sudden drop are doubted
- of what schema 1 has written: which details were fetched, and the runs and windows; they are fetched and read again
- what a killed run had written and not yet merged: here it counts, as the newest that is known
"""

from collections import deque
from typing import Final

import duckdb

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.lake import Lake
from spsetl.lake.footers import read_batches
from spsetl.queries import read_statement
from spsetl.warehouse.complaints import one_line
from spsetl.warehouse.tables import quote_text

_JOURNALS: Final = (schema.DETAIL_FETCHES, schema.MISSING_SESSIONS)
_RECORDS: Final = (schema.POLICIES, schema.SYNC_RUNS, schema.SYNC_WINDOWS)
# Written with their session. In the first files they do not say by which run; their folder does.
_WITH_SESSION: Final = (schema.SESSION_LISTS, schema.SESSION_SCORES)
_RUN_OF_FILE: Final = "split_part(l.filename, '/', -2)"
# In this order: each reads what those before it found.
_STEPS: Final = ("current_sessions", "last_fetches", "kept_sessions")
# Where a row stands in the lake: DuckDB adds it to each row of read_parquet that asks for it.
_PLACE: Final = ("file_index", "file_row_number")


def rebuild_tables(connection: duckdb.DuckDBPyConnection, lake: Lake) -> dict[str, int]:
    """Fill the empty tables of a new work database from the lake.

    Args:
        connection: Of the work database.
        lake: All files, with nothing half-written left over.

    Returns:
        The number of rows, by table.

    Raises:
        StorageError: A file of the lake is damaged; names it.
    """
    try:
        rows = _rebuild_copied(connection, lake, only=None)
        for table in _RECORDS:
            _show_lake(connection, lake, table, only=None)
        for table in _RECORDS:
            rows[table.name] = _insert(connection, table, read_statement("rebuild", table.name))
    except duckdb.Error as error:
        raise _explain(error, lake) from error
    return rows


def rebuild_sessions(connection: duckdb.DuckDBPyConnection, lake: Lake, *, only: str) -> None:
    """Replace all that the copy has of some sessions by what the lake has, inside the caller's transaction.

    Args:
        connection: Of the work database.
        lake: All files.
        only: A temporary table with the `appliance` and `session_key` of these sessions.

    Raises:
        StorageError: A file of the lake is damaged; names it.
    """
    try:
        for table in (*schema.COPIED_TABLES, schema.DETAIL_FAILURES):
            connection.execute(
                f'delete from "{table.name}" using {only} o '  # noqa: S608 our names
                f'where "{table.name}".appliance = o.appliance and "{table.name}".session_key = o.session_key'
            )
        _rebuild_copied(connection, lake, only=only)
    except duckdb.Error as error:
        raise _explain(error, lake) from error


def _rebuild_copied(connection: duckdb.DuckDBPyConnection, lake: Lake, *, only: str | None) -> dict[str, int]:
    for table in (*schema.COPIED_TABLES, *_JOURNALS):
        _show_lake(connection, lake, table, only=only)
    for name in _STEPS:
        connection.execute(f"create or replace temp table {name} as {read_statement('rebuild', name)}")
    rows = {}
    for table in (*schema.SESSION_TABLES, schema.QUARANTINE):
        rows[table.name] = _insert(connection, table, read_statement("rebuild", table.name))
    for table in schema.DETAIL_TABLES:
        connection.execute(f"create or replace temp view lake_details as from lake_{table.name}")
        rows[table.name] = _insert(connection, table, read_statement("rebuild", "details"), {"kind": table.name})
    failures = schema.DETAIL_FAILURES
    rows[failures.name] = _insert(connection, failures, read_statement("rebuild", failures.name))
    for table in (schema.SESSION_LISTS, schema.SESSION_SCORES, *schema.DETAIL_TABLES):
        rows[table.name] -= _drop_doubled(connection, table)
    for name in (*_STEPS, "doubled", "kept_rows"):
        connection.execute(f"drop table {name}")
    return rows


def _insert(
    connection: duckdb.DuckDBPyConnection, table: schema.Table, statement: str, values: dict[str, str] | None = None
) -> int:
    """Fill the table; the number of rows."""
    row = connection.execute(f'insert into "{table.name}" by name {statement}', values).fetchone()
    return int(row[0]) if row else 0


def _drop_doubled(connection: duckdb.DuckDBPyConnection, table: schema.Table) -> int:
    """Keep one of the rows that are there twice, of which a killed replay can have left some; how many were dropped.

    Looking for them afterwards takes far less memory than sorting all rows, of which hardly any is doubled.
    """
    key = ", ".join(table.key)
    connection.execute(
        f"create or replace temp table doubled as select {key} from {table.name} group by all having count(*) > 1"  # noqa: S608 our names
    )
    connection.execute(
        f"create or replace temp table kept_rows as select * from {table.name} semi join doubled using ({key}) "  # noqa: S608 our names
        f"qualify row_number() over (partition by {key} order by run_id) = 1"
    )
    same = " and ".join(f"{table.name}.{name} = doubled.{name}" for name in table.key)
    dropped = connection.execute(f"delete from {table.name} using doubled where {same}").fetchone()  # noqa: S608 our names
    kept = connection.execute(f"insert into {table.name} from kept_rows").fetchone()
    return (int(dropped[0]) if dropped else 0) - (int(kept[0]) if kept else 0)


def _show_lake(connection: duckdb.DuckDBPyConnection, lake: Lake, table: schema.Table, *, only: str | None) -> None:
    """The view `lake_<table>`: the table's columns and no other, NULL where older files have them not."""
    files = lake.files(table.name)
    place = _PLACE if table is schema.SESSIONS else ()
    if files:
        # A view takes no parameters.
        source = f"read_parquet([{', '.join(map(quote_text, files))}], union_by_name = true, filename = true)"
        found = set(connection.sql(f"from {source}").columns)
    else:
        source, found = "(select null)", set()
    values = {name: f"l.{name}" for name in found}
    if files and table in _WITH_SESSION:
        values["run_id"] = f"coalesce({values.get('run_id', 'null')}, {_RUN_OF_FILE})"
    # A draft of the schema had another type in a few columns: what does not convert was never right.
    columns = [f'try_cast({values.get(c.name, "null")} as {c.kind.sql_type}) as "{c.name}"' for c in table.columns]
    columns += [f"l.{name}" if files else f"null as {name}" for name in place]
    wanted = f"semi join {only} o on l.appliance = o.appliance and l.session_key = o.session_key" if only else ""
    connection.execute(
        f"create or replace temp view lake_{table.name} as select {', '.join(columns)} "  # noqa: S608 our names
        f"from {source} l {wanted if files else 'where false'}"
    )


def _explain(error: duckdb.Error, lake: Lake) -> Exception:
    """What is wrong: a file that is damaged, by its name; a full disk is told by the work database itself."""
    if isinstance(error, duckdb.OutOfMemoryException | duckdb.FatalException):
        return error
    first = str(error).partition("\n")[0]
    files = [(path, table) for table in schema.LAKE_TABLES for path in lake.files(table.name)]
    # DuckDB names the file for most kinds of damage, and not for all.
    for path, table in sorted(files, key=lambda file: file[0] not in first):
        try:
            deque(read_batches(lake.storage, path, table.arrow_schema), maxlen=0)
        except StorageError as damage:
            return damage
    if isinstance(error, duckdb.IOException):
        return error
    return StorageError(f"cannot rebuild from {lake.root}: {one_line(error)}: see whether its files are whole")
