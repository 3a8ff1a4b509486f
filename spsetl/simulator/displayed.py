"""What lists show of a session, made once for each version of it and kept as JSON."""

from typing import Any, Final, NamedTuple

import orjson

from spsetl.simulator.documents import NOT_DISPLAYED, Document, href
from spsetl.simulator.fields import value_at

_BODY: Final = b'{"body":'
_MISSING: Final = object()

# The fields that short lists are made of: what tells sessions, their versions and their groups apart.
SHORT_FIELDS: Final = (
    "active", "client.ip", "client.name", "client.port", "creation_time", "duration", "end_time", "hidden", "node_id",
    "origin", "phantom", "protocol", "recording.archived", "recording.channel_policy", "recording.connection_policy",
    "recording.index_status", "recording.session_id", "recording.verdict", "revision", "server.ip", "server.name",
    "server.port", "start_time", "user.gateway_username", "user.name", "verdict",
)  # fmt: skip
# Nearly every session has its own value.
_OWN: Final = frozenset({"creation_time", "end_time", "recording.session_id", "start_time"})


class Displayed(NamedTuple):
    """What a list shows of a session, as JSON in two parts: `{"body":{…` of `fields=*`, and `},"key":…}`.

    Between them goes what `*` leaves out. `values` are those of `SHORT_FIELDS` as JSON, empty where there is none.
    """

    head: bytes
    tail: bytes
    revision: int
    hidden: bool
    phantom: bool
    values: tuple[bytes, ...]

    @property
    def document(self) -> Document:
        """The body of `fields=*`."""
        body: Document = orjson.loads(self.head[len(_BODY) :] + b"}")
        return body


class Displays:
    """Makes what lists show; equal values of different sessions are one object, as a world holds many of them."""

    def __init__(self) -> None:
        self._shared: dict[bytes, bytes] = {}

    def display(self, key: str, document: Document) -> Displayed:
        """What a list shows of the session with this document, which is used up."""
        values = tuple(self._written(document, path) for path in SHORT_FIELDS)
        shown = {name: value for name, value in document.items() if name not in NOT_DISPLAYED}
        trail = (shown.get("recording") or {}).get("audit_trail")
        if trail:
            trail.pop("download", None)
        # The slice is a copy of just the right size; what orjson returns may hold on to a buffer several times larger.
        head = _BODY + orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)[:-1]
        tail = b'},"key":%b,"meta":{"href":"%b"}}' % (orjson.dumps(key), href(key).encode())
        return Displayed(head, tail, document["revision"], document["hidden"], document["phantom"], values)

    def _written(self, document: Document, path: str) -> bytes:
        value: Any = value_at(document, path, _MISSING)
        if value is _MISSING:
            return b""
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        # Copied to its own size, for the same reason as above.
        return b"%b" % written if path in _OWN else self._shared.setdefault(written, b"%b" % written)
