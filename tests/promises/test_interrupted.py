"""A run that a person or the system ends: what was fetched is kept, it says how it ended, and nothing is published."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec
from spsetl.sync.data_dir import fetch_last_runs
from tests.oracle import assert_equal_copy
from tests.soak.programs import environment
from tests.syncing import NAME, ask, sync

DETAILS = ("channels", "events", "alerts")
WORLD = WorldSpec(sessions=600, days=12)
COMMANDS = (["sync"], ["backfill", "--start", "2020-01-01", "--end", "2030-01-01"])


@contextmanager
def program(arguments: list[str], simulator: Simulator, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that works on the folder's copy."""
    with subprocess.Popen(
        [sys.executable, "-m", "spsetl", *arguments],
        env=environment(simulator, folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def fetched(folder: Path) -> int:
    """How many details, of all kinds, the work database has."""
    counts = " + ".join(f"count(*) filter ({kind}_status = 'fetched')" for kind in DETAILS)
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb"), read_only=True) as connection:
        (row,) = connection.execute(f"select {counts} from session_details").fetchall()
    return int(row[0])


def statuses(folder: Path) -> list[Any]:
    """How the runs of the work database ended."""
    with duckdb.connect(str(folder / "work" / "warehouse.duckdb"), read_only=True) as connection:
        return [
            status for (status,) in connection.execute("select status from sync_runs order by started_at").fetchall()
        ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_what_was_fetched_is_kept(command: list[str], number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Fewer than 20 details are lost, amid two batches; it is no failure, and the next run goes on from there."""
    world = World(WORLD)
    answered: Counter[str] = Counter()
    with Simulator(world, Quirks(latency=0.002)) as simulator, program(command, simulator, tmp_path) as process:

        def note(kind: str, _: str, __: Any) -> None:
            answered[kind] += kind in DETAILS and process.poll() is None
            if answered.total() == 700:
                process.send_signal(number)

        simulator.on_request = note
        _, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        assert [line for line in said.splitlines() if line.startswith("spsetl: interrupted; what was fetched is kept")]
        assert "Traceback" not in said
        assert not (tmp_path / "warehouse.duckdb").exists()
        assert 700 - 8 <= answered.total() < 1800
        assert answered.total() - fetched(tmp_path) < 20
        [run] = fetch_last_runs(tmp_path / "work", is_running=False)
        assert (run.status, run.exit_code, run.published) == ("interrupted", code, False)
        assert statuses(tmp_path) == ["interrupted"]
        kept, simulator.on_request = fetched(tmp_path), None
        report = sync(simulator, tmp_path)
    assert sum(report.requests[kind] for kind in DETAILS) < 1800 - kept + 20
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)
    assert ask(tmp_path, "select status from sync_runs order by started_at") == [("interrupted",), ("done",)]


def test_the_published_copy_stays(tmp_path: Path) -> None:
    """A reconciliation is ended like a sync."""
    world = World(WorldSpec(sessions=120, days=12))
    with Simulator(world) as simulator:
        sync(simulator, tmp_path)
        published = (tmp_path / "warehouse.duckdb").read_bytes()
        with program(["reconcile"], simulator, tmp_path) as process:
            simulator.on_request = lambda kind, *_: process.send_signal(signal.SIGTERM) if kind == "histogram" else None
            process.communicate(timeout=60)
    assert process.returncode == 143
    assert (tmp_path / "warehouse.duckdb").read_bytes() == published
    last = {run.kind: run.status for run in fetch_last_runs(tmp_path / "work", is_running=False)}
    assert last == {"sync": "done", "reconcile": "interrupted"}
    assert statuses(tmp_path) == ["done", "interrupted"]


@pytest.mark.parametrize("kind", ["list", "channels"])
def test_an_appliance_that_is_silent_keeps_nobody_waiting(kind: str, tmp_path: Path) -> None:
    """Once ends it within seconds, whatever is waited for; what came before the silence is kept."""
    hung: list[str] = []
    with (
        Simulator(World(WORLD)) as simulator,
        program(["sync", "--snapshot-busy", "windows", "--strategy", "windows"], simulator, tmp_path) as process,
    ):

        def hang(asked: str, _: str, params: Any) -> Fault | None:
            if asked != kind or (kind == "list" and params.get("limit") != "500") or len(hung) > 99:
                return None
            hung.append(asked)
            if kind == "channels" and len(hung) <= 50:
                return None
            if len(hung) in {1, 51}:
                process.send_signal(signal.SIGINT)
            return Fault.HANG

        simulator.on_request = hang
        began = time.monotonic()
        _, said = process.communicate(timeout=50)
        assert time.monotonic() - began < 30
    assert process.returncode == 130, said
    assert (fetched(tmp_path) > 0) == (kind == "channels")


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Who does not want to wait says so again."""
    with Simulator(World(WORLD)) as simulator, program(["sync"], simulator, tmp_path) as process:
        asked: list[str] = []

        def hang(kind: str, *_: Any) -> Fault | None:
            if kind != "channels":
                return None
            asked.append(kind)
            if len(asked) == 1:
                process.send_signal(signal.SIGINT)
            return Fault.HANG

        simulator.on_request = hang
        assert process.stderr is not None
        said = ""
        while "end at once" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - began < 1.5
    [run] = fetch_last_runs(tmp_path / "work", is_running=False)
    assert "killed" in (run.error or "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_amid_a_statement_it_is_interrupted_too(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """DuckDB makes an error of its own of it: still a line, no traceback, and a run that was interrupted."""
    program_ = (
        "import os, sys, threading\n"
        "import duckdb\n"
        "from spsetl.cli import main\n"
        "from spsetl.sync import job\n"
        "def long(*_):\n"
        f"    threading.Timer(0.3, os.kill, (os.getpid(), {int(number)})).start()\n"
        "    with duckdb.connect(config={'threads': 1}) as connection:\n"
        "        connection.execute('select count(*) from range(1000000) a, range(1000000) b where a < b')\n"
        "job.build_marts = long\n"
        "sys.argv[1:] = ['sync']\n"
        "main()\n"
    )
    with Simulator(World(WorldSpec(sessions=10, days=2))) as simulator:
        done = subprocess.run(
            [sys.executable, "-c", program_], env=environment(simulator, tmp_path), cwd=tmp_path,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert statuses(tmp_path) == ["interrupted"]


def test_an_earlier_run_of_this_copy_is_no_other_program(tmp_path: Path) -> None:
    """A second sync within minutes gets the snapshot of the first again: it says whose it is, and that all is well."""
    world = World(WorldSpec(sessions=120, days=12))
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, details="none")
        again = sync(simulator, tmp_path, details="none")
        simulator.advance_clock(1000)
        simulator.snapshots.open(("somebody", "192.0.2.1", "else"))
        third = sync(simulator, tmp_path, details="none")
    [said] = again.warnings
    assert "an earlier run of this copy" in said
    assert "another program" not in said
    assert "as complete" in said
    [said] = [warning for warning in third.warnings if "snapshot" in warning]
    assert "another program" in said
    assert "an earlier run" not in said


def test_doctor_looks_at_a_copy_without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has only the folder learns how the copy is; that no appliance is set is told, and is no failure of it."""
    for name, seed in ((NAME, 1), ("other", 2)):
        with Simulator(World(WorldSpec(sessions=60, days=6, seed=seed))) as simulator:
            sync(simulator, tmp_path / "copy", details="none", appliance=name)
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "spsetl", "doctor", "--data-dir", "copy", "--json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    found: dict[str, list[Any]] = {}
    for check in answer["checks"]:
        found.setdefault(check["check"], []).append(check)
    assert {check["appliance"] for check in found["last sync"]} == {NAME, "other"}
    assert [check["state"] for check in found["last sync"]] == ["green", "green"]
    assert {check["state"] for check in found["retention"]} == {"green"}
    assert {check["state"] for check in found["data directory"]} == {"green"}
    assert "disk space" in found
    assert [check["state"] for check in found["settings"]] == ["yellow"] * 2
    assert "no appliance is set" in found["settings"][0]["found"]
    assert "login" not in found
    assert done.returncode == 0, done.stdout
