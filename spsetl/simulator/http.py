"""The network side: a raw ASGI application, and a protocol that can also break connections."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, cast
from urllib.parse import parse_qsl

from isal import isal_zlib
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from spsetl.simulator.answers import Answer, as_json, not_found
from spsetl.simulator.appliance import Appliance
from spsetl.simulator.faults import Fault, failed_answer, poisoned_answer
from spsetl.simulator.request import Request, classify

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CONTROL_PATH = "/simulator/"
_COMPRESSED_FROM = 1400
_GZIP = 31  # zlib's way of saying: the largest window, in a gzip envelope
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Protocol(HttpToolsProtocol):
    """Tells the application its transport, so that it can reset a connection or end it in the middle of a body."""

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        self.scope["extensions"] = {"transport": cast("dict[Any, Any]", self.transport)}


@dataclass
class Application:
    """The ASGI application around an appliance."""

    appliance: Appliance
    powered: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, after the latency, unless a fault prevents it."""
        transport: asyncio.Transport = scope["extensions"]["transport"]
        if not self.powered:
            _reset(transport)
            return
        path = scope["raw_path"].decode("ascii")
        if path.startswith(CONTROL_PATH):
            await _send(send, self._control(path))
            return
        request = _request(scope, path, transport)
        fault, answer = self._answer(request)
        if self.appliance.quirks.latency:
            await _pause(receive, self.appliance.quirks.latency)
        if fault is Fault.HANG:
            await _wait_until_gone(receive)
        elif fault is Fault.RESET or not self.powered:
            _reset(transport)
        elif fault is Fault.HALF_BODY:
            await _send_half(send, transport, answer)
        else:
            await self._send_whole(send, transport, answer, request)

    async def _send_whole(self, send: Send, transport: asyncio.Transport, answer: Answer, request: Request) -> None:
        """Sends an answer. Details are noted before, so that nobody who has them can see them not noted yet."""
        asking, askings = answer.asking, self.appliance.askings
        if asking is None or transport.is_closing():
            await _send(send, self._compressed(answer, request))
            return
        askings.add(asking)
        await _send(send, self._compressed(answer, request))
        closes = request.headers.get(b"connection", b"").lower() == b"close"
        if transport.is_closing() and not closes:
            askings.take_back(asking)

    def _answer(self, request: Request) -> tuple[Fault | None, Answer]:
        appliance = self.appliance
        appliance.requests[request.kind] += 1
        fault = appliance.faults.next(request.kind)
        if appliance.on_request is not None:
            fault = appliance.on_request(request.kind, request.path, request.params) or fault
        poison = appliance.faults.poison_of(request.key, request.kind)
        spoilt = poisoned_answer(poison, request.path) if poison else None
        if poison and spoilt is None:
            fault = Fault(poison)
        if fault is Fault.LOG_OUT:
            appliance.logins.end_all()
        failed = failed_answer(fault, appliance.quirks, request.path) if fault else None
        return fault, self._dated(failed or spoilt or appliance.answer(request))

    def _dated(self, answer: Answer) -> Answer:
        date = formatdate(time.time() + self.appliance.quirks.clock_offset, usegmt=True)
        return replace(answer, headers=(*answer.headers, ("date", date)))

    def _control(self, path: str) -> Answer:
        """What is outside /api: a night passes, the counters, repeated details, the world's time."""
        world = self.appliance.world
        if path == CONTROL_PATH + "advance-night":
            self.appliance.pass_night()
        elif path == CONTROL_PATH + "requests":
            return as_json(dict(self.appliance.requests))
        elif path == CONTROL_PATH + "details":
            askings = self.appliance.askings
            return as_json({"asked": askings.asked, "repeated": len(askings.repeated)})
        elif path != CONTROL_PATH + "world":
            return not_found(path).answer
        return as_json({"now": world.now, "sessions": len(world)})

    def _compressed(self, answer: Answer, request: Request) -> Answer:
        wanted = self.appliance.quirks.gzip and b"gzip" in request.headers.get(b"accept-encoding", b"")
        if not wanted or len(answer.body) < _COMPRESSED_FROM:
            return answer
        body = isal_zlib.compress(answer.body, 1, _GZIP)
        headers = (*answer.headers, ("content-encoding", "gzip"), ("vary", "accept-encoding"))
        return replace(answer, body=body, headers=headers)


def _request(scope: Scope, path: str, transport: asyncio.Transport) -> Request:
    kind, key = classify(path)
    params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    client = scope["client"]
    return Request(
        kind, path, params, dict(scope["headers"]), key, client[0] if client else "", _certificate(transport)
    )  # fmt: skip


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
    length = [(b"content-length", str(len(answer.body)).encode())] if answer.has_length else []
    return [
        (b"content-type", answer.content_type.encode()),
        *length,
        *((name.encode(), value.encode("latin-1")) for name, value in answer.headers),
    ]


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
