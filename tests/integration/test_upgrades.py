"""Upgrades, from data directories that earlier versions really wrote: nothing is lost, and readers notice nothing."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from spsetl import schema
from spsetl.cli import run
from spsetl.errors import NewerCopyError, StorageError
from spsetl.lake import Lake
from spsetl.simulator import Simulator
from spsetl.sync import Silence, ThreadRunner, run_sync
from spsetl.sync.rebuild import run_rebuild
from spsetl.warehouse import upgrade
from spsetl.warehouse.reader import open_warehouse
from tests.earlier import SESSIONS, VERSIONS, missing_sessions, rows_of_present, unpack, world_of_samples
from tests.syncing import ask, settings_for, sync

SIGKILLED = -9
# The sample of schema 2 was killed in its second night, and published its first.
PUBLISHED = {1: SESSIONS, 2: SESSIONS - 3, 3: SESSIONS}
_UPGRADED = "was written by an older spsetl"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """The appliance that the samples are copies of."""
    with Simulator(world_of_samples()) as running:
        yield running


@pytest.fixture(scope="module")
def fresh(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What this version copies of it into an empty data directory."""
    folder = tmp_path_factory.mktemp("fresh")
    sync(simulator, folder)
    rows = rows_of_present(folder)
    assert all(rows[name] for name in ("sessions", "session_lists", "session_scores", "channels", "events", "alerts"))
    return rows


@pytest.fixture(scope="module", params=VERSIONS)
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A data directory of an earlier version, only to be read."""
    return request.param, unpack(request.param, tmp_path_factory.mktemp("unpacked"))


class Reader(Silence):
    """Asks the published file whenever a sync says something, as analysts would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: list[int] = []

    def look(self) -> None:
        """Count the published sessions."""
        with open_warehouse(self.folder) as warehouse:
            self.counts.append(warehouse.rows("select count(trail_downloads_status) from sessions")[1][0][0])

    def begin(self, stage: str, total: int | None) -> None:  # noqa: ARG002 a stage is as good as another
        """See Progress."""
        self.look()


@pytest.mark.parametrize("version", VERSIONS)
def test_next_sync_makes_an_earlier_copy_as_a_fresh_one(
    version: int,
    simulator: Simulator,
    fresh: dict[str, list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line says so; the published file stays as it is until the new one is whole; another sync finds it done."""
    folder = unpack(version, tmp_path)
    reader = Reader(folder)
    _call_before(monkeypatch, upgrade, "begin_from", reader.look)
    _call_before(monkeypatch, upgrade, "replace_database", reader.look)

    run_sync(settings_for(simulator, folder), runner=ThreadRunner(), progress=reader)

    assert set(reader.counts) == {PUBLISHED[version]}
    [told] = [line for line in caplog.messages if _UPGRADED in line]
    assert told == (
        f"{folder}/work/warehouse.duckdb was written by an older spsetl (schema {version}; this one has "
        f"{schema.VERSION}): what is new is filled by this sync; readers keep the published file meanwhile"
    )
    assert rows_of_present(folder) == fresh
    assert missing_sessions(folder) == 1
    assert ask(folder, "select schema_version from warehouse_version") == [(schema.VERSION,)]
    assert ask(folder, "select count(*) > 0 from policies") == [(True,)]
    assert ask(folder, "select count(*) from mart.fct_sessions") == [(SESSIONS,)]
    assert ask(folder, "select tags['storage_version'] from duckdb_databases() where not internal") == [("v1.2.0+",)]
    assert ask(folder, "select count(distinct run_id), bool_and(kind = 'sync') from sync_runs") == [(3, True)]
    caplog.clear()
    assert sync(simulator, folder).sessions_changed == 0
    assert not any(_UPGRADED in line for line in caplog.messages)


def _call_before(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, look: Callable[[], None]) -> None:
    original = getattr(place, name)

    def called(*arguments: Any) -> Any:
        look()
        return original(*arguments)

    monkeypatch.setattr(place, name, called)


QUESTIONS = (
    ("status", "--json"),
    ("sql", "select events_status, indexing_status, count(*) from sessions group by all"),
    ("sql", "select kind, verdict, source_count from sync_windows"),
    ("sql", "from policies"),
    ("sql", "select value from session_stats('user.server_username')"),
    ("stats", "user.server_username", "--q", "protocol: SSH"),
    ("histogram", "--bin-size", "day"),
    ("search", "protocol: SSH"),
    ("quarantine",),
)


def test_commands_answer_from_an_earlier_copy(unpacked: tuple[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Right after an upgrade, before the first sync; the file stays as it is."""
    _, folder = unpacked
    before = (folder / "warehouse.duckdb").read_bytes()

    for question in QUESTIONS:
        assert run([*question, "--data-dir", str(folder)]) == 0, question

    assert "Traceback" not in capsys.readouterr().err
    assert (folder / "warehouse.duckdb").read_bytes() == before


@pytest.mark.parametrize("question", [("sql", "from mart.fct_sessions"), ("export", "out"), ("report",)])
def test_what_an_earlier_copy_has_not_is_told_in_a_line(
    question: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the sync that makes it."""
    folder = unpack(2, tmp_path)
    monkeypatch.chdir(tmp_path)

    assert run([*question, "--data-dir", str(folder)]) == 2

    [line] = capsys.readouterr().err.splitlines()
    assert "older spsetl" in line or "has no marts yet" in line
    assert "spsetl sync" in line


def _spoil(folder: Path) -> None:
    """A difference that no version has made: a column that always was is gone."""
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb")) as connection:
        connection.execute("alter table events drop column action")


# Where a process is killed, and in which sample: one whose rows are copied, and one that is made from the lake.
KILLS = ((1, ("_make_complete", "replace_database")), (2, ("rebuild_tables", "replace_database")))


@pytest.mark.parametrize(("version", "steps"), KILLS)
def test_killed_in_an_upgrade_again_and_again(
    version: int, steps: tuple[str, ...], simulator: Simulator, fresh: dict[str, list[Any]], tmp_path: Path
) -> None:
    """Readers keep what they had, and the next sync makes it whole."""
    folder = unpack(version, tmp_path)
    if version > 1:
        _spoil(folder)
    before = (folder / "warehouse.duckdb").read_bytes()
    program = """
        import os, signal, sys
        from pathlib import Path
        from spsetl.lake import Lake
        from spsetl.warehouse import upgrade

        folder, step, calls = Path(sys.argv[1]), getattr(upgrade, sys.argv[2]), []

        def kill(*arguments):
            calls.append(step(*arguments))
            if len(calls) == (3 if sys.argv[2] == "_make_complete" else 1):
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(upgrade, sys.argv[2], kill)
        upgrade.upgrade_work(folder / "work/warehouse.duckdb", published=folder / "x", lake=Lake(folder / "lake"))
    """
    for step in steps:
        killed = subprocess.run(
            [sys.executable, "-c", dedent(program), str(folder), step],
            check=False,
            timeout=60,
            stderr=subprocess.DEVNULL,
        )
        assert killed.returncode == SIGKILLED
        assert (folder / "warehouse.duckdb").read_bytes() == before

    sync(simulator, folder)

    assert rows_of_present(folder) == fresh
    assert not list((folder / "work").glob("upgrade.duckdb*"))


def test_any_other_difference_is_mended_from_the_lake(
    simulator: Simulator, fresh: dict[str, list[Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The line says so; without a lake nothing is changed, and the line says what to do."""
    folder = unpack(3, tmp_path / "whole")
    _spoil(folder)
    bare = tmp_path / "bare"
    shutil.copytree(folder / "work", bare / "work")
    before = (bare / "work" / "warehouse.duckdb").read_bytes()

    sync(simulator, folder)
    with pytest.raises(StorageError, match=r"is empty, from which it could be made anew: use that version"):
        sync(simulator, bare)

    assert any(f"{_UPGRADED} (schema 3; this one has {schema.VERSION}): it is made anew" in m for m in caplog.messages)
    assert rows_of_present(folder) == fresh
    assert missing_sessions(folder) == 1
    assert (bare / "work" / "warehouse.duckdb").read_bytes() == before


@pytest.mark.parametrize("is_compacted", [False, True])
def test_rebuild_reads_the_files_of_the_first_version(
    is_compacted: bool, simulator: Simulator, fresh: dict[str, list[Any]], tmp_path: Path
) -> None:
    """Their lists and scores, which do not say of which run they are, among them; also once compacted."""
    folder = unpack(1, tmp_path)
    if is_compacted:
        assert run(["compact", "--data-dir", str(folder)]) == 0
    lists = ask(folder, "select session_key, field, position, value from session_lists order by all")
    scores = ask(folder, "select session_key, algorithm, score from session_scores order by all")

    run_rebuild(settings_for(simulator, folder))

    assert ask(folder, "select session_key, field, position, value from session_lists order by all") == lists
    assert ask(folder, "select session_key, algorithm, score from session_scores order by all") == scores
    same = "l.session_key = s.session_key and l.run_id = s.run_id and l.extracted_at = s.extracted_at"
    assert ask(folder, f"select count(*) from session_lists l anti join sessions s on {same}") == [(0,)]
    if is_compacted:
        sync(simulator, folder)
        assert rows_of_present(folder) == fresh


def _number(database: Path, version: int) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("create or replace table warehouse_version (schema_version bigint, spsetl_version varchar)")
        connection.execute("insert into warehouse_version values (?, '7.8.9')", [version])


def _everything(folder: Path) -> dict[str, bytes]:
    """The databases and the lake."""
    files = [path for path in folder.rglob("*.*") if path.suffix in {".duckdb", ".wal", ".parquet"}]
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize("place", ["work/warehouse.duckdb", "warehouse.duckdb", "the lake"])
def test_a_newer_copy_is_refused(
    place: str,
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By whatever would write it, in one line with the version that is needed; and nothing is changed."""
    folder = unpack(3, tmp_path)
    newer = schema.VERSION + 1
    if place == "the lake":
        _write_newer_file(folder, monkeypatch)
        for database in ("warehouse.duckdb", "work/warehouse.duckdb"):
            (folder / database).unlink()
    else:
        _number(folder / place, newer)
    before = _everything(folder)

    with pytest.raises(
        NewerCopyError, match=rf"schema {newer}; this one knows {schema.VERSION}\): install spsetl 7\.8\.9"
    ):
        sync(simulator, folder)
    assert run(["rebuild", "--data-dir", str(folder)]) == 2
    if place == "the lake":
        assert run(["compact", "--data-dir", str(folder)]) == 2
    elif place == "warehouse.duckdb":
        assert run(["status", "--data-dir", str(folder)]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(f"was written by a newer spsetl (schema {newer}; " in line for line in lines)
    assert _everything(folder) == before


def _write_newer_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pa.RecordBatch.from_pylist([{"appliance": "sps"}], schema=schema.SESSIONS.arrow_schema)
    with monkeypatch.context() as later:
        told = {"spsetl.schema": str(schema.VERSION + 1), "spsetl.version": "7.8.9"}
        later.setattr("spsetl.lake.writer.who_writes", lambda: told)
        with Lake(folder / "lake").writer(appliance="sps", run_id="20261122T000000Z-1", part="x") as writer:
            writer.write({"sessions": row})
