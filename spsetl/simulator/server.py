"""Runs the simulated appliance: in a thread for tests, or in the foreground as a program of its own."""

import asyncio
import contextlib
import signal
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

from spsetl.simulator.answers import Asking
from spsetl.simulator.appliance import Appliance, Hook
from spsetl.simulator.faults import Fault, Poison
from spsetl.simulator.http import Application, Protocol
from spsetl.simulator.logins import Credentials
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.world import World

if TYPE_CHECKING:
    from spsetl.simulator.tls import Certificates

_LOOPBACK = "127.0.0.1"
_KEEP_ALIVE_SECONDS = 75
_START_SECONDS = 30
_BACKLOG = 256


class _Server(uvicorn.Server):
    """Starts and stops without polling: uvicorn's own loop looks only ten times a second."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Ends the server; may be called from any thread, and before it has started."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self._ready()
        if not self.should_exit:
            await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)
        while self.server_state.connections:  # noqa: ASYNC110 - the loop forgets them within its next few turns
            await asyncio.sleep(0)
        for listener in sockets or []:
            listener.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone: `serve` handles them itself, a thread cannot."""
        yield


class Simulator:
    """A simulated appliance on a port of its own, for `with`.

    Attributes:
        url: where it is, without a slash at the end.
        ca_file: the certificate of its own CA, or None without TLS.
        requests: how many requests came, by kind.
        repeated_details: which details were asked for more than once while their session's revision stood.
    """

    def __init__(
        self,
        world: World,
        quirks: Quirks | None = None,
        *,
        username: str = "audit",
        password: str = "sps-audit",  # noqa: S107 - the password of a stand-in
        tls: bool = False,
        host: str = _LOOPBACK,
        port: int = 0,
    ) -> None:
        self.world, self.quirks = world, quirks or Quirks()
        self.username, self.password = username, password
        self._appliance = Appliance(world, self.quirks, Credentials(username, password), secure=tls)
        self._application = Application(self._appliance)
        self._tls, self._host, self._port = tls, host, port
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._certificates: Certificates | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # Life

    def start(self) -> None:
        """Starts to listen and returns when connections are welcome.

        Raises:
            OSError: the port is taken.
        """
        ready = threading.Event()
        server, listener = self._prepare(ready.set)
        self._server = server
        self._thread = threading.Thread(target=_run, args=(server, listener), name="simulator", daemon=True)
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise TimeoutError("the simulator did not start")

    def stop(self) -> None:
        """Ends all connections and stops to listen."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = self._certificates = None

    def run(self, started: Callable[["Simulator"], None]) -> None:
        """Serves in this thread until Ctrl-C or SIGTERM; calls `started` once connections are welcome.

        Raises:
            OSError: the port is taken.
        """
        server, listener = self._prepare(lambda: started(self))
        before = {n: signal.signal(n, lambda *_: server.stop()) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            _run(server, listener)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self.stop()

    # What tests look at and turn

    @property
    def ca_file(self) -> Path | None:
        """The CA's certificate, to be trusted by clients; None without TLS."""
        return self._certificates.ca_file if self._certificates else None

    @property
    def requests(self) -> Counter[str]:
        """How many requests came, by kind: authentication, info, list, session, channels, indexing and so on."""
        return self._appliance.requests

    @property
    def repeated_details(self) -> Counter[Asking]:
        """How often the details of one (kind, key, revision) were asked for, where that was more than once.

        Counted are answers of status 200 that were sent, from offset 0 and without a `q`.
        """
        return self._appliance.askings.repeated

    @property
    def on_request(self) -> Hook | None:
        """Called before each answer with kind, path and parameters; may return a `Fault` to answer with."""
        return self._appliance.on_request

    @on_request.setter
    def on_request(self, hook: Hook | None) -> None:
        self._appliance.on_request = hook

    def advance_night(self) -> None:
        """Lets a night pass, in the world and for what lives by the clock: logins and the snapshot end."""
        self._appliance.pass_night()

    def advance_clock(self, seconds: float) -> None:
        """Moves the clock that logins and snapshots live by."""
        self._appliance.clock.advance(seconds)

    def fail_next(self, fault: Fault | str, times: int = 1, *, kind: str = "") -> None:
        """The next requests of that kind (any but logins, if empty) fail like this."""
        self._appliance.faults.order(Fault(fault), times, kind)

    def poison(self, key: str, poison: Poison, *kinds: str) -> None:
        """From now on every request of these kinds (channels, events, session, …) for this session fails like this."""
        for kind in kinds:
            self._appliance.faults.poison(key, kind, poison)

    def cure(self, key: str, *kinds: str) -> None:
        """Requests of these kinds for this session are answered again."""
        for kind in kinds:
            self._appliance.faults.poison(key, kind, None)

    def end_logins(self) -> None:
        """Ends every login at once."""
        self._appliance.logins.end_all()

    def drop_snapshot(self) -> None:
        """Lets the snapshot die at once."""
        self._appliance.snapshots.drop()

    def cut_power(self) -> None:
        """From now on every connection is reset, until `restore_power`; logins and the snapshot are lost."""
        self._application.powered = False
        self.end_logins()
        self.drop_snapshot()

    def restore_power(self) -> None:
        """Answers again."""
        self._application.powered = True

    def warm(self) -> None:
        """Makes every session's document now, so that a measurement does not measure that."""
        for session in self.world.by_start():
            self.world.displayed(session)

    def issue_client_certificate(self, username: str) -> Path:
        """A PEM file with a key and a certificate that logs this user in (`?type=x509`); only with TLS, while it runs.

        Raises:
            RuntimeError: the simulator runs without TLS, or not at all.
        """
        if self._certificates is None:
            raise RuntimeError("client certificates need a running simulator with tls=True")
        return self._certificates.issue_client_certificate(username)

    def _prepare(self, ready: Callable[[], None]) -> tuple[_Server, socket.socket]:
        config = self._configure()
        try:
            listener = self._listen()
        except OSError:
            self.stop()
            raise
        return _Server(config, ready), listener

    def _listen(self) -> socket.socket:
        # asyncio switches Nagle's algorithm off only where the protocol is named; with it, each answer takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError:
            listener.close()
            raise
        listener.listen(_BACKLOG)
        port = listener.getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://{self._host}:{port}"
        return listener

    def _configure(self) -> uvicorn.Config:
        config = uvicorn.Config(
            self._application, http=Protocol, ws="none", lifespan="off", interface="asgi3", loop="asyncio",
            log_config=None, access_log=False, proxy_headers=False, server_header=False,
            date_header=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )  # fmt: skip
        config.load()
        if self._tls:
            from spsetl.simulator.tls import Certificates  # noqa: PLC0415 - a CA takes a while to import

            self._folder = tempfile.TemporaryDirectory(prefix="simulator-")
            self._certificates = Certificates(Path(self._folder.name), self._host)
            config.ssl = self._certificates.server_context()
        return config


def _run(server: _Server, listener: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[listener]))


def serve(
    world: World,
    quirks: Quirks | None = None,
    *,
    host: str = _LOOPBACK,
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
    simulator = Simulator(world, quirks, username=username, password=password, tls=tls, host=host, port=port)
    simulator.run(started)
