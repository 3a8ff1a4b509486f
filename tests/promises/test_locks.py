"""One run per data directory, and one line where the file system cannot promise that."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spsetl.cli import run
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync.data_dir import find_holder, hold_lock
from tests.syncing import sync

pytestmark = pytest.mark.usefixtures("alone")


def failing_with(number: int) -> Callable[[int, int], None]:
    """A file system whose `flock` answers so."""

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EIO])
def test_a_file_system_without_locks_is_one_line(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NFS without its lock daemon, some FUSE: what is wrong and what to do, before anything is asked or written."""
    with Simulator(World(WorldSpec(sessions=20, days=2))) as simulator:
        sync(simulator, tmp_path, details="none")
        before = (tmp_path / "warehouse.duckdb").read_bytes()
        asked = sum(simulator.requests.values())
        monkeypatch.setattr(fcntl, "flock", failing_with(number))
        monkeypatch.setenv("SPSETL_PASSWORD", simulator.password)
        access = ["--url", simulator.url, "--username", simulator.username, "--appliance", "sps"]
        data = ["--data-dir", str(tmp_path)]
        sides = [["sync", *access], ["sync", "--dry-run", *access], ["rebuild"], ["compact"], ["quarantine", "replay"]]
        for command in sides:
            assert run([*command, *data]) == 2
            said = capsys.readouterr()
            assert said.err.count("\n") == 1
            assert os.strerror(number) in said.err
            assert "SPSETL_DATA_DIR" in said.err
        assert sum(simulator.requests.values()) == asked
        assert run(["doctor", "--json", *access, *data]) == 2
        red = [one for one in json.loads(capsys.readouterr().out)["checks"] if one["state"] == "red"]
        assert any(os.strerror(number) in one["found"] for one in red)
    assert (tmp_path / "warehouse.duckdb").read_bytes() == before
    # Who only looks is not kept from it: nothing runs where nothing can be locked.
    assert run(["status", "--json", *data]) == 0
    assert json.loads(capsys.readouterr().out)["is_running"] is False


def test_a_lock_that_others_hold_may_be_told_as_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems answer EACCES for it: that is a run at work."""
    private = tmp_path / "work"
    private.mkdir()
    with hold_lock(private):
        pass
    monkeypatch.setattr(fcntl, "flock", failing_with(errno.EACCES))
    holder = find_holder(private)
    assert holder is not None
    assert holder.process == os.getpid()


def test_a_lock_file_of_somebody_else_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever keeps it from being opened."""
    with Simulator(World(WorldSpec(sessions=20, days=2))) as simulator:
        sync(simulator, tmp_path, details="none")
    lock = tmp_path / "work" / "lock"
    lock.unlink()
    lock.mkdir()
    assert run(["rebuild", "--data-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(lock) in said
