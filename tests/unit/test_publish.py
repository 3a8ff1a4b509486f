"""Publishing: readers see the old state or the new one, whole; never anything between, never a foreign log."""

import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.warehouse import publish as publishing
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase


class House:
    """A work database with a number of runs in it, and where it is published."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work" / "warehouse.duckdb"
        self.published = folder / "warehouse.duckdb"

    def add_run(self) -> None:
        """One more row in sync_runs."""
        with WorkDatabase(self.work, published=self.published) as work:
            with work.transaction() as connection:
                connection.execute("insert into sync_runs (run_id) select 'run' || count(*) from sync_runs")
            work.checkpoint()

    def count_runs(self) -> int:
        """What a new reader sees."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return int(connection.execute("select count(*) from sync_runs").fetchall()[0][0])


@pytest.fixture
def house(tmp_path: Path) -> House:
    """One run, published."""
    house = House(tmp_path)
    house.add_run()
    publish(house.work, house.published)
    return house


def test_a_reader_that_stays_open_neither_blocks_nor_sees_half(house: House) -> None:
    """It keeps the state that it opened; one that comes later sees the new one."""
    with duckdb.connect(str(house.published), read_only=True) as old:
        for _ in range(3):
            house.add_run()
            publish(house.work, house.published)
            assert old.execute("select count(*) from sync_runs").fetchall() == [(1,)]
    assert house.count_runs() == 4


def test_nothing_is_left_beside_the_published_file(house: House) -> None:
    """No log, no partial copy."""
    assert sorted(path.name for path in house.published.parent.iterdir()) == ["warehouse.duckdb", "work"]
    assert [path.name for path in house.work.parent.iterdir()] == ["warehouse.duckdb"]


def test_a_log_beside_the_work_database_stops_the_publishing(house: House) -> None:
    """Somebody opened it for writing: what is in the log is not in the copy."""
    house.add_run()
    house.work.with_name(house.work.name + ".wal").write_bytes(b"a log")
    with pytest.raises(StorageError, match=r"warehouse\.duckdb\.wal"):
        publish(house.work, house.published)
    assert house.count_runs() == 1


def test_what_others_left_beside_the_published_file_goes(house: House) -> None:
    """A log would be applied to the new file; what a killed reader left would keep an old one on the disk."""
    house.add_run()
    log, old, new = (
        house.published.with_name(name) for name in ("warehouse.duckdb.wal", ".reading-old", ".reading-new")
    )
    log.write_bytes(b"a log")
    old.mkdir()
    (old / "warehouse.duckdb").write_bytes(b"an old state")
    os.utime(old, (0, 0))
    new.mkdir()
    publish(house.work, house.published)
    assert house.count_runs() == 2
    assert [path.exists() for path in (log, old, new)] == [False, False, True]


def test_a_copy_that_fails_leaves_the_published_file(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk amid the copy: the old state stays, and no partial file."""
    house.add_run()

    def run_out_of_space(source: Path, target: Path) -> Any:
        shutil.copyfile(source, target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, "copyfile", run_out_of_space)
    with pytest.raises(StorageError, match="No space left"):
        publish(house.work, house.published)
    assert house.count_runs() == 1
    assert not house.work.with_name("publish.duckdb").exists()


def test_a_lost_work_database_begins_again_from_the_published_one(house: House) -> None:
    """What was published need not be fetched again."""
    house.work.unlink()
    house.add_run()
    publish(house.work, house.published)
    assert house.count_runs() == 2


def test_a_file_of_another_version_is_refused(house: House) -> None:
    """Its tables are not ours: one line says so, and nothing is written to it."""
    with duckdb.connect(str(house.work)) as connection:
        connection.execute("alter table events drop column action")
    with pytest.raises(StorageError, match="another version"), WorkDatabase(house.work, published=house.published):
        pass


def test_every_table_and_column_says_what_it_means(house: House) -> None:
    """The comments of the schema are in the published file."""
    with duckdb.connect(str(house.published), read_only=True) as connection:
        tables = connection.execute("select table_name, comment from duckdb_tables()").fetchall()
        columns = connection.execute("select table_name, column_name, comment from duckdb_columns()").fetchall()
    assert dict(tables) == {table.name: table.comment for table in schema.TABLES}
    comments = {(table, column): comment for table, column, comment in columns}
    expected = {(table.name, column.name): column.comment for table in schema.TABLES for column in table.columns}
    assert {key: comments[key] for key in expected} == expected
