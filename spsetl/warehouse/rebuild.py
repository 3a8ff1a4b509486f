"""The tables of the copy, made from the lake alone: the runs, in their order, merged as they were.

The lake knows all but this, and the next sync sets it right:

- what the appliance can do (`appliances`), and runs that were killed: windows that only these have read are read again
- that the windows before a sudden drop are doubted
- what a killed run had written and not yet merged: here it counts, as the newest that was known then
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import duckdb

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.lake import Lake
from spsetl.lake.footers import read_batches
from spsetl.queries import read_statement
from spsetl.warehouse.complaints import one_line
from spsetl.warehouse.merge import merge_part
from spsetl.warehouse.tables import quote_text
from spsetl.warehouse.work import WorkDatabase

# What each row says of its run's place among the others. A window tells the machine's time, which may be wrong.
_MOMENT: Final = {schema.SYNC_RUNS.name: "ordered_at", schema.SYNC_WINDOWS.name: "null"}


class _Run(NamedTuple):
    """A run of the lake, and its files by table; others' rows may be in them too."""

    run_id: str
    files: dict[str, list[str]]


def rebuild_tables(work: WorkDatabase, lake: Lake) -> dict[str, int]:
    """Fill the empty tables of a new work database from the lake.

    Args:
        work: The work database.
        lake: All files, with nothing half-written left over.

    Returns:
        The number of rows, by table.

    Raises:
        StorageError: A file of the lake is damaged; names it.
    """
    try:
        for run in _find_runs(work.connection, lake):
            with work.transaction() as connection:
                merge_part(connection, run.files, run_id=run.run_id)
    except duckdb.Error as error:
        raise _explain(error, lake) from error
    return {
        table.name: work.connection.execute(f"select count(*) from {table.name}").fetchall()[0][0]  # noqa: S608 ours
        for table in schema.TABLES
        if table not in {schema.APPLIANCES, schema.WAREHOUSE_VERSION}
    }


def _find_runs(connection: duckdb.DuckDBPyConnection, lake: Lake) -> Iterator[_Run]:
    """The runs, each after those whose rows it knew."""
    places = []
    for table in schema.LAKE_TABLES:
        paths = lake.files(table.name)
        if paths:
            moment = _MOMENT.get(table.name, "extracted_at")
            places.append(
                f"select '{table.name}' as table_name, filename, run_id, max({moment})::timestamp as moment "  # noqa: S608 our names
                f"from read_parquet([{', '.join(map(quote_text, paths))}], filename = true) group by all"
            )
    if not places:
        return
    connection.execute(f"create or replace temp table run_files as {' union all '.join(places)}")
    found = connection.execute(read_statement("merge", "runs_of_lake")).fetchall()
    for run_id, tables, names in found:
        files: dict[str, list[str]] = {}
        for table, path in zip(tables, names, strict=True):
            files.setdefault(table, []).append(path)
        if schema.SYNC_RUNS.name not in files:
            # Of a run that was killed a window can be in the lake before its sessions: it is read again.
            files.pop(schema.SYNC_WINDOWS.name, None)
        yield _Run(run_id, files)


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
