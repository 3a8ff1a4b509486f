"""A question reads the copy and nothing else, whatever this DuckDB would let it do; and it ends."""

import io
import os
import subprocess
import sys
from pathlib import Path
from threading import Timer

import duckdb
import pytest

from spsetl.analysis.published import Limits, PublishedFile
from spsetl.analysis.question import EFFECTS, check_question
from spsetl.analysis.reader import open_warehouse
from spsetl.cli import run
from spsetl.doctor.copy import check_modes
from spsetl.errors import SpsetlError, StorageError, UsageError
from spsetl.settings import load_settings
from spsetl.simulator import Simulator, World, WorldSpec
from tests.published import publish_sessions
from tests.syncing import sync

# Each does something, though most of them are called SELECT by DuckDB; {file} is where one could hurt.
NO_QUESTIONS = [
    "copy (select 1) to '{file}'",
    "explain analyze copy (select 1) to '{file}'",
    "explain (analyze, format json) copy (select 1) to '{file}'",
    "explain copy (select 1) to '{file}'",
    "with t as (copy (select 1) to '{file}') from t",
    "with t as materialized (copy (select 1) to '{file}' (format parquet)) select 1",
    "from (with t as (copy (select 1) to '{file}') from t)",
    "select (with t as (copy (select 1) to '{file}') select 1)",
    "explain analyze with t as (copy (select 1) to '{file}') from t",
    "select 1; with t as (copy (select 1) to '{file}') from t",
    "copy (pivot (select 1 as a) on a) to '{file}'",
    "explain analyze copy (pivot (select 1 as a) on a) to '{file}'",
    "pivot (with t as (copy (select 1 as a) to '{file}') from t) on a",
    "with t as (copy (select 1 as a) to '{file}') pivot t on a",
    "explain analyze pivot (with t as (copy (select 1 as a) to '{file}') from t) on a",
    "explain /* select 1 -- */ analyze copy (select 1) to '{file}'",
    "explain analyze copy (select 1) to '{file}' --\n; select 1",
    "from query('copy (select 1) to ''{file}''')",
    "from query('with t as (copy (select 1) to ''{file}'') from t')",
    "from system.main.\"QUERY\"('select 1')",
    "pivot (from query('select 1 as a')) on a",
    "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "create table memory.main.mine as pivot (select 1 as a) on a",
    "create temp table mine as pivot (select 1 as a) on a",
    "with t as (delete from sessions returning *) from t",
    "with t as (insert into sessions (session_key) values ('x') returning *) from t",
    "with t as (update sessions set user_name = 'eve' returning *) from t",
    "explain analyze create table memory.main.mine as select 1",
    "prepare mine as pivot (select 1 as a) on a",
    "set variable mine = (select 1)",
    "create or replace temp macro mine() as 1",
    "execute mine",
    "commit",
    "from enable_profiling(save_location := '{file}')",
    "from enable_logging()",
    "select write_log('mine')",
    "from checkpoint()",
    "from truncate_duckdb_logs()",
    "from add_grammar_extension('mine')",
    "from register_external_resource('a', 'b', 'c', 'd', 'e', 'f')",
    "set profiling_output = '{file}'",
    "set log_query_path = '{file}'",
    "set temp_directory = '{file}'",
]
QUESTIONS = [
    "select 1",
    "from sessions",
    "table sessions",
    "values (1), (2)",
    "with recursive t as (select 1 as a union all select a + 1 from t where a < 3) from t",
    "select 1 union all select 2",
    "describe sessions",
    "describe",
    "summarize sessions",
    "show tables",
    "show all tables",
    "explain select 1",
    "-- why\nexplain analyze from sessions",
    "explain (format json) select count(*) from sessions",
    "explain analyze pivot sessions on protocol",
    "pivot sessions on protocol using count(*) group by user_name;",
    "pivot sessions on protocol in ('ssh') using count(*)",
    "unpivot (select 1 as a, 2 as b) on a, b",
    "select 'copy (select 1) to ''x''', '\"type\":\"COPY_QUERY_NODE\"' as \"create\"",
    "from session_stats('user.name', size := 5)",
    "from session_histogram('day')",
    "select list_transform([1, 2], lambda x: x + 1), {'a': 1}, map {'a': 1}",
    "select count(*) over (partition by user_name) from sessions qualify row_number() over () = 1",
    "from sessions tablesample 10%",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A published copy of two sessions."""
    return publish_sessions(tmp_path / "data", [{"user_name": "ann", "protocol": "ssh"}, {"user_name": "bob"}])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("query", NO_QUESTIONS)
def test_what_is_no_question_is_refused_before_it_runs(query: str, tmp_path: Path) -> None:
    """By the way that it parses, in a DuckDB that would do all of it: no database is read-only, no path is closed."""
    file = tmp_path / "file"
    with duckdb.connect() as connection:
        connection.execute("create table sessions (session_key text, user_name text)")
        with pytest.raises(UsageError) as raised:
            check_question(connection, query.format(file=file))
    assert "\n" not in str(raised.value)
    assert not file.exists()


@pytest.mark.parametrize("query", QUESTIONS)
def test_what_only_reads_is_answered(query: str, data: Path) -> None:
    """In every form that SQL has for it."""
    with open_warehouse(data) as warehouse:
        assert warehouse.rows(query)[0]


def test_every_function_of_this_duckdb_is_known() -> None:
    """A new version may bring functions that do more than read: each is looked at once, and named here or there."""
    with duckdb.connect() as connection:
        names = {
            name
            for (name,) in connection.execute(
                "select function_name from duckdb_functions() where schema_name = 'main' and "
                "(function_type = 'table' or (function_type = 'scalar' and stability = 'VOLATILE'))"
            ).fetchall()
        }
    reading = ("duckdb_", "pragma_", "read_", "parquet_", "json_", "icu_", "pg_", "test_", "current_", "uuid")
    harmless = {
        "arrow_scan_dumb", "error", "gen_random_uuid", "generate_series", "glob", "query_table", "random", "range",
        "repeat", "repeat_row", "seq_scan", "setseed", "sleep_ms", "sniff_csv", "stats", "summary", "unnest",
        "vector_type", "which_secret",
    }  # fmt: skip
    unknown = {name for name in names - harmless - EFFECTS if not name.startswith(reading)}
    assert unknown == set()


@pytest.mark.parametrize("beside", ["", ".wal", ".wal.recovery", ".wal.checkpoint", ".tmp"])
def test_what_the_gate_let_through_would_hurt_nothing(beside: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look at the question and without read-only tables, no path of the published file can be written."""
    monkeypatch.setattr("spsetl.analysis.published.check_question", lambda *_: None)
    before = contents(data)
    target = f"{data / 'warehouse.duckdb'}{beside}"
    with open_warehouse(data) as warehouse, warehouse.hold() as published:
        for query in (
            "copy (select 1) to '{}'",
            "copy (select 1) to '{}' (use_tmp_file false)",
            "explain analyze copy (select 1) to '{}'",
            "with t as (copy (select 1) to '{}') from t",
            "export database '{}'",
        ):
            with pytest.raises(SpsetlError, match=r"Permission|Access|disabled by configuration"):
                published.rows(query.format(target))
        [paths], [folders] = (
            warehouse.rows(f"select current_setting('{name}')")[1][0]
            for name in ("allowed_paths", "allowed_directories")
        )
        [(spill,)] = warehouse.rows("select current_setting('temp_directory')")[1]
        for path in paths:
            assert not Path(path).parent.exists(), path
            with pytest.raises(SpsetlError):
                published.rows(f"copy (select 1) to '{path}'")
        assert [Path(folder) for folder in folders] == [Path(spill)]
        assert data not in Path(spill).parents
    assert contents(data) == before
    assert sorted(path.name for path in data.iterdir()) == ["warehouse.duckdb", "work"]


def test_a_question_leaves_nothing_to_the_next(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the look at the question let it through: tables, macros, what was prepared, variables, settings."""
    monkeypatch.setattr("spsetl.analysis.published.check_question", lambda *_: None)
    with open_warehouse(data) as warehouse:
        for query, later in (
            ("create temp table mine as select 1 as one", "from mine"),
            ("create temp macro mine() as 1", "select mine()"),
            ("create temp view mine as select 1 as one", "from mine"),
            ("prepare mine as select 1", "execute mine"),
        ):
            warehouse.rows(query)
            with pytest.raises(UsageError):
                warehouse.rows(later)
        warehouse.rows("set variable mine = 1")
        assert warehouse.rows("select getvariable('mine')")[1] == [(None,)]
        for query in ("create table memory.main.mine as select 1 as one", "create macro memory.main.mine() as 1"):
            with pytest.raises(UsageError, match="read-only mode"):
                warehouse.rows(query)


def test_a_reader_that_cannot_write_there_reads(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that may only read the folder has no second name of the file, and needs none."""

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("spsetl.analysis.published.mkdtemp", refuse)
    with open_warehouse(data) as warehouse:
        assert warehouse.rows("select count(*) from sessions")[1] == [(2,)]


def test_a_copy_behind_a_link_is_read(data: Path, tmp_path: Path) -> None:
    """The data directory, and the file, may be links."""
    (tmp_path / "link").symlink_to(data)
    (tmp_path / "other.duckdb").symlink_to(data / "warehouse.duckdb")
    for path in (tmp_path / "link", tmp_path / "other.duckdb"):
        with open_warehouse(path) as warehouse:
            assert warehouse.rows("select count(*) from sessions")[1] == [(2,)]


@pytest.fixture
def forged(data: Path) -> Path:
    """A log beside the published file that would make somebody else of a user."""
    file, other = data / "warehouse.duckdb", data.parent / "other.duckdb"
    other.write_bytes(file.read_bytes())
    forge = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute(\"set checkpoint_threshold = '1TB'\"); "
        "c.execute(\"update sessions set user_name = 'eve'\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", forge, str(other)], check=True)
    other.with_name("other.duckdb.wal").rename(data / "warehouse.duckdb.wal")
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("select distinct user_name from sessions").fetchall() == [("eve",)]
    return data


def test_a_log_beside_the_published_file_is_refused(forged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No reader of ours applies it, and what to do is one line."""
    with pytest.raises(StorageError, match=r"warehouse\.duckdb\.wal .* spsetl sync"):
        open_warehouse(forged)
    for command in (["sql", "select user_name from sessions"], ["search"], ["shell"]):
        assert run([*command, "--data-dir", str(forged)]) == 3
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()) == 1
        assert "run spsetl sync" in said.err


def test_the_next_sync_removes_the_log(tmp_path: Path) -> None:
    """It neither stops at it nor believes it."""
    data = tmp_path / "data"
    with Simulator(World(WorldSpec(sessions=10, days=2))) as simulator:
        sync(simulator, data)
        (data / "warehouse.duckdb.wal").write_bytes(b"forged")
        sync(simulator, data)
    assert not (data / "warehouse.duckdb.wal").exists()
    with open_warehouse(data) as warehouse:
        assert warehouse.rows("select count(*) from sessions")[1] == [(10,)]


def test_the_published_file_is_for_owner_and_group(tmp_path: Path) -> None:
    """Whatever the umask; the group reads, nobody else, and what is private stays so."""
    data = tmp_path / "new" / "data"
    for umask in (0o077, 0o000):
        before = os.umask(umask)
        try:
            with Simulator(World(WorldSpec(sessions=10, days=2))) as simulator:
                sync(simulator, data)
        finally:
            os.umask(before)
        assert (data / "warehouse.duckdb").stat().st_mode & 0o777 == 0o640
    assert (data / "work").stat().st_mode & 0o777 == 0o700
    assert (data / "lake").stat().st_mode & 0o777 == 0o700


def test_a_new_data_directory_is_not_for_everybody(tmp_path: Path) -> None:
    """Whatever a generous umask would allow."""
    before = os.umask(0)
    try:
        with Simulator(World(WorldSpec(sessions=10, days=2))) as simulator:
            sync(simulator, tmp_path / "data")
    finally:
        os.umask(before)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("name", "mode", "named"),
    [
        (".", 0o755, "data"),
        (".", 0o770, "data"),
        ("warehouse.duckdb", 0o644, "warehouse.duckdb"),
        ("work", 0o750, "work"),
    ],
)
def test_doctor_sees_what_is_open_to_others(name: str, mode: int, named: str, data: Path) -> None:
    """Yellow, with the command that closes it; green says nothing."""
    data.chmod(0o750)
    (data / "work").chmod(0o700)
    settings = load_settings({"data_dir": data})
    assert list(check_modes(settings)) == []
    (data / name).chmod(mode)
    (finding,) = check_modes(settings)
    assert finding.state == "yellow"
    assert named in finding.found
    assert "chmod" in finding.next_step


ENDLESS = [
    "select count(*) from range(1000000) as a, range(1000000) as b where (a.range * b.range) % 7 = 1",
    "with recursive t as (select 1 as a union all select a + 1 from t) select max(a) from t",
    "select range from range(1000000000000)",
]


@pytest.mark.parametrize("query", ENDLESS)
def test_a_question_ends(query: str, data: Path) -> None:
    """After the time that the settings give it, in each way of asking; and the next one is answered."""
    with open_warehouse(data, limits=Limits(seconds=0.3)) as warehouse, warehouse.hold() as published:
        for ask in (
            warehouse.rows,
            warehouse.sql,
            lambda query: drain(published.stream(query)),
            lambda query: arrow(published, query),
        ):
            with pytest.raises(UsageError, match="SPSETL_QUESTION_SECONDS") as raised:
                ask(query)
            assert "\n" not in str(raised.value)
        assert warehouse.rows("select 1 as one")[1] == [(1,)]


def drain(stream: object) -> None:
    """Read all of an answer."""
    with stream as answer:  # type: ignore[attr-defined]
        for _ in answer.batches:
            pass


def arrow(published: PublishedFile, query: str) -> None:
    """Read all of an answer in Arrow."""
    with published.arrow(query) as (_, batches):
        for _ in batches:
            pass


def test_only_the_work_of_the_database_counts(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads an answer slowly, in a pager, loses nothing of it: no clock runs between two portions."""
    clocks: list[Timer] = []

    class Watched(Timer):
        def start(self) -> None:
            clocks.append(self)
            super().start()

    monkeypatch.setattr("spsetl.analysis.published.Timer", Watched)
    query = "select range from range(200000)"
    with open_warehouse(data) as warehouse, warehouse.hold() as published, published.stream(query) as answer:
        for _ in answer.batches:
            assert all(clock.finished.is_set() for clock in clocks)
    assert len(clocks) > 10
    assert [clock.interval for clock in clocks] == sorted((clock.interval for clock in clocks), reverse=True)
    assert clocks[0].interval == Limits().seconds


def test_a_question_that_needs_too_much_memory_says_so(data: Path) -> None:
    """In one line that names the setting."""
    query = "select length(string_agg(hash(range)::varchar, '')) from range(30000000)"
    with open_warehouse(data, limits=Limits(memory="100MB")) as warehouse:
        [(limit,)] = warehouse.rows("select current_setting('memory_limit')")[1]
        assert limit == "95.3 MiB"
        with pytest.raises(UsageError, match="SPSETL_QUESTION_MEMORY") as raised:
            warehouse.rows(query)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("command", ["sql", "search", "stats", "histogram", "shell"])
def test_the_settings_reach_every_command(
    command: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each takes its limits from where all settings are."""
    seen: list[Limits] = []
    whole = PublishedFile.__init__

    def remember(self: PublishedFile, path: Path, limits: Limits) -> None:
        seen.append(limits)
        whole(self, path, limits)

    monkeypatch.setattr(PublishedFile, "__init__", remember)
    monkeypatch.setenv("SPSETL_QUESTION_SECONDS", "77")
    monkeypatch.setenv("SPSETL_QUESTION_MEMORY", "123MB")
    monkeypatch.setattr("sys.stdin", input_of("select 1;\n"))
    argument = {"sql": ["select 1"], "stats": ["protocol"]}.get(command, [])
    assert run([command, *argument, "--data-dir", str(data)]) == 0
    assert set(seen) == {Limits(seconds=77, memory="123MB")}


def input_of(text: str) -> io.StringIO:
    """Standard input with this text."""
    return io.StringIO(text)


@pytest.mark.parametrize(
    ("name", "value"), [("SECONDS", "0"), ("MEMORY", "much"), ("MEMORY", "0MB"), ("MEMORY", "4GB; x")]
)
def test_a_wrong_limit_is_refused(
    name: str, value: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every wrong setting."""
    monkeypatch.setenv(f"SPSETL_QUESTION_{name}", value)
    assert run(["sql", "select 1", "--data-dir", str(data)]) == 2
    assert f"SPSETL_QUESTION_{name}" in capsys.readouterr().err


def shell(data: Path, typed: str, *arguments: str, path: Path | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the shell when that is piped into it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPSETL_")}
    done = subprocess.run(
        [sys.executable, "-m", "spsetl", "shell", "--data-dir", str(data), *arguments],
        input=typed, env={**kept, "PATH": str(path or "/nowhere"), "EDITOR": "touch"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_shell_is_no_way_out(data: Path, tmp_path: Path) -> None:
    """What DuckDB's own shell and Python would run is a wrong question; and no other program takes its place."""
    program = tmp_path / "bin" / "duckdb"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nopen({str(tmp_path / 'run')!r}, 'w')\n")
    program.chmod(0o755)
    before = contents(tmp_path)
    out_file, file = tmp_path / "out", data / "warehouse.duckdb"
    attempts = [
        f".shell touch {out_file};",
        f".output {out_file};",
        f".read {out_file};",
        f".pager 'tee {out_file}';",
        f"open('{out_file}', 'w');",
        f"import os; os.system('touch {out_file}');",
        f"copy (select 1) to '{file}';",
        f"explain analyze copy (select 1) to '{file}.wal';",
    ]
    code, out, err = shell(
        data, "\n".join([*attempts, "select user_name\nfrom sessions order by all;"]), path=program.parent
    )
    assert code == 0
    assert "ann" in out
    assert len(err.splitlines()) == len(attempts)
    assert "Traceback" not in err
    assert contents(tmp_path) == before
