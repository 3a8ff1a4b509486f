"""An end to every answer: it may take so many seconds and so many bytes, from its first line on.

A time-out counts silence alone, and what sends a byte a second, headers or `100 Continue` for ever is never silent.
"""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any, Final

from isal import isal_zlib
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.exceptions import DecodeError

# A value of JSON takes up to this many times its bytes in memory when it is as short as can be: `[],[],[]`.
_SHORTEST_VALUE: Final = 16
_GZIP: Final = 31  # zlib's way of saying: the largest window, in a gzip envelope
_MOST_MEMBERS: Final = 100  # what follows each is copied


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may take: seconds, or until `ends_at` of the monotonic clock, and bytes.

    `setting` tells its two settings from others.
    """

    seconds: float
    size: int
    setting: str
    ends_at: float | None = None

    @classmethod
    def of(cls, setting: str, seconds: float, megabytes: float) -> "Limits":
        """As settings give them."""
        return cls(seconds, int(megabytes * 1e6), setting)


ANSWER: Final = Limits.of("ANSWER", 300, 64)


class TooSlow(HTTPException):
    """The answer is not whole within its seconds; the argument is its limits."""


class TooLarge(HTTPException):
    """The answer has more bytes than it may, as sent or unpacked; the argument is its limits."""


# Of the request that this thread sends: urllib3 makes the answer itself, and hands nothing through.
ALLOWED: Final[ContextVar[Limits]] = ContextVar("ALLOWED")


class LimitedAdapter(HTTPAdapter):
    """An adapter whose answers, a proxy's to CONNECT too, raise TooSlow or TooLarge beyond what is ALLOWED."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As in requests."""
        super().init_poolmanager(*args, **kwargs)
        _limit(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """As in requests."""
        manager = super().proxy_manager_for(*args, **kwargs)
        _limit(manager)
        return manager


def _limit(manager: PoolManager) -> None:
    pools: Mapping[str, Any] = manager.pool_classes_by_scheme
    if not all(issubclass(pool.ConnectionCls.response_class, _Response) for pool in pools.values()):
        manager.pool_classes_by_scheme = {scheme: _limited(pool) for scheme, pool in pools.items()}


def _limited(pool: Any) -> Any:
    connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"response_class": _Response})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class _Response(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(_Source(self.fp.detach(), sock, ALLOWED.get()))


class _Source(RawIOBase):
    """What comes from a socket, as long as its limits allow."""

    def __init__(self, raw: RawIOBase, sock: socket, limits: Limits) -> None:
        self._raw = raw
        self._sock = sock
        self._limits = limits
        self._silence = sock.gettimeout() or limits.seconds
        self._end = time.monotonic() + limits.seconds if limits.ends_at is None else limits.ends_at
        self._size = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As of any raw stream; raises TooSlow or TooLarge."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TooSlow(self._limits)
        if left < self._silence:
            self._sock.settimeout(left)
        try:
            count: int | None = self._raw.readinto(buffer)
        except TimeoutError:
            if left < self._silence:
                raise TooSlow(self._limits) from None
            raise
        self._size += count or 0
        if self._size > self._limits.size:
            raise TooLarge(self._limits)
        return count

    def close(self) -> None:
        """Close the socket's side, too."""
        self._raw.close()
        super().close()


def unpack(packed: bytes, limits: Limits) -> bytes:
    """What is in a gzip stream, by isal: in a third of the time that zlib takes, with which urllib3 would do it.

    Raises:
        TooLarge: More than the limits allow.
        DecodeError: It is no whole stream.
    """
    parts: list[bytes] = []
    size = 0
    for _ in range(_MOST_MEMBERS):
        member = isal_zlib.decompressobj(wbits=_GZIP)
        try:
            part = member.decompress(packed, limits.size - size + 1)
        except isal_zlib.error as error:  # type: ignore[misc]
            raise DecodeError("the body is no gzip stream") from error
        parts.append(part)
        size += len(part)
        if size > limits.size:
            raise TooLarge(limits)
        if not member.eof:
            break
        packed = member.unused_data.lstrip(b"\0")
        if not packed:
            return b"".join(parts)
    raise DecodeError("the body is no whole gzip stream")


def check_values(body: bytes, limits: Limits) -> None:
    """See that JSON does not become many times as large by being decoded.

    Raises:
        TooLarge: It has more values than fit into an answer.
    """
    most = limits.size // _SHORTEST_VALUE
    if len(body) > most and sum(map(body.count, (b",", b"[", b"{"))) > most:
        raise TooLarge(limits)
