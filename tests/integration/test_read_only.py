"""Read-only for real: what a question must not be able to do, through the reader and through `spsetl sql`."""

import os
from pathlib import Path

import pytest

from spsetl.analysis.reader import open_warehouse
from spsetl.cli import run
from spsetl.errors import UsageError
from tests.published import publish_sessions

FORBIDDEN = [
    "from read_csv('{folder}/secret.csv')",
    "from read_text('{folder}/secret.csv')",
    "from read_blob('{folder}/secret.csv')",
    "from read_json('{folder}/secret.csv')",
    "from read_parquet('{folder}/secret.parquet')",
    "from parquet_metadata('{folder}/secret.parquet')",
    "from sniff_csv('{folder}/secret.csv')",
    "from '{folder}/secret.csv'",
    "from glob('{folder}/*')",
    "from query('from ''{folder}/secret.csv''')",
    "from read_duckdb('{folder}/data/work/warehouse.duckdb')",
    "copy sessions to '{folder}/out.csv'",
    "copy (select 1) to '{folder}/out.parquet'",
    "copy sessions from '{folder}/secret.csv'",
    "explain analyze copy (select 1) to '{folder}/out.csv'",
    "export database '{folder}/out'",
    "import database '{folder}/out'",
    "attach '{folder}/other.duckdb'",
    "attach ':memory:' as other",
    "attach 'https://127.0.0.1:9/other.duckdb'",
    "detach warehouse",
    "from 'https://127.0.0.1:9/secret.csv'",
    "install httpfs",
    "load httpfs",
    "load '{folder}/evil.duckdb_extension'",
    "update extensions",
    "set enable_external_access = true",
    "set memory_limit = '1GB'",
    "set temp_directory = '{folder}'",
    "set TimeZone = 'Europe/Budapest'",
    "set variable a = 1",
    "reset lock_configuration",
    "pragma enable_profiling",
    "pragma threads = 1",
    "use memory",
    "begin",
    "checkpoint",
    "vacuum",
    "call enable_logging()",
    "from enable_logging()",
    "create table mine as select 1 as one",
    "create table memory.main.mine as select 1 as one",
    "create temp view mine as select 1 as one",
    "create macro mine(a) as a",
    "create secret mine (type s3)",
    "create or replace view sessions as select 1 as one",
    "alter table sessions drop column user_name",
    "comment on table sessions is 'mine'",
    "insert into sessions (session_key) values ('x')",
    "update sessions set user_name = 'eve'",
    "delete from sessions",
    "truncate sessions",
    "drop table sessions",
    "merge into sessions using sessions as s on true when matched then delete",
    "explain analyze delete from sessions",
    "prepare mine as select 1",
    "select getenv('HOME')",
    "select 1; drop table sessions",
    "drop table sessions; select 1",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published copy in data/, and a file beside it."""
    folder = tmp_path_factory.mktemp("read-only")
    publish_sessions(folder / "data", [{"user_name": "ann"}])
    (folder / "secret.csv").write_text("hidden-word\n1\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_statement_does_more_than_ask(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of many ways out is one line of complaint and exit code 2; no file is read or written, and all goes on."""
    monkeypatch.chdir(folder)
    before = contents(folder)
    with open_warehouse("data") as warehouse:
        for statement in FORBIDDEN:
            query = statement.format(folder=folder)
            with pytest.raises(UsageError) as raised:
                warehouse.rows(query)
            with pytest.raises(UsageError), warehouse.hold() as edition, edition.arrow(query) as (_, batches):
                list(batches)
            assert "\n" not in str(raised.value), query
            assert "hidden-word" not in str(raised.value), query
            assert warehouse.rows("select user_name from sessions") == (["user_name"], [("ann",)]), query
    assert contents(folder) == before
    for statement in FORBIDDEN[:3]:
        assert run(["sql", statement.format(folder=folder)]) == 2
        said = capsys.readouterr()
        assert (said.out, len(said.err.splitlines())) == ("", 1)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("from sessions select user_name", ["user_name"]),
        ("with own as (select 1 as one) select one from own", ["one"]),
        ("pivot (select user_name, protocol from sessions) on user_name", ["protocol", "ann"]),
        ("explain select 1", ["explain_key", "explain_value"]),
        ("show tables", ["name"]),
        ("values (1)", ["col0"]),
        ("from session_stats('user.name') select value", ["value"]),
        ("select 1 as one; select 2 as two", ["two"]),
    ],
)
def test_every_kind_of_question_is_answered(folder: Path, query: str, columns: list[str]) -> None:
    """As rows, as a frame, and as Arrow."""
    with open_warehouse(folder / "data") as warehouse, warehouse.hold() as edition:
        assert warehouse.rows(query)[0] == columns
        assert list(warehouse.sql(query).columns) == columns
        with edition.arrow(query) as (schema, batches):
            assert schema.names == columns
            assert sum(batch.num_rows for batch in batches) == len(warehouse.rows(query)[1])
        with edition.stream(query) as answer:
            assert answer.columns == columns


def test_errors_amid_an_answer_quote_no_data(folder: Path) -> None:
    """What is found wrong after the first rows is told as what is found at once."""
    query = "select cast(case when range > 500000 then 'hunter' || range else '1' end as integer) from range(1000000)"
    with open_warehouse(folder / "data") as warehouse, warehouse.hold() as edition:
        with pytest.raises(UsageError, match="Conversion Error") as raised, edition.arrow(query) as (_, batches):
            list(batches)
        assert "hunter" not in str(raised.value)
        with pytest.raises(UsageError, match="Conversion Error") as raised, edition.stream(query) as answer:
            list(answer.batches)
        assert "hunter" not in str(raised.value)


def test_the_shell_of_the_process_is_not_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No function gives what the environment holds, which can be a password."""
    monkeypatch.setitem(os.environ, "SPSETL_TEST_WORD", "hidden-word")
    with open_warehouse(folder / "data") as warehouse:
        names = [name for (name,) in warehouse.rows("select distinct function_name from duckdb_functions()")[1]]
        assert "getenv" not in names
        settings = warehouse.rows("from duckdb_settings()")[1]
    assert "hidden-word" not in str(settings)
