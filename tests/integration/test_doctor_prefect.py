"""Doctor and Prefect: a stand-in for the server's API is asked by Prefect's own client."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import orjson
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from spsetl.doctor import Finding
from spsetl.doctor.scheduler import check_prefect, find_server

SOON = datetime.now(UTC) + timedelta(hours=3)


@contextmanager
def server(answers: dict[str, Any], *, delay: float = 0) -> Iterator[str]:
    """A server that answers paths below /api with these, and anything else with 404; its address."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if over.wait(delay):
                return
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = answers.get(self.path.removeprefix("/api"))
            body = orjson.dumps({"detail": "Not found"} if answer is None else answer)
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            """Silent."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/api"
    finally:
        over.set()
        running.shutdown()
        thread.join()
        running.server_close()


def nightly(
    *, paused: bool = False, active: bool = True, status: str = "READY", starts: tuple[datetime, ...] = (SOON,)
) -> dict[str, Any]:
    """The answers of a server that has the nightly."""
    deployment, flow = str(uuid4()), str(uuid4())
    schedule = {"id": str(uuid4()), "schedule": {"cron": "15 1 * * *", "timezone": "UTC"}, "active": active}
    runs = [
        {
            "id": str(uuid4()),
            "flow_id": flow,
            "deployment_id": deployment,
            "name": "lucky-bat",
            "state_type": "SCHEDULED",
            "next_scheduled_start_time": start.isoformat(),
            "expected_start_time": start.isoformat(),
        }
        for start in starts
    ]
    return {
        "/health": True,
        "/deployments/name/nightly-sync/nightly": {
            "id": deployment,
            "flow_id": flow,
            "name": "nightly",
            "paused": paused,
            "schedules": [schedule],
            "status": status,
            "work_pool_name": "spsetl",
        },
        "/flow_runs/filter": runs,
    }


def look(url: str | None, *, timeout: float = 10, is_fresh: bool = False) -> list[Finding]:
    """What is found while that server is configured."""
    chosen = {PREFECT_API_URL: url} if url else {}
    with temporary_settings(chosen, restore_defaults=() if url else {PREFECT_API_URL}):
        assert find_server() == url
        return list(check_prefect(timeout, is_fresh=is_fresh))


@pytest.mark.parametrize(
    ("answers", "state", "says", "advice"),
    [
        (nightly(), "green", f"starts next at {SOON:%Y-%m-%d %H:%M} UTC", ""),
        (nightly(paused=True), "yellow", "is paused", "switch it on"),
        (nightly(active=False), "yellow", "no schedule that is on", "flows.deploy"),
        (nightly(starts=()), "red", "no run is scheduled", "libraries"),
        (nightly(status="NOT_READY"), "yellow", "no worker", "prefect worker start"),
        (nightly(starts=(SOON - timedelta(hours=9),)), "yellow", "was due", "prefect worker start"),
        ({"/health": True}, "yellow", "no deployment nightly-sync/nightly", "flows.deploy"),
    ],
    ids=["scheduled", "paused", "schedule off", "no run", "no worker", "overdue", "not deployed"],  # times differ
)
def test_whether_the_nightly_will_be_started(answers: dict[str, Any], state: str, says: str, advice: str) -> None:
    """The server is green; the schedule is red where the scheduler creates no runs, yellow where somebody must act."""
    with server(answers) as url:
        answers_of_server, schedule = look(url)
    assert (answers_of_server.check, answers_of_server.state) == ("Prefect", "green")
    assert (schedule.check, schedule.state) == ("nightly schedule", state)
    assert schedule.exit_code == (2 if state == "red" else 0)
    assert says in schedule.found
    assert advice in schedule.next_step
    assert bool(schedule.next_step) is bool(advice)


def test_a_server_that_is_down() -> None:
    """Red with exit code 5, and the login in its address is not shown."""
    with server({}) as url:
        port = url.rpartition(":")[2]
    (found,) = look(f"http://me:hushhush@127.0.0.1:{port}", timeout=3)
    assert (found.state, found.exit_code) == ("red", 5)
    assert "PREFECT_API_URL" in found.next_step
    assert "hushhush" not in f"{found}"


def test_something_else_that_answers() -> None:
    """Red: it is no Prefect server."""
    with server({"/health": True, "/deployments/name/nightly-sync/nightly": ["nonsense"]}) as url:
        (found,) = look(url)
    assert found.state == "red"
    assert "does not answer as Prefect's API" in found.found


def test_a_server_that_hangs() -> None:
    """Doctor waits no longer than the timeout."""
    began = time.monotonic()
    with server(nightly(), delay=30) as url:
        (found,) = look(url, timeout=0.5)
    assert time.monotonic() - began < 3
    assert (found.state, found.exit_code) == ("red", 5)
    assert "no answer within the time" in found.found


@pytest.mark.parametrize(("is_fresh", "state"), [(True, "green"), (False, "yellow")])
def test_without_a_server(is_fresh: bool, state: str) -> None:
    """Green while something else evidently starts the syncs; else yellow, and it says how to have them started."""
    (found,) = look(None, is_fresh=is_fresh)
    assert (found.check, found.state) == ("Prefect", state)
    assert ("PREFECT_API_URL" in found.next_step) is not is_fresh
