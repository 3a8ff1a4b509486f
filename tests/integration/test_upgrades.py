"""Upgrades: a copy of another schema is made anew from the lake. Nothing is lost, and readers notice nothing."""

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
from spsetl.analysis.reader import open_warehouse
from spsetl.cli import run
from spsetl.errors import NewerCopyError, StorageError
from spsetl.events import Listener, Teller
from spsetl.lake import Lake
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_sync
from spsetl.warehouse import upgrade
from tests.syncing import all_rows, ask, settings_for, sync

SIGKILLED = -9
SESSIONS = 17
OLDER, NEWER = schema.VERSION - 1, schema.VERSION + 1
_UPGRADED = "was written by an older spsetl"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """An appliance with a few sessions."""
    with Simulator(World(WorldSpec(sessions=SESSIONS, days=4, seed=172))) as running:
        yield running


@pytest.fixture(scope="module")
def synced(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, only to be read."""
    folder = tmp_path_factory.mktemp("synced")
    sync(simulator, folder)
    return folder


@pytest.fixture
def older(synced: Path, tmp_path: Path) -> Path:
    """The same as an older version would have left it: another number, and a column less."""
    folder = tmp_path / "older"
    shutil.copytree(synced, folder)
    for database in ("work/warehouse.duckdb", "warehouse.duckdb"):
        with duckdb.connect(str(folder / database)) as connection:
            connection.execute("alter table events drop column action")
            connection.execute("update warehouse_version set schema_version = ?", [OLDER])
    return folder


class Reader(Listener):
    """Asks the published file whenever a sync says something, as analysts would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: list[int] = []

    def look(self) -> None:
        """Count the published sessions."""
        with open_warehouse(self.folder) as warehouse:
            self.counts.append(warehouse.rows("select count(*) from sessions")[1][0][0])

    def begin(self, stage: str, total: int | None) -> None:  # noqa: ARG002 a stage is as good as another
        """See Listener."""
        self.look()


def test_next_sync_makes_an_older_copy_as_a_fresh_one(
    older: Path,
    synced: Path,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line says so; the published file stays as it is until the new one is whole; another sync finds it done."""
    reader = Reader(older)
    _call_before(monkeypatch, upgrade, "begin_from", reader.look)
    _call_before(monkeypatch, upgrade, "replace_database", reader.look)

    report = run_sync(settings_for(simulator, older), runner=ThreadRunner(), teller=Teller(reader))

    assert set(reader.counts) == {SESSIONS}
    [told] = [line for line in caplog.messages if _UPGRADED in line]
    assert told == (
        f"{older}/work/warehouse.duckdb was written by an older spsetl (schema {OLDER}; this one has "
        f"{schema.VERSION}): it is made anew from the lake; readers keep the published file meanwhile"
    )
    assert all_rows(older) == all_rows(synced)
    assert (report.sessions_new, report.sessions_changed, report.requests["events"]) == (0, 0, 0)
    assert ask(older, "select schema_version from warehouse_version") == [(schema.VERSION,)]
    assert ask(older, "select count(*) > 0 from policies") == [(True,)]
    assert ask(older, "select count(*) from mart.fct_sessions") == [(SESSIONS,)]
    caplog.clear()
    assert sync(simulator, older).sessions_changed == 0
    assert not any(_UPGRADED in line for line in caplog.messages)


def _call_before(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, look: Callable[[], None]) -> None:
    original = getattr(place, name)

    def called(*arguments: Any) -> Any:
        look()
        return original(*arguments)

    monkeypatch.setattr(place, name, called)


def test_an_older_published_copy_answers_and_says_what_it_lacks(
    older: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right after an upgrade, before the first sync; the file stays as it is."""
    before = (older / "warehouse.duckdb").read_bytes()

    for question in (("status",), ("sql", "select count(*) from sessions"), ("stats", "protocol"), ("quarantine",)):
        assert run([*question, "--data-dir", str(older)]) == 0, question
    capsys.readouterr()
    assert run(["sql", "select action from events", "--data-dir", str(older)]) == 2

    [line] = capsys.readouterr().err.splitlines()
    assert f"was published by an older spsetl (schema {OLDER}; this one has {schema.VERSION}): run spsetl sync" in line
    assert (older / "warehouse.duckdb").read_bytes() == before


@pytest.mark.parametrize("step", ["rebuild_tables", "replace_database"])
def test_killed_in_an_upgrade(step: str, older: Path, synced: Path, simulator: Simulator) -> None:
    """Readers keep what they had, and the next sync makes it whole."""
    before = (older / "warehouse.duckdb").read_bytes()
    program = """
        import os, signal, sys
        from pathlib import Path
        from spsetl.lake import Lake
        from spsetl.warehouse import upgrade

        folder, step = Path(sys.argv[1]), getattr(upgrade, sys.argv[2])

        def kill(*arguments):
            step(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(upgrade, sys.argv[2], kill)
        upgrade.upgrade_work(folder / "work/warehouse.duckdb", published=folder / "x", lake=Lake(folder / "lake"))
    """
    killed = subprocess.run(
        [sys.executable, "-c", dedent(program), str(older), step],
        check=False,
        timeout=60,
        stderr=subprocess.DEVNULL,
    )
    assert killed.returncode == SIGKILLED
    assert (older / "warehouse.duckdb").read_bytes() == before

    sync(simulator, older)

    assert all_rows(older) == all_rows(synced)
    assert not list((older / "work").glob("upgrade.duckdb*"))


def test_without_a_lake_nothing_is_changed(older: Path, simulator: Simulator) -> None:
    """The line says what to do."""
    shutil.rmtree(older / "lake")
    before = (older / "work" / "warehouse.duckdb").read_bytes()

    with pytest.raises(StorageError, match=r"is empty, from which it could be made anew: use that version"):
        sync(simulator, older)

    assert (older / "work" / "warehouse.duckdb").read_bytes() == before


def _everything(folder: Path) -> dict[str, bytes]:
    """The databases and the lake."""
    files = [path for path in folder.rglob("*.*") if path.suffix in {".duckdb", ".wal", ".parquet"}]
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize("place", ["work/warehouse.duckdb", "warehouse.duckdb", "the lake"])
def test_a_newer_copy_is_refused(
    place: str,
    synced: Path,
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By whatever would write it, in one line with the version that is needed; and nothing is changed."""
    folder = tmp_path / "newer"
    shutil.copytree(synced, folder)
    if place == "the lake":
        _write_newer_file(folder, monkeypatch)
        for database in ("warehouse.duckdb", "work/warehouse.duckdb"):
            (folder / database).unlink()
    else:
        with duckdb.connect(str(folder / place)) as connection:
            connection.execute("update warehouse_version set schema_version = ?, spsetl_version = '7.8.9'", [NEWER])
    before = _everything(folder)

    with pytest.raises(
        NewerCopyError, match=rf"schema {NEWER}; this one knows {schema.VERSION}\): install spsetl 7\.8\.9"
    ):
        sync(simulator, folder)
    assert run(["rebuild", "--data-dir", str(folder)]) == 2
    if place == "the lake":
        assert run(["compact", "--data-dir", str(folder)]) == 2
    elif place == "warehouse.duckdb":
        assert run(["status", "--data-dir", str(folder)]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(f"was written by a newer spsetl (schema {NEWER}; " in line for line in lines)
    assert _everything(folder) == before


def _write_newer_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pa.RecordBatch.from_pylist([{"appliance": "sps"}], schema=schema.SESSIONS.arrow_schema)
    with monkeypatch.context() as later:
        told = {"spsetl.schema": str(NEWER), "spsetl.version": "7.8.9"}
        later.setattr("spsetl.lake.writer.who_writes", lambda: told)
        with Lake(folder / "lake").writer(appliance="sps", run_id="20261122T000000Z-1", part="x") as writer:
            writer.write({"sessions": row})
