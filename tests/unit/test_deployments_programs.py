"""The small programs of a machine: the worker's wrapper, the health check, the look whether the copy is fresh."""

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

import pytest

from deployments import check_fresh, check_health, run_worker

WORKER: Final = """
import signal, subprocess, sys, time

def say(what):
    with open(sys.argv[1], "a") as log:
        log.write(what + "\\n")

def stop(*_):
    time.sleep(0.2)
    say(sys.argv[2] + " ends")
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
if sys.argv[2] == "worker":
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "run", "prefect.engine"])
say(sys.argv[2] + " begins")
time.sleep(60)
"""


def test_worker_ends_after_its_runs(tmp_path: Path) -> None:
    """A worker that is told to stop goes only when its flow runs have had the time to say that they were stopped."""
    script, log = tmp_path / "worker.py", tmp_path / "log"
    script.write_text(WORKER)
    log.touch()
    command = [sys.executable, run_worker.__file__, sys.executable, str(script), str(log), "worker"]
    with subprocess.Popen(command) as process:
        while log.read_text().count("begins") < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)

    assert code == 0
    assert log.read_text().splitlines()[2:] == ["run ends", "worker ends"]


@pytest.mark.parametrize(("ends", "code"), [("exit 7", 7), ("exit 0", 1), ("kill -9 $$", 1)])
def test_worker_that_ends_by_itself_has_failed(ends: str, code: int) -> None:
    """A worker has no reason to end; without being asked, even exit code 0 is a failure."""
    assert run_worker.run_worker(["sh", "-c", ends], threading.Event()) == code


@pytest.mark.parametrize(("status", "complaint"), [(200, None), (503, "it answers 503")])
def test_health_is_an_answer(status: int, complaint: str | None) -> None:
    """An address is healthy when it answers 200, and nothing else."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request).start()

        assert check_health.wait_until_healthy(f"http://127.0.0.1:{server.server_port}/health", 0) == complaint


def test_health_of_nobody() -> None:
    """Where nobody listens, or the address is a file, that is said."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port

    assert "refused" in str(check_health.wait_until_healthy(f"http://127.0.0.1:{port}/", 0))
    assert check_health.wait_until_healthy("file:///etc/passwd", 0) == "no http address"


def test_appliances_without_a_whole_sync_are_stale() -> None:
    """Stale is who has no whole sync, or none within the hours, whoever else is fresh."""
    now = datetime(2026, 11, 2, 8, tzinfo=UTC)
    syncs = {"east": now - timedelta(hours=25), "west": now - timedelta(hours=27), "north": None}

    assert list(check_fresh.find_stale(["east", "west", "north", "south"], syncs, 26, now)) == [
        "west: not synced whole for 27 hours",
        "north: never synced whole",
        "south: never synced whole",
    ]
