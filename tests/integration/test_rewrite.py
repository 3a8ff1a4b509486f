"""Free room in the work database, and how it is given back."""

from pathlib import Path

import duckdb
import pytest

from spsetl.errors import StorageError
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.warehouse import rewrite
from spsetl.warehouse import work as work_database
from spsetl.warehouse.work import WorkDatabase
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, ask, forget_snapshot, sync

pytestmark = pytest.mark.usefixtures("without_waiting")
ROWS = 200_000


def fill(folder: Path) -> WorkDatabase:
    """A work database, most of whose blocks are free."""
    work = WorkDatabase(folder / "work.duckdb", published=folder / "none")
    with work:
        with work.transaction() as connection:
            connection.execute(
                "insert into quarantine by name select r as session_key, sha256(r) as raw "
                f"from (select range::varchar as r from range({ROWS}))"
            )
        work.checkpoint()
        with work.transaction() as connection:
            connection.execute(f"delete from quarantine where session_key::bigint < {ROWS - 10}")
        work.checkpoint()
        work.checkpoint()
    return work


def rows(path: Path) -> list[tuple[str, str]]:
    """What is left of the rows."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("select session_key, raw from quarantine order by all").fetchall()


def test_free_room_is_given_back(tmp_path: Path) -> None:
    """The file is small again, holds the same, comments and macros too, and is of the old format."""
    work = fill(tmp_path)
    before, held = work.path.stat().st_size, rows(work.path)
    assert len(held) == 10
    with work:
        work.finish()
    assert work.path.stat().st_size < 0.5 * before
    assert rows(work.path) == held
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["work.duckdb"]
    with duckdb.connect(str(work.path), read_only=True) as connection:
        [(comment,)] = connection.execute(
            "select comment from duckdb_tables() where table_name = 'sessions'"
        ).fetchall()
        assert comment
        assert connection.execute("from session_stats('protocol')").fetchall() == []
        [(tags,)] = connection.execute("select tags::varchar from duckdb_databases() where path is not null").fetchall()
        assert work_database.STORAGE_VERSION in tags
    with work:  # and it goes on
        assert not rewrite.is_wasteful(work.connection)


def test_dead_rows_are_waste(tmp_path: Path) -> None:
    """Rows deleted here and there free no block."""
    with WorkDatabase(tmp_path / "work.duckdb", published=tmp_path / "none") as work:
        run = work.connection.execute
        run(
            "insert into quarantine by name select r as session_key, sha256(r) as raw "
            f"from (select range::varchar as r from range({ROWS}))"
        )
        work.checkpoint()
        assert not rewrite.is_wasteful(work.connection)
        run("delete from quarantine where session_key::bigint % 3 = 0")
        work.checkpoint()
        assert rewrite.is_wasteful(work.connection)


def test_a_full_disk_leaves_the_file_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as good as before, only larger."""
    work = fill(tmp_path)
    before = work.path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(work_database, "write_anew", full)
    with work:
        work.finish()
    assert len(work.path.read_bytes()) == len(before)
    assert len(rows(work.path)) == 10


def test_what_lacks_a_row_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files are read, and must say the same."""
    work = fill(tmp_path)
    read = rewrite.read_tables

    def read_less(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, tuple[int, int]]:
        if database == "anew":
            connection.execute(
                "delete from anew.quarantine where session_key = (select max(session_key) from anew.quarantine)"
            )
        return read(connection, database)

    monkeypatch.setattr(rewrite, "read_tables", read_less)
    with pytest.raises(StorageError, match=r"does not hold what it was written from"), work:
        work.finish()
    assert len(rows(work.path)) == 10
    assert not (tmp_path / "anew.duckdb").exists()


def test_nights_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the least free room, a sync publishes what was written anew; the next goes on from it."""
    monkeypatch.setattr(rewrite, "_LEAST_BLOCKS", 0)
    monkeypatch.setattr(rewrite, "_MOST_WASTE", 0)
    world = World(WorldSpec(sessions=60, days=6))
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        for _ in range(2):
            simulator.advance_night()
            forget_snapshot(simulator)
            sync(simulator, tmp_path)
            assert ask(tmp_path, "select free_blocks from pragma_database_size() where free_blocks is not null") == [
                (0,)
            ]
    gone = {key for (key,) in ask(tmp_path, "select session_key from sessions")} - set(world.keys())
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME, gone=gone)
