"""A work database that holds much waste, written anew: DuckDB uses free blocks again, and gives none back."""

from pathlib import Path
from typing import Final

import duckdb

from spsetl.errors import StorageError
from spsetl.warehouse.publish import remove_database
from spsetl.warehouse.tables import quote_text

# A night leaves free blocks and dead rows where it replaced something. Writing all anew takes some seconds a million
# sessions: not for little.
_MOST_WASTE: Final = 0.2
_LEAST_BLOCKS: Final = 8  # of 256 KiB


def is_wasteful(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether more of the current database's file is free, or taken by dead rows, than is worth keeping."""
    [(free, used)] = connection.execute(
        "select free_blocks, used_blocks from pragma_database_size() where database_name = current_database()"
    ).fetchall()
    wasted = free + used * _dead_share(connection)
    return bool(wasted > _LEAST_BLOCKS and wasted > _MOST_WASTE * (free + used))


def _dead_share(connection: duckdb.DuckDBPyConnection) -> float:
    """Of the rows that the tables' blocks hold, how many are deleted: what DuckDB takes for a table's size has them."""
    tables = connection.execute(
        "select schema_name, table_name, estimated_size from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    held = sum(size for _, _, size in tables)
    alive = sum(
        connection.execute(f'select count(*) from "{place}"."{table}"').fetchall()[0][0]  # noqa: S608 our names
        for place, table, _ in tables
    )
    return max(0.0, 1 - alive / held) if held else 0.0


def write_anew(connection: duckdb.DuckDBPyConnection, path: Path, *, storage_version: str) -> None:
    """Write the current database, called work, to another file, and see that all of it is there.

    Args:
        connection: With nothing under way.
        path: The new file; none is left of it after an error.
        storage_version: The format.

    Raises:
        StorageError: The new file does not hold the same.
        duckdb.Error: The disk is full, or a block is damaged.
    """
    remove_database(path)
    run = connection.execute
    try:
        run(f"attach {quote_text(str(path))} as anew (storage_version '{storage_version}')")
        try:
            run("copy from database work to anew")
            run("checkpoint anew")
            if read_tables(connection, "work") != read_tables(connection, "anew"):
                raise StorageError(f"{path} does not hold what it was written from: check the disk, and run again")
        finally:
            run("detach anew")
    except BaseException:  # Ctrl-C too: half a database is of no use
        remove_database(path)
        raise


def read_tables(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, tuple[int, int]]:
    """Read every column of every table once, by which DuckDB checks every block of the file that holds rows.

    Returns:
        The number of rows, and a sum that differs where they do, by table.

    Raises:
        duckdb.Error: A block is damaged.
    """
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = $database", {"database": database}
    ).fetchall()
    found = {}
    for place, table in tables:
        # A count of the same columns is answered without reading them.
        rows = connection.execute(
            f'select count(*), bit_xor(hash(t)) from "{database}"."{place}"."{table}" as t'  # noqa: S608 our names
        ).fetchall()
        found[f"{place}.{table}"] = rows[0]
    return found
