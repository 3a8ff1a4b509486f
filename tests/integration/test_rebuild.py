"""The warehouse made anew from the lake alone, and the lake compacted, as a user does it."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spsetl import schema
from spsetl.cli import run
from spsetl.lake import Lake, compact_lake
from spsetl.runs import Run
from spsetl.settings import load_settings
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_sync
from spsetl.sync.data_dir import hold_lock
from tests.syncing import compact_all
from tests.tampering import of_items, tampering

pytestmark = pytest.mark.usefixtures("alone", "two_tries")

SMALL = WorldSpec(sessions=60, days=6)
SIGKILLED = -9


def sync(simulator: Simulator, folder: Path, url: str | None = None) -> Run:
    """One sync, with a look-back over everything."""
    access = {"url": url or simulator.url, "username": simulator.username, "password": simulator.password}
    settings = load_settings(access | {"appliance": "sps", "data_dir": folder, "lookback": 24 * 60}, environ={})
    return run_sync(settings, runner=ThreadRunner())


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy after three nights, in which sessions were new, changed and gone, one came back, one could not be read."""
    folder = tmp_path_factory.mktemp("synced")
    world = World(SMALL)
    odd = world.keys()[30]
    tamper = of_items(lambda item: item | {"body": {}} if item["key"] == odd else item)
    with Simulator(world) as simulator, tampering(simulator, tamper) as url:
        sync(simulator, folder, url)
        for _ in range(2):
            simulator.advance_night()
            sync(simulator, folder, url)
    return folder


@pytest.fixture
def copy(synced: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    folder = tmp_path / "copy"
    shutil.copytree(synced, folder)
    return folder


def all_rows(warehouse: Path) -> dict[str, list[Any]]:
    """All that a copy holds of its appliance, but what that can do."""
    tables = [table for table in schema.TABLES if table not in {schema.APPLIANCES, schema.WAREHOUSE_VERSION}]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {t.name: connection.execute(f"select * from {t.name} order by all").fetchall() for t in tables}


def rebuild(folder: Path, *more: str) -> int:
    """What the command ends with."""
    return run(["rebuild", "--data-dir", str(folder), *more])


def test_a_lost_and_a_damaged_file_come_back_as_they_were(
    synced: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also out of a compacted lake; with comments and macros, and without a log beside the new file."""
    expected = all_rows(synced / "warehouse.duckdb")
    assert all(expected[name] for name in ("session_scores", "events", "quarantine", "sync_windows"))
    compacted = compact_all(copy)
    assert 0 < compacted.files_after < compacted.files_before
    work = copy / "work" / "warehouse.duckdb"
    work.unlink()
    (copy / "work" / "warehouse.duckdb.wal").write_bytes(b"of the lost one")
    (copy / "warehouse.duckdb").write_bytes(b"damaged")

    assert rebuild(copy, "--json") == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"] == {name: len(rows) for name, rows in expected.items()}
    assert shown["files"] == compacted.files_after
    assert all_rows(copy / "warehouse.duckdb") == all_rows(work) == expected
    assert sorted(path.name for path in work.parent.glob("*.duckdb*")) == ["warehouse.duckdb"]
    with duckdb.connect(str(copy / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("from session_stats('protocol')").fetchall()
        assert connection.execute("select count(*) from duckdb_tables() where comment is null").fetchall() == [(0,)]


def test_a_sync_goes_on_from_what_was_rebuilt(tmp_path: Path) -> None:
    """It knows all sessions and details, and fetches only what is new since; what it cannot do is asked again."""
    with Simulator(World(SMALL)) as simulator:
        sync(simulator, tmp_path)
        assert rebuild(tmp_path) == 0
        report = sync(simulator, tmp_path)
        assert (report.sessions_new, report.sessions_changed, report.requests["channels"]) == (0, 0, 0)
        simulator.advance_night()
        report = sync(simulator, tmp_path)
        assert report.requests["channels"] == report.sessions_new + report.sessions_changed > 0
    before = all_rows(tmp_path / "warehouse.duckdb")
    assert rebuild(tmp_path) == 0
    assert all_rows(tmp_path / "warehouse.duckdb") == before


@pytest.mark.parametrize("spoil", ["cut", "empty", "scribbled"])
def test_a_damaged_file_is_named_and_nothing_is_replaced(
    spoil: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 3; the warehouse stays. Moved away, the rest makes a warehouse."""
    path = max(map(Path, Lake(copy / "lake").files("events")), key=lambda file: file.stat().st_size)
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-20], "empty": b"", "scribbled": b"\xff" * 2000 + content[2000:]}[spoil])
    before = [file.read_bytes() for file in (copy / "warehouse.duckdb", copy / "work" / "warehouse.duckdb")]

    assert rebuild(copy) == 3

    [line] = capsys.readouterr().err.splitlines()
    assert f"{path} is damaged" in line
    assert [f.read_bytes() for f in (copy / "warehouse.duckdb", copy / "work" / "warehouse.duckdb")] == before
    path.unlink()
    assert rebuild(copy) == 0


@pytest.mark.parametrize("step", ["build_marts", "run_checks", "replace_database", "publish"])
def test_killed_anywhere_it_can_be_run_again(step: str, synced: Path, copy: Path) -> None:
    """Readers keep the file that they had until the new one is whole."""
    before = (copy / "warehouse.duckdb").read_bytes()
    program = f"""
        import os, signal, sys
        from pathlib import Path
        from spsetl.settings import load_settings
        from spsetl.sync import rebuild

        rebuild.{step} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        rebuild.run_rebuild(load_settings({{"data_dir": Path(sys.argv[1])}}, environ={{}}))
    """
    killed = subprocess.run([sys.executable, "-c", dedent(program), str(copy)], check=False, timeout=60)
    assert killed.returncode == SIGKILLED
    assert (copy / "warehouse.duckdb").read_bytes() == before

    assert rebuild(copy) == 0

    assert all_rows(copy / "warehouse.duckdb") == all_rows(synced / "warehouse.duckdb")


def test_a_lake_of_an_older_version_lacks_a_column(copy: Path) -> None:
    """What it does not say is NULL; what this version has no column for stays in the lake alone."""
    for name in Lake(copy / "lake").files("sessions"):
        table = pq.read_table(name, partitioning=None)
        older = [column for column in table.column_names if column != "protocol"]
        pq.write_table(table.select(older).append_column("of_another_version", pa.nulls(len(table))), name)
    expected = all_rows(copy / "warehouse.duckdb")
    place = schema.SESSIONS.names.index("protocol")

    assert rebuild(copy) == 0

    found = all_rows(copy / "warehouse.duckdb")
    assert any(row[place] for row in expected["sessions"])
    assert found == expected | {"sessions": [(*row[:place], None, *row[place + 1 :]) for row in expected["sessions"]]}


def test_wrong_rows_are_not_published(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the checks forbid stays out, wherever it comes from."""
    before = (copy / "warehouse.duckdb").read_bytes()
    row = {"appliance": None, "session_key": "nobody", "extracted_at": None, "run_id": "20261101T000000Z-0"}
    with Lake(copy / "lake").writer(appliance="sps", run_id="20261101T000000Z-0", part="odd") as writer:
        writer.write({"sessions": pa.RecordBatch.from_pylist([row], schema=schema.SESSIONS.arrow_schema)})

    assert rebuild(copy) == 3

    assert "sessions__keys_are_known (1)" in capsys.readouterr().err
    assert (copy / "warehouse.duckdb").read_bytes() == before


@pytest.mark.parametrize("command", ["rebuild", "compact"])
def test_without_a_lake_nothing_is_made(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong folder is a wrong setting, and is not filled."""
    assert run([command, "--data-dir", str(tmp_path / "nowhere")]) == 2
    assert "SPSETL_DATA_DIR" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_an_empty_lake_does_not_empty_the_warehouse(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody has moved it away."""
    before = (copy / "warehouse.duckdb").read_bytes()
    shutil.rmtree(copy / "lake")
    (copy / "lake").mkdir()
    assert rebuild(copy) == 2
    assert "nothing to rebuild from" in capsys.readouterr().err
    assert (copy / "warehouse.duckdb").read_bytes() == before


@pytest.mark.parametrize("command", [["rebuild"], ["compact"], ["quarantine", "replay"]])
def test_a_sync_under_way_is_not_disturbed(command: list[str], copy: Path) -> None:
    """Whoever holds the data directory holds it alone."""
    with hold_lock(copy / "work"):
        assert run([*command, "--data-dir", str(copy)]) == 6


def test_compacting_says_what_it_did(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and bytes, before and after; nothing of the month that has not ended, and nothing twice."""
    assert run(["compact", "--data-dir", str(copy), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert before["files_after"] == before["files_before"]
    later = partial(compact_lake, now=datetime.now(UTC) + timedelta(days=32))
    monkeypatch.setattr("spsetl.cli.upkeep.compact_lake", later)
    assert run(["compact", "--data-dir", str(copy)]) == 0
    assert f"{before['files_before']:,} files of" in capsys.readouterr().err
    assert run(["compact", "--data-dir", str(copy), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["files_before"] == again["files_after"] < before["files_before"]
    assert again["bytes_before"] == again["bytes_after"]
    assert again["rows"] == before["rows"]
