"""Reading the published warehouse: read-only, fenced in, and always the newest."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import spsetl
from spsetl import schema
from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.errors import StorageError, TooManyBinsError, UsageError
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase

Publish = Callable[..., Path]


@pytest.fixture
def publish_users(tmp_path: Path) -> Publish:
    """Publishes a warehouse whose sessions have these users, as a sync does."""
    folder = tmp_path / "it's data"
    published, work_file = folder / "warehouse.duckdb", folder / "work" / "warehouse.duckdb"
    work_file.parent.mkdir(parents=True)

    def publish_users(*users: str) -> Path:
        with WorkDatabase(work_file, published=published) as work:
            with work.transaction() as connection:
                connection.execute("delete from sessions")
                for number, user in enumerate(users):
                    connection.execute(
                        "insert into sessions (appliance, session_key, user_name, protocol, start_time) "
                        "values ('sps', $1, $2, 'ssh', timestamp '2024-03-01 10:00:00' + to_hours($3))",
                        [str(number), user, number],
                    )
            work.checkpoint()
        publish(work_file, published)
        return folder

    return publish_users


@pytest.fixture
def warehouse(publish_users: Publish) -> Iterator[Warehouse]:
    """A published warehouse of three sessions."""
    with open_warehouse(publish_users("ann", "bob", "ann")) as opened:
        yield opened


def users(warehouse: Warehouse) -> list[str]:
    """The users of the sessions."""
    return [user for (user,) in warehouse.rows("select user_name from sessions order by session_key")[1]]


def test_a_folder_or_its_file_is_opened(publish_users: Publish) -> None:
    """The data directory and the file in it, as text or as a path, are the same warehouse."""
    folder = publish_users("ann")

    for path in (folder, str(folder), folder / "warehouse.duckdb", str(folder / "warehouse.duckdb")):
        with spsetl.open_warehouse(path) as warehouse:
            assert users(warehouse) == ["ann"]


def test_rows_have_their_columns(warehouse: Warehouse) -> None:
    """A question in SQL gets names and rows; values are bound by name or by place."""
    counted = "select user_name as who, count(*) as n from sessions where user_name <> {} group by all order by all"

    assert warehouse.rows(counted.format("$user"), {"user": "bob"}) == (["who", "n"], [("ann", 2)])
    assert warehouse.rows(counted.format("?"), ["ann"]) == (["who", "n"], [("bob", 1)])
    assert warehouse.rows("select 1 as one where false") == (["one"], [])


def test_frames_for_notebooks(warehouse: Warehouse) -> None:
    """SQL, stats and the histogram give pandas frames with proper types."""
    frame = warehouse.sql("select start_time, user_name from sessions where user_name = $user", {"user": "bob"})
    assert frame.to_dict("records") == [{"start_time": pd.Timestamp("2024-03-01 11:00"), "user_name": "bob"}]

    stats = warehouse.stats("user.name", "protocol", size=1, start="2024-03-01", end="2024-03-01")
    assert stats.to_dict("records") == [
        {"value": "ann", "count": 2, "others": 1, "sub_value": "ssh", "sub_count": 2, "sub_others": 0}
    ]

    histogram = warehouse.histogram("hour", "user.name", start="2024-03-01T10:00", end="2024-03-01T12:00")
    assert histogram[["start_count", "active_count"]].to_numpy().tolist() == [[1, 1], [1, 2]]


def test_a_new_warehouse_is_seen_by_the_next_question(publish_users: Publish) -> None:
    """Each answer is of one published state, the newest, whoever else of the process reads the file."""
    folder = publish_users("ann")
    with open_warehouse(folder) as first:
        assert users(first) == ["ann"]
        publish_users("bob", "eve")
        with open_warehouse(folder) as second:
            assert users(second) == ["bob", "eve"]
            assert users(first) == ["bob", "eve"]
            publish_users("zoe")
            assert users(second) == ["zoe"]


def test_a_closed_warehouse_can_be_asked_again(warehouse: Warehouse) -> None:
    """Closing lets go of the file; a question opens it again."""
    warehouse.close()
    warehouse.close()

    assert users(warehouse) == ["ann", "bob", "ann"]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into sessions (session_key) values ('x')",
        "create table mine as select 1 as one",
        "drop table sessions",
        "update sessions set user_name = 'eve'",
        "copy sessions to '{folder}/sessions.csv'",
        "export database '{folder}/out'",
        "from read_csv('{folder}/secret.csv')",
        "from '{folder}/secret.csv'",
        "attach '{folder}/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set memory_limit = '1GB'",
        "reset lock_configuration",
        "from a_variable_of_python",
    ],
)
def test_questions_read_the_warehouse_and_nothing_else(warehouse: Warehouse, statement: str, tmp_path: Path) -> None:
    """No statement writes, reads another file, loads code or opens what is closed."""
    (tmp_path / "secret.csv").write_text("secret\n1\n", encoding="utf-8")
    a_variable_of_python = pd.DataFrame({"secret": [1]})

    with pytest.raises(UsageError) as raised:
        warehouse.rows(statement.format(folder=tmp_path))

    assert "\n" not in str(raised.value)
    assert len(a_variable_of_python) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it's data", "secret.csv"]
    assert users(warehouse) == ["ann", "bob", "ann"]


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
        ("select usr_name from sessions", 'Candidate bindings: "user_name"'),
        ("from nope", "Table with name nope does not exist"),
        ("", "the question is empty"),
        ("-- nothing", "the question is empty"),
        ("select $missing", "Values were not provided for the following parameters: missing"),
    ],
)
def test_a_wrong_question_is_told_in_one_line(warehouse: Warehouse, query: str, complaint: str) -> None:
    """A wrong question is a wrong usage, with DuckDB's own words and proposals."""
    with pytest.raises(UsageError) as raised:
        warehouse.rows(query)

    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "expression",
    [
        "cast(user_name as integer)",
        "cast(user_name as timestamp)",
        "strptime(user_name, '%Y')",
        "json_extract(user_name, '$.x')",
        "cast(cast(substr(user_name, 1, 9) as integer) as tinyint)",
    ],
)
def test_complaints_quote_no_data(publish_users: Publish, expression: str) -> None:
    """What does not fit is named by its type; the value itself is somebody's name."""
    with open_warehouse(publish_users("424242424hunter")) as warehouse:
        for get in (warehouse.rows, warehouse.sql):
            with pytest.raises(UsageError) as raised:
                get(f"select {expression} from sessions")

            assert "4242" not in str(raised.value)
            assert "hunter" not in str(raised.value)


def test_macros_complain_through_the_reader(warehouse: Warehouse) -> None:
    """Too many bins keep their own error when they are asked for through a published warehouse."""
    with pytest.raises(TooManyBinsError, match=r"^too many bins: \d+, limit 65536; use larger bins"):
        warehouse.histogram("second", start="2024-01-01", end="2024-03-01")


def test_nothing_published(tmp_path: Path) -> None:
    """Before the first sync there is a clear word and no file."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "nowhere" / "warehouse.duckdb", tmp_path / "file" / "x"):
        with pytest.raises(UsageError, match=r"nothing published yet at .*warehouse\.duckdb: run `spsetl sync`"):
            open_warehouse(path)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut"])
def test_a_damaged_file(publish_users: Publish, damage: str) -> None:
    """A file that DuckDB cannot read is told as that, in one line, and left as it is."""
    file = publish_users("ann") / "warehouse.duckdb"
    whole = file.read_bytes()
    file.write_bytes({"empty": b"", "garbage": b"\1" * 20_000, "cut": whole[: len(whole) // 2]}[damage])

    with pytest.raises(StorageError) as raised:
        open_warehouse(file)

    assert str(raised.value).startswith(f"cannot read {file}: ")
    assert str(raised.value).endswith("if it is damaged, `spsetl rebuild` makes it anew")
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 3


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """A sound DuckDB file without our tables is no warehouse."""
    file = tmp_path / "other.duckdb"
    with duckdb.connect(file) as connection:
        connection.execute(schema.SESSIONS.ddl)

    with pytest.raises(StorageError, match=r"other\.duckdb is not a warehouse that this version of spsetl"):
        open_warehouse(file)


def test_a_folder_that_may_not_be_read(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the rights are missing, it is not said that nothing was published."""

    def refuse(path: Path) -> os.stat_result:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(StorageError, match=r"cannot read .*warehouse\.duckdb: Permission denied"):
        warehouse.rows("select 1")


def test_times_are_utc_wherever_the_reader_is(publish_users: Publish) -> None:
    """Neither the zone of the machine nor that of the process changes what a time is."""
    folder = publish_users("ann")
    program = (
        "import spsetl, sys\n"
        "with spsetl.open_warehouse(sys.argv[1]) as warehouse:\n"
        "    print(warehouse.rows('select start_time, cast(start_time as timestamptz)::varchar from sessions')[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, "TZ": "Pacific/Auckland"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str([(datetime.fromisoformat("2024-03-01T10:00"), "2024-03-01 10:00:00+00")])


def test_tables_need_no_pandas(publish_users: Publish) -> None:
    """What a command prints does not wait for pandas to be imported."""
    folder = publish_users("ann")
    program = (
        "import spsetl, sys\n"
        "assert 'duckdb' not in sys.modules\n"
        "from spsetl.analysis.stats import fetch_stats\n"
        "with spsetl.open_warehouse(sys.argv[1]) as warehouse:\n"
        "    print(fetch_stats(warehouse, 'user.name').rows, 'pandas' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[('ann', 1, 0)] False"


def test_what_spills_is_private_and_goes(
    publish_users: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What does not fit into memory goes to a folder that only its owner can read, and that does not stay."""
    folder = publish_users("ann")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    with open_warehouse(folder) as warehouse:
        _, [(spill,)] = warehouse.rows("select value from duckdb_settings() where name = 'temp_directory'")
        assert [str(path) for path in temporary.iterdir()] == [spill]
        assert Path(spill).stat().st_mode & 0o777 == 0o700

    assert list(temporary.iterdir()) == []


def test_an_unknown_name_of_the_package() -> None:
    """Only what the package exports is found in it."""
    missing: Any = "open_warehose"
    with pytest.raises(AttributeError, match="open_warehose"):
        getattr(spsetl, missing)
