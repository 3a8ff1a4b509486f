"""The number of the schema: raised with every change of the tables."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

import duckdb
import pytest

from spsetl import schema
from spsetl.errors import NewerCopyError
from spsetl.lake import Lake
from spsetl.warehouse.damage import explain_opening
from spsetl.warehouse.tables import FoundTables, find_tables
from spsetl.warehouse.upgrade import upgrade_work
from spsetl.warehouse.work import WorkDatabase

# The tables of the schema that has this number. Who changes a table raises schema.VERSION, and writes the new digest
# here: copies with another number are made anew from the lake.
RECORDED: Final = {6: "0dd097cc97756a1d"}


def digest_of_tables() -> str:
    """Differs where a table or a column has come, gone or changed, in the warehouse or in the lake."""
    tables = {
        name: [[(c.name, c.kind.sql_type) for c in table.columns], table.key] for name, table in schema.BY_NAME.items()
    }
    places = [[table.name for table in some] for some in (schema.TABLES, schema.LAKE_TABLES)]
    return sha256(json.dumps([tables, places], sort_keys=True).encode()).hexdigest()[:16]


def find(database: Path) -> FoundTables:
    """Its tables."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{database}' as found (read_only)")
        return find_tables(connection, "found")


def test_number_is_raised_when_tables_change() -> None:
    """The tables are those that were recorded for the number that they have."""
    assert max(RECORDED) == schema.VERSION
    assert RECORDED[schema.VERSION] == digest_of_tables()


def test_tables_of_now_are_told_as_such(tmp_path: Path) -> None:
    """A new work database has the number of this version, and no upgrade touches it."""
    path = tmp_path / "warehouse.duckdb"
    with WorkDatabase(path, published=tmp_path / "none"):
        pass
    before = path.read_bytes()

    upgrade_work(path, published=tmp_path / "none", lake=Lake(tmp_path / "lake"))

    assert path.read_bytes() == before
    with WorkDatabase(path, published=tmp_path / "none") as work:
        assert work.connection.execute("select schema_version from warehouse_version").fetchall() == [(schema.VERSION,)]

    assert find(path).are_of_now


def test_a_newer_number_is_refused_wherever_it_is_opened(tmp_path: Path) -> None:
    """Also where tables and columns are those of this version."""
    path = tmp_path / "warehouse.duckdb"
    with WorkDatabase(path, published=tmp_path / "none") as work:
        work.connection.execute("update warehouse_version set schema_version = 99, spsetl_version = null")

    with pytest.raises(NewerCopyError, match=r"schema 99; this one knows \d+\): install a newer one$"):
        WorkDatabase(path, published=tmp_path / "none").__enter__()


TOO_NEW: Final = (
    'IO Error: Error opening "x": file was written with a storage version greater than the latest version supported by '
    "this DuckDB instance. Try opening the file with a newer version of DuckDB."
)
UNKNOWN: Final = (
    "IO Error: Trying to read a database file with version number 999, but we can only read versions between 64 and 65."
)


@pytest.mark.parametrize("message", [TOO_NEW, UNKNOWN])
def test_a_newer_format_of_duckdb_is_not_taken_for_damage(message: str) -> None:
    """Nobody is told to delete a file that a newer spsetl can read."""
    told = explain_opening(Path("w.duckdb"), duckdb.IOException(message))

    assert isinstance(told, NewerCopyError)
    assert str(told) == "w.duckdb was written by a newer DuckDB than this spsetl has: install a newer spsetl"
