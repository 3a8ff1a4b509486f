"""What BI drivers that still embed DuckDB 1.2 see of a published warehouse, read by DuckDB 1.2.2 itself."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from spsetl import schema
from spsetl.settings import Settings
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.marts_models import read_marts
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase

OLD_PYTHON: Final = Path(__file__).parents[2] / ".venv-duckdb-1.2.2" / "bin" / "python"
ROWS: Final = 3_000
# More than one row group (122880 rows): a full one is stored otherwise than the last.
EVENTS: Final = 150_000
# The warehouse itself says which schema it has, in one row.
FILLED: Final = tuple(table for table in schema.TABLES if table is not schema.WAREHOUSE_VERSION)
A_VALUE: Final[Mapping[schema.Kind, str]] = {
    schema.Kind.TEXT: "'Grüße, ' || n % 1000 || ' · 日本'",
    schema.Kind.JSON: """'{"n": ' || n || '}'""",
    schema.Kind.BOOLEAN: "n % 2 = 0",
    schema.Kind.INTEGER: "n * 1000003",
    schema.Kind.DOUBLE: "n / 7",
    schema.Kind.TIMESTAMP: "timestamp '2026-03-29 00:30:00.123456' + to_seconds(n)",
}
# Runs in both versions, so it must not need anything newer than 1.2, and its answer is all JSON.
READ_EVERYTHING: Final = """
import duckdb, json, sys
if len(sys.argv) > 2:
    con = duckdb.connect()
    con.execute(f"attach '{sys.argv[1]}' as other (read_only)")
    con.execute(f"use {sys.argv[2]}")
else:
    con = duckdb.connect(sys.argv[1], read_only=True)
answer = {"version": duckdb.__version__, "tables": {}, "comments": {}}
tables = con.execute(
    "select schema_name, table_name, comment from duckdb_tables() where not internal union all "
    "select schema_name, view_name, comment from duckdb_views() where not internal and schema_name = 'mart' "
    "order by all"
).fetchall()
for schema_name, table, comment in tables:
    columns = con.execute(
        "select column_name, data_type, comment from duckdb_columns() "
        "where schema_name = ? and table_name = ? order by column_index", [schema_name, table]
    ).fetchall()
    name = f'"{schema_name}"."{table}"'
    counts = ", ".join(f'count("{c}"), min("{c}")::varchar, max("{c}")::varchar' for c, *_ in columns)
    answer["comments"][table] = comment
    answer["tables"][table] = {
        "columns": columns,
        "summary": con.execute(f"select count(*), {counts} from {name}").fetchone(),
        "row": [repr(value) for value in con.execute(f"select * from {name} order by all desc limit 1").fetchone()],
    }
print(json.dumps(answer))
"""


def read_everything(python: Path, database: Path, *use: str) -> dict[str, Any]:
    """Every table and mart of a DuckDB file, comments and values, as the DuckDB of that interpreter reads them.

    Args:
        python: The interpreter.
        database: The file.
        use: The schema of the file, attached as `other`, that is the current one; the file is opened if there is none.
    """
    done = subprocess.run(
        [str(python), "-I", "-c", READ_EVERYTHING, str(database), *use], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def old_python() -> Path:
    """An interpreter whose DuckDB is 1.2.2; `make test` makes it, as a test must not install anything."""
    if not OLD_PYTHON.exists():
        pytest.fail("no environment with DuckDB 1.2.2: `make test` makes it, or `make .venv-duckdb-1.2.2/.made`")
    return OLD_PYTHON


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published warehouse with every table filled, grown in two steps as a sync does."""
    folder = tmp_path_factory.mktemp("published")
    file = folder / "warehouse.duckdb"
    for half in (0, 1):
        with WorkDatabase(folder / "work" / "warehouse.duckdb", published=file) as work:
            for table in FILLED:
                rows = (EVENTS if table is schema.EVENTS else ROWS) // 2
                fill(work, table, range(rows * half, rows * (half + 1)))
            work.connection.execute(
                "insert into session_lists by name select appliance, session_key, 0 as position, 'sudo' as value, "
                "'analytics.interesting_events' as field from sessions order by all limit 3"
            )
            build_marts(work, Settings().office_hours)
            work.checkpoint()
        publish(folder / "work" / "warehouse.duckdb", file)
    return file


def fill(work: WorkDatabase, table: schema.Table, rows: range) -> None:
    """Rows with a value in every column, some of which are then deleted, and some changed."""
    values = ", ".join(A_VALUE[column.kind] for column in table.columns)
    last = table.columns[-1].name
    with work.transaction() as connection:
        connection.execute(f"insert into {table.name} select {values} from range({rows.start}, {rows.stop}) as t(n)")
        connection.execute(f"delete from {table.name} where hash({table.key[-1]}) % 10 = 3")
        connection.execute(f"update {table.name} set {last} = null where hash({table.key[-1]}) % 10 = 4")


def test_old_duckdb_reads_a_published_warehouse_to_the_last_value(published: Path, old_python: Path) -> None:
    """DuckDB 1.2.2 sees the tables, columns, types, comments and values that the DuckDB of today sees."""
    old = read_everything(old_python, published)
    new = read_everything(Path(sys.executable), published)

    assert old["version"] == "1.2.2"
    assert new["version"] == duckdb.__version__
    assert old["comments"] == new["comments"]
    assert old["tables"] == new["tables"]


def test_old_duckdb_sees_every_table_of_the_schema_described(published: Path, old_python: Path) -> None:
    """In DuckDB 1.2.2 every table and column of the schema is there, with its comment and with rows."""
    old = read_everything(old_python, published)

    for table in schema.TABLES:
        found = old["tables"][table.name]
        assert found["columns"] == [[c.name, c.kind.sql_type, c.comment] for c in table.columns]
        assert old["comments"][table.name] == table.comment
        assert found["summary"][0] > (ROWS // 2 if table in FILLED else 0)


def test_old_duckdb_sees_every_mart_described(published: Path, old_python: Path) -> None:
    """In DuckDB 1.2.2 every mart is there, tables and views, with its types, its comments and with rows."""
    old = read_everything(old_python, published)

    for mart in read_marts():
        found = old["tables"][mart.name]
        assert found["columns"] == [[c.name, c.sql_type, c.comment] for c in mart.columns]
        assert old["comments"][mart.name].startswith(mart.comment)
        assert found["summary"][0] > 0


@pytest.mark.parametrize("use", ["other", "other.mart"])
def test_old_duckdb_reads_a_file_that_is_attached(use: str, published: Path, old_python: Path) -> None:
    """Under another name, whichever of its schemas is the current one, all is as in the file opened by itself."""
    assert read_everything(old_python, published, use) == read_everything(old_python, published)


def test_marts_are_read_beside_another_database(published: Path, old_python: Path) -> None:
    """As BI tools do, by their full name and without `use`; before DuckDB 2 only those that read marts alone.

    DuckDB 1.2 looks for `main` of a view in the current database, and finds the schema `mart` where the view is.
    """
    names = [mart.name for mart in read_marts()]
    old_names = [mart.name for mart in read_marts() if "from main." not in mart.statement]
    count = (
        "import duckdb, sys; con = duckdb.connect(); con.execute(f\"attach '{sys.argv[1]}' as other (read_only)\"); "
        "print([con.execute(f'select * from other.mart.{name} limit 1').fetchall() for name in sys.argv[2:]])"
    )
    for python, marts in ((Path(sys.executable), names), (old_python, old_names)):
        done = subprocess.run(
            [str(python), "-I", "-c", count, str(published), *marts], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert set(names) - set(old_names) == {
        "fct_alerts",
        "fct_channels",
        "fct_events",
        "report_fetch_result",
        "report_interesting_events",
    }


def test_old_duckdb_refuses_the_format_of_today(tmp_path: Path, old_python: Path) -> None:
    """A file in the newest DuckDB's own format cannot be opened, so the tests above would notice it."""
    file = tmp_path / "new.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' as new (storage_version 'latest')")
        connection.execute("create table new.t as select 1 as one")

    done = subprocess.run(
        [str(old_python), "-I", "-c", READ_EVERYTHING, str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "newer version" in done.stderr
