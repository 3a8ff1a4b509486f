"""`spsetl status` for monitoring: how old the copy is, how the last run went, who is at work; and its exit codes."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spsetl.cli import run
from spsetl.runs import Run
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import status as states
from spsetl.sync.data_dir import fetch_last_runs, find_holder, hold_lock, keep_last_run
from tests.syncing import sync

RUN = Run(run_id="r", appliance="sps", started_at=datetime(2026, 11, 1, 2, tzinfo=UTC))
pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, and a failure after it."""
    folder = tmp_path_factory.mktemp("copy")
    with Simulator(World(WorldSpec(sessions=20, days=2))) as simulator:
        sync(simulator, folder, details="none")
    return folder


def status(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, Any, str]:
    """The exit code, what it says as JSON, and the talk."""
    capsys.readouterr()
    code = run(["status", "--json", "--data-dir", str(folder), *more])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_a_fresh_copy_is_young_and_nobody_is_at_work(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its age, its last run, and when it was published."""
    code, told, _ = status(capsys, copy, "--max-age", "1")
    [known] = told["appliances"]
    assert code == 0
    assert 0 <= known["age_seconds"] < 3600
    assert known["last_run"]["run_id"] == known["last_run_id"]
    assert (known["last_run"]["status"], known["last_run"]["exit_code"]) == ("done", 0)
    assert (told["is_running"], told["running"]) == (False, None)
    assert datetime.fromisoformat(told["published_at"]) <= datetime.now(UTC)


def test_an_old_copy_ends_with_3_and_says_how_old(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where it is asked how old it may be; with the error of the last run, if it failed."""
    assert status(capsys, copy)[0] == 0
    assert status(capsys, copy, "--max-age", "0.0000001")[0] == 3
    failed = replace(RUN, status="failed", exit_code=4, error="no", started_at=datetime(2099, 1, 1, tzinfo=UTC))
    runs = [failed]
    monkeypatch.setattr(states, "fetch_last_runs", lambda *_, **__: runs)
    code, told, talk = status(capsys, copy, "--max-age", "0.0000001")
    assert code == 3
    assert told["appliances"][0]["last_run"]["error"] == "no"
    assert "the last sync failed with exit code 4: no" in talk
    assert run(["status", "--data-dir", str(copy)]) == 0
    assert "exit code 4: no" in capsys.readouterr().out


def test_what_was_never_published_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Never tried, or tried and failed: 2 without a limit, 3 with one, and JSON all the same."""
    code, told, talk = status(capsys, tmp_path)
    assert (code, told["published_at"], told["appliances"]) == (2, None, [])
    assert "run `spsetl sync`" in talk
    assert status(capsys, tmp_path, "--max-age", "26")[0] == 3
    (tmp_path / "work").mkdir()
    keep_last_run(tmp_path / "work", RUN)
    code, told, talk = status(capsys, tmp_path)
    assert (code, told["appliances"][0]["last_run"]["status"]) == (2, "failed")
    assert "it was killed" in talk
    code, told, talk = status(capsys, tmp_path, "--max-age", "26")
    assert (code, told["appliances"][0]["age_seconds"]) == (3, None)
    assert "sps: no sync was ever complete" in talk


def test_a_run_at_work_is_seen_and_not_disturbed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which process, on which host, since when; afterwards nobody."""
    private = tmp_path / "work"
    private.mkdir()
    with hold_lock(private):
        keep_last_run(private, RUN)
        _, told, _ = status(capsys, tmp_path)
        assert told["is_running"] is True
        assert told["running"]["process"] == os.getpid()
        assert told["running"]["since"].endswith("Z")
        assert told["appliances"][0]["last_run"]["status"] == "running"
    assert find_holder(private) is None


def test_last_runs_are_kept_by_appliance_and_kind(tmp_path: Path) -> None:
    """A backfill does not hide a failed sync; a spoilt file is none."""
    runs = [RUN, replace(RUN, kind="backfill"), replace(RUN, appliance="../other")]
    for one in runs:
        keep_last_run(tmp_path, one)
    found = [run.as_last() for run in fetch_last_runs(tmp_path, is_running=True)]
    assert sorted(found, key=str) == sorted((run.as_last() for run in runs), key=str)
    for file in tmp_path.iterdir():
        file.write_text("{")
    assert fetch_last_runs(tmp_path, is_running=False) == []
