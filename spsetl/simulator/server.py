"""The simulated appliance on the network: in a thread for tests, or in the foreground as a program of its own."""

import asyncio
import contextlib
import signal
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import parse_qsl

import uvicorn
from isal import isal_zlib
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from spsetl.simulator.appliance import Appliance
from spsetl.simulator.faults import Fault, Poison, failed_answer
from spsetl.simulator.messages import Answer, Asking, Request, as_json, classify, not_found
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.world import World

if TYPE_CHECKING:
    import trustme

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_CONTROL_PATH = "/simulator/"
_LOOPBACK = "127.0.0.1"
_KEEP_ALIVE_SECONDS = 75
_START_SECONDS = 30
_BACKLOG = 256
_COMPRESSED_FROM = 1400
_GZIP = 31  # zlib's way of saying: the largest window, in a gzip envelope
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Simulator(Appliance):
    """A simulated appliance on a port of its own, for `with`.

    Attributes:
        url: where it is, without a slash at the end.
        ca_file: the certificate of its own CA, or None without TLS.
        requests: how many requests came, by kind: authentication, info, list, session, channels, indexing and so on.
        on_request: called before each answer with kind, path and parameters; may return a `Fault` to answer with.
    """

    def __init__(
        self,
        world: World,
        quirks: Quirks | None = None,
        *,
        username: str = "audit",
        password: str = "sps-audit",  # noqa: S107 - the password of a stand-in
        tls: bool = False,
        port: int = 0,
    ) -> None:
        super().__init__(world, quirks or Quirks(), username, password, secure=tls)
        self.url = ""
        self.ca_file: Path | None = None
        self.powered = True
        self.asked_details: Counter[Asking] = Counter()
        self._tls, self._port = tls, port
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ca: trustme.CA | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # Life

    def start(self) -> None:
        """Starts to listen and returns when connections are welcome; an OSError if the port is taken."""
        ready, config, listener = threading.Event(), *self._prepare()
        target = partial(asyncio.run, self._serve(config, listener, ready.set))
        self._thread = threading.Thread(target=target, name="simulator", daemon=True)
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise TimeoutError("the simulator did not start")

    def stop(self) -> None:
        """Ends all connections and stops to listen."""
        self._stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = self._ca = self.ca_file = None

    def run(self, started: Callable[["Simulator"], None]) -> None:
        """Serves in this thread until Ctrl-C or SIGTERM; calls `started` once connections are welcome."""
        config, listener = self._prepare()
        before = {n: signal.signal(n, lambda *_: self._stop()) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            asyncio.run(self._serve(config, listener, lambda: started(self)))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self.stop()

    # What tests look at and turn

    @property
    def repeated_details(self) -> Counter[Asking]:
        """How often the details of one (kind, key, revision) were asked for, where that was more than once.

        Counted are answers of status 200 that were sent, from offset 0 and without a `q`.
        """
        return Counter({asking: count for asking, count in self.asked_details.copy().items() if count > 1})

    def advance_clock(self, seconds: float) -> None:
        """Moves the clock that logins and snapshots live by."""
        self.clock.advance(seconds)

    def fail_next(self, fault: Fault | str, times: int = 1, *, kind: str = "") -> None:
        """The next requests of that kind (any but logins, if empty) fail like this."""
        self.faults.order(Fault(fault), times, kind)

    def poison(self, key: str, poison: Poison, *kinds: str) -> None:
        """From now on every request of these kinds (channels, events, session, …) for this session fails like this."""
        self.faults.poison(key, kinds, poison)

    def cure(self, key: str, *kinds: str) -> None:
        """Requests of these kinds for this session are answered again."""
        self.faults.poison(key, kinds, None)

    def end_logins(self) -> None:
        """Ends every login at once."""
        self.logins.end_all()

    def drop_snapshot(self) -> None:
        """Lets the snapshot die at once."""
        self.snapshots.drop()

    def cut_power(self) -> None:
        """From now on every connection is reset, until `restore_power`; logins and the snapshot are lost."""
        self.powered = False
        self.end_logins()
        self.drop_snapshot()

    def restore_power(self) -> None:
        """Answers again."""
        self.powered = True

    def warm(self) -> None:
        """Makes every session's document now, so that a measurement does not measure that."""
        for session in self.world.by_start():
            self.world.displays.of(session)

    def issue_client_certificate(self, username: str) -> Path:
        """A PEM file with a key and a certificate that logs this user in (`?type=x509`); only with TLS, while it runs.

        Raises:
            RuntimeError: the simulator runs without TLS, or not at all.
        """
        if self._ca is None or self._folder is None:
            raise RuntimeError("client certificates need a running simulator with tls=True")
        path = Path(self._folder.name) / f"{username}.pem"
        self._ca.issue_cert(common_name=username).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def _stop(self) -> None:
        """Ends the serving, from any thread or signal, and also before it has begun."""
        if self._loop is None:
            self._stopping.set()
        else:
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _prepare(self) -> tuple[uvicorn.Config, socket.socket]:
        config = uvicorn.Config(
            Application(self), http=_Protocol, ws="none", lifespan="off", interface="asgi3", log_config=None,
            access_log=False, proxy_headers=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )  # fmt: skip
        config.load()
        self._stopping = asyncio.Event()
        listener = self._listen()
        if self._tls:
            config.ssl = self._secure()
        return config, listener

    async def _serve(self, config: uvicorn.Config, listener: socket.socket, ready: Callable[[], None]) -> None:
        """Answers until it is stopped; starts and ends at once, where uvicorn's own server looks ten times a second."""
        loop, state = asyncio.get_running_loop(), ServerState()
        protocol = partial(_Protocol, config=config, server_state=state, app_state={})
        server = await loop.create_server(protocol, sock=listener, ssl=config.ssl, backlog=_BACKLOG)
        self._loop = loop
        ready()
        await self._stopping.wait()
        self._loop = None
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks)
        while state.connections:  # noqa: ASYNC110 - the loop forgets them within its next few turns
            await asyncio.sleep(0)

    def _listen(self) -> socket.socket:
        # asyncio switches Nagle's algorithm off only where the protocol is named; with it, each answer takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_LOOPBACK, self._port))
        except OSError:
            listener.close()
            raise
        listener.listen(_BACKLOG)
        self.url = f"{'https' if self._tls else 'http'}://{_LOOPBACK}:{listener.getsockname()[1]}"
        return listener

    def _secure(self) -> ssl.SSLContext:
        """TLS with a certificate of a CA made now; clients are asked for one and may come without."""
        import trustme  # noqa: PLC0415 - takes a while to import

        self._folder = tempfile.TemporaryDirectory(prefix="simulator-")
        self._ca = trustme.CA()
        self.ca_file = Path(self._folder.name) / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(_LOOPBACK, "localhost").configure_cert(context)
        self._ca.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        # From Python 3.13 on, certificates must carry more than those of this CA do.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def serve(
    world: World,
    quirks: Quirks | None = None,
    *,
    port: int = 8443,
    username: str = "audit",
    password: str = "sps-audit",  # noqa: S107 - the password of a stand-in
    tls: bool = False,
    started: Callable[[Simulator], None] = lambda _: None,
) -> None:
    """Runs a simulated appliance in the foreground until Ctrl-C or SIGTERM.

    `started` is called with the simulator once it listens; its `url` and `ca_file` say where, and what to trust.
    `GET /simulator/advance-night` lets a night pass, `/simulator/requests` counts the requests by kind,
    `/simulator/details` the details that were asked for, and how many of them more than once for one revision of their
    session; `/simulator/world` tells the world's time and number of sessions.

    Raises:
        OSError: the port is taken.
    """
    Simulator(world, quirks, username=username, password=password, tls=tls, port=port).run(started)


class Application:
    """The ASGI application around a simulator, which also breaks connections."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, after the latency, unless a fault prevents it."""
        simulator = self._simulator
        transport: asyncio.Transport = scope["extensions"]["transport"]
        if not simulator.powered:
            _reset(transport)
            return
        path = scope["raw_path"].decode("ascii")
        if path.startswith(_CONTROL_PATH):
            await _send(send, self._control(path))
            return
        request = _request(scope, path, transport)
        how, answer = self._answer(request)
        if simulator.quirks.latency:
            await _pause(receive, simulator.quirks.latency)
        if how == Fault.HANG:
            await _wait_until_gone(receive)
        elif how == Fault.RESET or not simulator.powered:
            _reset(transport)
        elif how == Fault.HALF_BODY:
            await _send_half(send, transport, answer)
        else:
            await self._send_whole(send, transport, answer, request)

    async def _send_whole(self, send: Send, transport: asyncio.Transport, answer: Answer, request: Request) -> None:
        """Sends an answer. Details are noted before, so that nobody who has them can see them not noted yet."""
        answer = self._compressed(answer, request)
        noted = Counter([answer.asking] if answer.asking and not transport.is_closing() else [])
        self._simulator.asked_details.update(noted)
        await _send(send, answer)
        if transport.is_closing() and request.headers.get(b"connection", b"").lower() != b"close":
            self._simulator.asked_details.subtract(noted)

    def _answer(self, request: Request) -> tuple[Fault | Poison | None, Answer]:
        simulator = self._simulator
        simulator.requests[request.kind] += 1
        fault = simulator.faults.next(request.kind)
        if simulator.on_request is not None:
            fault = simulator.on_request(request.kind, request.path, request.params) or fault
        how = simulator.faults.poison_of(request.key, request.kind) or fault
        if how == Fault.LOG_OUT:
            simulator.end_logins()
        failed = failed_answer(how, simulator.quirks, request.path) if how else None
        answer = failed or simulator.answer(request)
        date = formatdate(time.time() + simulator.quirks.clock_offset, usegmt=True)
        return how, replace(answer, headers=(*answer.headers, ("date", date)))

    def _control(self, path: str) -> Answer:
        """What is outside /api: a night passes, the counters, repeated details, the world's time."""
        simulator, command = self._simulator, path.removeprefix(_CONTROL_PATH)
        if command == "requests":
            return as_json(dict(simulator.requests))
        if command == "details":
            asked = sum(count > 0 for count in simulator.asked_details.values())
            return as_json({"asked": asked, "repeated": len(simulator.repeated_details)})
        if command == "advance-night":
            simulator.advance_night()
        elif command != "world":
            return not_found(path).answer
        return as_json({"now": simulator.world.now, "sessions": len(simulator.world)})

    def _compressed(self, answer: Answer, request: Request) -> Answer:
        wanted = self._simulator.quirks.gzip and b"gzip" in request.headers.get(b"accept-encoding", b"")
        if not wanted or len(answer.body) < _COMPRESSED_FROM:
            return answer
        body = isal_zlib.compress(answer.body, 1, _GZIP)
        headers = (*answer.headers, ("content-encoding", "gzip"), ("vary", "accept-encoding"))
        return replace(answer, body=body, headers=headers)


def _request(scope: Scope, path: str, transport: asyncio.Transport) -> Request:
    kind, key = classify(path)
    params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    address = scope["client"][0] if scope["client"] else ""
    return Request(kind, path, params, dict(scope["headers"]), key, address, _certificate(transport))


def _certificate(transport: asyncio.Transport) -> str | None:
    """The common name of the client's certificate, which the TLS layer has checked."""
    certificate = transport.get_extra_info("peercert") or {}
    names = {name: value for part in certificate.get("subject", ()) for name, value in part}
    return names.get("commonName")


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
    # A view: asyncio cuts what the socket takes off the front of the body, which would copy the rest each time.
    await send({"type": "http.response.body", "body": memoryview(answer.body)})


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    length = [("content-length", str(len(answer.body)))] if answer.has_length else []
    headers = [("content-type", answer.content_type), *length, *answer.headers]
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


async def _send_half(send: Send, transport: asyncio.Transport, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    transport.close()


def _reset(transport: asyncio.Transport) -> None:
    """Ends the connection by a reset, as a crashed appliance does."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    transport.abort()


async def _pause(receive: Receive, seconds: float) -> None:
    """Waits, but not for a client that has gone."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_wait_until_gone(receive), seconds)


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Protocol(HttpToolsProtocol):
    """Tells the application its transport, so that it can reset a connection or end it in the middle of a body."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"transport": cast("dict[Any, Any]", self.transport)}
