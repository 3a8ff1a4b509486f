"""Whatever an appliance, or what stands in its place, answers: each request ends, in time and memory, with one line."""

import gzip
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import orjson
import pytest
import stamina
from pydantic import SecretStr

from spsetl.appliance.client import Client
from spsetl.appliance.limits import Limits
from spsetl.errors import ApplianceError, BadAnswerError, IncompleteError, UnavailableError
from spsetl.extract.details import fetch_details
from spsetl.extract.snapshot import Snapshots, walk_snapshot
from spsetl.extract.windows import Tally
from spsetl.settings.access import Access
from spsetl.window import EPOCH, Window

Reply = Callable[[socket.socket, str], None]
LIMITS = Limits.of("ANSWER", 0.4, 1)
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"


def send_json(connection: socket.socket, answer: object) -> None:
    """A whole answer."""
    body = orjson.dumps(answer)
    connection.sendall(HEAD + b"Set-Cookie: session_id=0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@contextmanager
def appliance(reply: Reply) -> Iterator[str]:
    """Its address. It lets everybody log in, and answers the rest as `reply` does, a connection a request."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked = b""
            while b"\r\n\r\n" not in asked:
                received = connection.recv(65536)
                if not received:
                    return
                asked += received
            path = asked.split()[1].decode()
            if path.startswith("/api/authentication"):
                send_json(connection, {})
            else:
                reply(connection, path)
            connection.shutdown(socket.SHUT_WR)

    def listen() -> None:
        while not ended.is_set():
            with suppress(OSError):
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.close()


@contextmanager
def client_of(reply: Reply, limits: Limits = LIMITS) -> Iterator[Client]:
    """A client with small limits."""
    with appliance(reply) as url, stamina.set_testing(testing=True, attempts=3):
        access = Access(url=url, appliance="x", username="u", password=SecretStr("p"))
        with Client(access, concurrency=1, timeout=5, limits=limits) as client:
            yield client


def send_for_ever(connection: socket.socket, piece: bytes, *, pause: float = 0.0) -> None:
    """Until nobody listens any more."""
    while True:
        connection.sendall(piece)
        time.sleep(pause)


def trickle(connection: socket.socket, _: str) -> None:
    """A byte now and then, never silent."""
    connection.sendall(HEAD + b"Content-Length: 9000\r\n\r\n")
    send_for_ever(connection, b" ", pause=0.02)


def go_on_for_ever(connection: socket.socket, _: str) -> None:
    """`100 Continue` without an end."""
    send_for_ever(connection, b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.001)


def send_headers_for_ever(connection: socket.socket, _: str) -> None:
    """One header after the other."""
    connection.sendall(HEAD)
    send_for_ever(connection, b"X: y\r\n", pause=0.005)


def send_body_for_ever(connection: socket.socket, _: str) -> None:
    """A body without an end."""
    connection.sendall(HEAD + b"\r\n")
    send_for_ever(connection, b" " * 65536)


def send_bomb(connection: socket.socket, _: str) -> None:
    """3 GB of blanks in 3 MB."""
    member = gzip.compress(b" " * 30_000_000, 9)
    connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (100 * len(member)))
    connection.sendall(member * 100)


def send_values(connection: socket.socket, _: str) -> None:
    """Short values, each of which takes far more memory than bytes."""
    body = b"[" + b"[]," * 300_000 + b"1]"
    connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize(
    "reply", [trickle, go_on_for_ever, send_headers_for_ever, send_body_for_ever, send_bomb, send_values]
)
def test_an_answer_without_an_end_ends(reply: Reply) -> None:
    """In seconds, after few tries, with a line that names the setting or says what is wrong."""
    began = time.monotonic()
    with client_of(reply) as client, pytest.raises(ApplianceError) as told:
        client.get("/api/audit/sessions", kind="list")

    assert time.monotonic() - began < 20
    assert "\n" not in str(told.value)
    assert told.value.exit_code == 5


def test_the_line_names_the_setting() -> None:
    """What is slow or large for a good reason can be allowed."""
    with client_of(trickle) as client, pytest.raises(UnavailableError, match="raise SPSETL_ANSWER_SECONDS"):
        client.get("/api/audit/sessions", kind="list")
    patient = Limits.of("ANSWER", 60, 1)
    with client_of(send_bomb, patient) as client, pytest.raises(BadAnswerError, match="raise SPSETL_ANSWER_MEGABYTES"):
        client.get("/api/audit/sessions", kind="list")


@pytest.mark.parametrize(
    ("reply", "limits"), [(trickle, Limits.of("R", 0.4, 1)), (send_body_for_ever, Limits.of("R", 60, 1))]
)
def test_a_recording_without_an_end_ends(reply: Reply, limits: Limits) -> None:
    """Though a download goes on after each break."""

    def recording(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n")
        send_for_ever(connection, b"x" * (1 if reply is trickle else 65536), pause=0.02 if reply is trickle else 0)

    with client_of(recording) as client, pytest.raises(ApplianceError):
        client.download("/api/audit/sessions/k/audit_trail", None, BytesIO(), kind="recording", limits=limits)


def test_a_packed_recording_is_limited_unpacked() -> None:
    """As are answers."""

    def recording(connection: socket.socket, _: str) -> None:
        packed = gzip.compress(b" " * 30_000_000, 9)
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(packed) + packed)

    with client_of(recording) as client, pytest.raises(BadAnswerError, match="more than 1 MB"):
        client.download(
            "/api/audit/sessions/k/audit_trail", None, BytesIO(), kind="recording", limits=Limits.of("RECORDING", 60, 1)
        )


def test_a_snapshot_whose_pages_bring_nothing_new_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages that lead to each other."""
    monkeypatch.setattr("spsetl.extract.snapshot.MOST_PAGES_WITHOUT_PROGRESS", 30)
    turns = iter(range(10**9))
    row = {"key": "k", "body": {"start_time": "2026-11-01T00:00:00Z"}}

    def reply(connection: socket.socket, path: str) -> None:
        if "_snapshot" in path:
            send_json(connection, {"body": {"snapshot": "s"}})
        else:
            link = f"/api/audit/sessions?snapshot=s&after={next(turns) % 2}"
            send_json(connection, {"items": [row], "meta": {"next": link}})

    with client_of(reply) as client:
        snapshots = Snapshots(client, tmp_path / "snapshot.json", waits=False, sleep=lambda _: True)
        with pytest.raises(BadAnswerError, match="brought nothing new"):
            list(walk_snapshot(client, snapshots, Window(EPOCH, None), Tally()))


def test_a_snapshot_that_always_dies_is_left(tmp_path: Path) -> None:
    """Though each brings something new: the live list is read instead."""
    times = iter(range(10**9))
    opened: list[str] = []
    gone = b'{"error": {"type": "NotFound"}}'

    def reply(connection: socket.socket, path: str) -> None:
        if "_snapshot" in path:
            opened.append(path)
            send_json(connection, {"body": {"snapshot": f"s{len(opened)}"}})
        elif "after" in path:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(gone) + gone)
        elif "snapshot" in path:
            start = datetime.fromtimestamp(next(times), UTC).isoformat()
            row = {"key": start, "body": {"start_time": start}}
            send_json(connection, {"items": [row], "meta": {"next": "/api/audit/sessions?snapshot=s&after=1"}})

    with client_of(reply) as client:
        snapshots = Snapshots(client, tmp_path / "snapshot.json", waits=False, sleep=lambda _: True)
        walk = walk_snapshot(client, snapshots, Window(EPOCH, None), Tally())
        with pytest.raises(UnavailableError):  # what this one says of the live list
            list(walk)
    assert len(opened) == 101


def test_events_that_always_lead_on_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ever new items; what a session may really have is far below."""
    monkeypatch.setattr("spsetl.extract.details.MOST_ITEMS", 3_000)
    count = iter(range(10**9))

    def reply(connection: socket.socket, _: str) -> None:
        items = [{"record_id": next(count), "content": "x"} for _ in range(500)]
        send_json(connection, {"items": items, "meta": {"next": "/api/audit/sessions/k/events?offset=1"}})

    with client_of(reply) as client, pytest.raises(IncompleteError, match="without an end: more than 3,000"):
        fetch_details(client, "k", "events")


@pytest.mark.parametrize(
    ("pause", "size", "what"), [(0.05, 10, "2 s; raise .*SECONDS"), (0, 90_000, "4 MB; raise .*MEGABYTES")]
)
def test_slow_or_fat_pages_of_events_end(pause: float, size: int, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is within what an answer may take, and there are ever more."""
    monkeypatch.setattr("spsetl.extract.details.MOST_SECONDS", 0.5)
    count = iter(range(10**9))

    def reply(connection: socket.socket, _: str) -> None:
        time.sleep(pause)
        items = [{"record_id": next(count), "content": "x" * size} for _ in range(10)]
        send_json(connection, {"items": items, "meta": {"next": "/api/audit/sessions/k/events?offset=1"}})

    limits = Limits.of("ANSWER", 4, 1)
    with client_of(reply, limits) as client, pytest.raises(IncompleteError, match=f"without an end: more than {what}"):
        fetch_details(client, "k", "events")


def test_an_appliance_that_always_fails_once_does_not_keep_a_run_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failures may cost all requests together is limited; what answers at once still counts."""
    monkeypatch.setattr("spsetl.appliance.client.SECONDS_A_REQUEST", 0.0)
    turns = iter(range(10**9))

    def reply(connection: socket.socket, _: str) -> None:
        if next(turns) % 2:
            send_json(connection, {"count": 7})
        else:
            time.sleep(0.05)

    with appliance(reply) as url, stamina.set_testing(testing=True, attempts=3):
        access = Access(url=url, appliance="x", username="u", password=SecretStr("p"))
        with Client(access, concurrency=1, timeout=5, patience=0.05) as client:
            for _ in range(3):
                assert client.get("/api/audit/sessions/_count", kind="count") == {"count": 7}
            with pytest.raises(UnavailableError):
                all(client.get("/api/audit/sessions/_count", kind="count") for _ in range(100))
            assert next(turns) < 30


def test_html_with_status_200_is_tried_again() -> None:
    """A proxy's page may be gone in a minute; it is not believed at once, nor for ever."""
    asked: list[str] = []

    def reply(connection: socket.socket, path: str) -> None:
        asked.append(path)
        if len(asked) < 3:
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
            )
        else:
            send_json(connection, {"count": 7})

    with client_of(reply) as client:
        assert client.get("/api/audit/sessions/_count", kind="count") == {"count": 7}


def test_html_for_ever_is_no_json_after_three_tries() -> None:
    """And one line says so."""
    asked: list[str] = []

    def reply(connection: socket.socket, path: str) -> None:
        asked.append(path)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
        )

    with client_of(reply) as client, pytest.raises(BadAnswerError, match="not the JSON it should be"):
        client.get("/api/audit/sessions/_count", kind="count")
    assert len(asked) == 3


def test_a_sync_bears_a_bomb_in_less_than_a_gigabyte(tmp_path: Path) -> None:
    """The whole program: exit code 5, one line, and memory that the answer did not fill."""
    with appliance(send_bomb) as url:
        command = [
            sys.executable,
            "-m",
            "spsetl",
            "sync",
            "--url",
            url,
            "--username",
            "u",
            "--data-dir",
            str(tmp_path / "d"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env={"SPSETL_PASSWORD": "p", "PATH": ""}
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "SPSETL_ANSWER_MEGABYTES" in done.stderr
    assert peak < 1_000_000
