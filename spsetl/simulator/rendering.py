"""What lists and answers show of a session: which fields, in which spelling; kept as JSON, as lists are long."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from spsetl.simulator.documents import DATES, NOT_DISPLAYED, Document, canonical, document_of, href, set_path, value_at
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.sessions import Session
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.times import parse_time

# The fields that short lists are made of: what tells sessions, their versions and their groups apart.
_SHORT_FIELDS: Final = (
    "active", "client.ip", "client.name", "client.port", "creation_time", "duration", "end_time", "hidden", "node_id",
    "origin", "phantom", "protocol", "recording.archived", "recording.channel_policy", "recording.connection_policy",
    "recording.index_status", "recording.session_id", "recording.verdict", "revision", "server.ip", "server.name",
    "server.port", "start_time", "user.gateway_username", "user.name", "verdict",
)  # fmt: skip
_PLACES: Final = {path: at for at, path in enumerate(_SHORT_FIELDS)}
# Nearly every session has its own value.
_OWN: Final = frozenset({"creation_time", "end_time", "recording.session_id", "start_time"})
_UNDISPLAYED: Final[tuple[str, ...]] = ("revision", "hidden", "phantom")
_BODY: Final = b'{"body":'
_MISSING: Final = object()


class Displayed(NamedTuple):
    """What a list shows of a session, as JSON in two parts: `{"body":{…` of `fields=*`, and `},"key":…}`.

    Between them goes what `*` leaves out. `values` are those of the fields of short lists as JSON, empty where there is
    none.
    """

    version: int
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
    """What lists show of each session, made once for each version of it.

    Equal values of different sessions are one object, as a world holds many of them.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self._kept: dict[int, Displayed] = {}
        self._shared: dict[bytes, bytes] = {}

    def of(self, session: Session) -> Displayed:
        """What a list shows of the session."""
        known = self._kept.get(session.number)
        if known is None or known.version != session.version:
            known = self._kept[session.number] = self._made(session)
        return known

    def forget(self, number: int) -> None:
        """The session of that number has gone."""
        self._kept.pop(number, None)

    def _made(self, session: Session) -> Displayed:
        document = document_of(self.spec, session)
        values = tuple(self._written(document, path) for path in _SHORT_FIELDS)
        shown = {name: value for name, value in document.items() if name not in NOT_DISPLAYED}
        trail = (shown.get("recording") or {}).get("audit_trail")
        if trail:
            trail.pop("download", None)
        # The slice is a copy of just the right size; what orjson returns may hold on to a buffer several times larger.
        head = _BODY + orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)[:-1]
        tail = b'},"key":%b,"meta":{"href":"%b"}}' % (orjson.dumps(session.key), href(session.key).encode())
        revision, hidden, phantom = (document[name] for name in _UNDISPLAYED)
        return Displayed(session.version, head, tail, revision, hidden, phantom, values)

    def _written(self, document: Document, path: str) -> bytes:
        value: Any = value_at(document, path, _MISSING)
        if value is _MISSING:
            return b""
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        # Copied to its own size, for the same reason as above.
        return b"%b" % written if path in _OWN else self._shared.setdefault(written, b"%b" % written)


class Renderer:
    """Writes a world's sessions, channels, events and alerts as the quirks say."""

    def __init__(self, displays: Displays, quirks: Quirks) -> None:
        self._displays, self._quirks = displays, quirks
        self._plain = quirks.naming == "recording" and quirks.times == "iso"

    def items(self, sessions: Sequence[Session], fields: tuple[str, ...]) -> list[bytes]:
        """The items of a list of sessions, with the bodies that `fields` asks for: pieces of JSON to be joined."""
        shown = self._shown(fields)
        paths = frozenset(map(canonical, fields)) - (set(_UNDISPLAYED) - set(shown))
        if self._plain and "*" in fields:
            pieces = self._long_items(sessions, shown)
        elif self._plain and paths and paths <= _PLACES.keys():
            pieces = self._short_items(sessions, sorted(paths, key=lambda path: path.split(".")))
        else:
            pieces = self._other_items(sessions, fields, shown)
        return pieces[1:]

    def document(self, session: Session) -> Document:
        """The session's own answer's body."""
        return self._spell(document_of(self._displays.spec, session))

    def channel(self, body: Document) -> Document:
        """A channel's body."""
        if self._quirks.naming == "psm":
            body = _with_dotted_addresses(body)
        if self._quirks.times == "epoch":
            body |= {name: _seconds(body[name]) for name in ("start_time", "end_time")}
        return body

    def record(self, record: Document) -> Document:
        """An event or an alert."""
        return record | {"time": _seconds(record["time"])} if self._quirks.times == "epoch" else record

    def _shown(self, fields: tuple[str, ...]) -> list[str]:
        """Of revision, hidden and phantom, those that this list shows."""
        named = _UNDISPLAYED if self._quirks.revision_by_name else _UNDISPLAYED[1:]
        shown = [name for name in named if name in fields]
        if "*" in fields and self._quirks.star_has_revision and "revision" not in shown:
            shown.append("revision")
        return shown

    def _long_items(self, sessions: Sequence[Session], shown: list[str]) -> list[bytes]:
        """The most frequent items, without a copy of anything: a page of them takes a third of a millisecond."""
        pieces: list[bytes] = []
        only_revision = shown == ["revision"]
        for displayed in map(self._displays.of, sessions):
            extra = b',"revision":%d' % displayed.revision if only_revision else _extras(displayed, shown)
            pieces += (b",", displayed.head, extra, displayed.tail)
        return pieces

    def _short_items(self, sessions: Sequence[Session], paths: Sequence[str]) -> list[bytes]:
        """Put together from values that are JSON already: several times cheaper than whole items, and uncached."""
        pieces: list[bytes] = []
        places = [_PLACES[path] for path in paths]
        # A single place would give its bare value, and not a tuple of it.
        pick = itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
        template = _BODY + b"{" + ",".join(_template(paths)).encode()
        for displayed in map(self._displays.of, sessions):
            values = pick(displayed.values)
            body = _with_gaps(paths, values) if b"" in values else template % values
            pieces += (b",", body, displayed.tail)
        return pieces

    def _other_items(self, sessions: Sequence[Session], fields: tuple[str, ...], shown: list[str]) -> list[bytes]:
        """Items made one by one, by way of their documents."""
        pieces: list[bytes] = []
        for displayed in map(self._displays.of, sessions):
            if not fields:
                pieces += (b",", b"{", displayed.tail[2:])
                continue
            body = displayed.document if "*" in fields else _project(displayed.document, fields)
            body |= {name: getattr(displayed, name) for name in shown}
            written = orjson.dumps(self._spell(body), option=orjson.OPT_SORT_KEYS)
            pieces += (b",", _BODY, written, displayed.tail[1:])
        return pieces

    def _spell(self, body: Document) -> Document:
        if self._quirks.times == "epoch":
            for path in DATES:
                moment = value_at(body, path)
                if moment is not None:
                    set_path(body, path, _seconds(moment))
        return _older_names(body) if self._quirks.naming == "psm" else body


def _extras(displayed: Displayed, shown: list[str]) -> bytes:
    return "".join(f',"{name}":{str(getattr(displayed, name)).lower()}' for name in shown).encode()


def _template(paths: Sequence[str]) -> Iterator[str]:
    """An object with these sorted paths, which are at most two names long, without its braces."""
    for parent, group in groupby(paths, key=lambda path: path.rpartition(".")[0]):
        members = ",".join(f'"{path.rpartition(".")[2]}":%b' for path in group)
        yield f'"{parent}":{{{members}}}' if parent else members


def _with_gaps(paths: Sequence[str], values: Sequence[bytes]) -> bytes:
    """The same for a session that lacks some of the fields."""
    body: Document = {}
    for path, value in zip(paths, values, strict=True):
        if value:
            set_path(body, path, orjson.Fragment(value))
    return _BODY + orjson.dumps(body)[:-1]


def _project(body: Document, fields: tuple[str, ...]) -> Document:
    chosen: Document = {}
    for name in sorted(map(canonical, fields)):
        value = value_at(body, name, _MISSING)
        if value is not _MISSING:
            set_path(chosen, name, value)
    return chosen


def _seconds(moment: str | None) -> int | None:
    return None if moment is None else parse_time(moment).ms // 1000


def _older_names(body: Document) -> Document:
    """As 5.x spells it: psm for recording, address for ip, indexer for indexing."""
    older = {"recording": "psm", "indexing": "indexer"}
    body = {older.get(name, name): value for name, value in body.items()}
    for parent, names in ((body, ("client", "server")), (body.get("psm"), ("server_local", "target"))):
        for name in names:
            if isinstance(parent, dict) and isinstance(parent.get(name), dict):
                parent[name] = {_older_part(part): value for part, value in parent[name].items()}
    if body.get("origin") == "RECORDING":
        body["origin"] = "PSM"
    return body


def _older_part(part: str) -> str:
    return "address" if part == "ip" else part


def _with_dotted_addresses(body: Document) -> Document:
    """`originator.address` and the like are keys with a dot in their name ("Audited sessions", Examples)."""
    flat: Document = {}
    for name, value in body.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{_older_part(part)}": inner for part, inner in value.items()}
        else:
            flat[name] = value
    return flat
