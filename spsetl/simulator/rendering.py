"""Documents as this appliance spells them: which fields are shown, older names, times as numbers."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from spsetl.simulator.displayed import Displayed
from spsetl.simulator.documents import Document, document_of, set_path
from spsetl.simulator.fields import DATES, canonical, value_at
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.sessions import Session
from spsetl.simulator.short import ShortItems, is_short
from spsetl.simulator.times import parse_time
from spsetl.simulator.world import World

_MISSING: Final = object()
_UNDISPLAYED: Final = ("revision", "hidden", "phantom")
_KEPT_FIELD_SETS: Final = 3
_ENDPOINTS: Final = ("client", "server")
_RECORDING_ENDPOINTS: Final = ("server_local", "target")


class Renderer:
    """Writes a world's sessions, channels, events and alerts as the quirks say."""

    def __init__(self, world: World, quirks: Quirks) -> None:
        self._world, self._quirks = world, quirks
        self._items: dict[tuple[str, ...], dict[int, tuple[int, bytes]]] = {}
        self._plain = quirks.naming == "recording" and quirks.times == "iso"

    def items(self, sessions: Sequence[Session], fields: tuple[str, ...]) -> list[bytes]:
        """The items of a list of sessions, with the bodies that `fields` asks for: pieces of JSON to be joined."""
        if self._plain and "*" in fields:
            return self._pieces(sessions, self.shown(fields))
        paths = self._short_paths(fields)
        if self._plain and is_short(paths):
            return ShortItems(paths).pieces([self._world.displayed(session) for session in sessions])
        items = self._whole_items(sessions, fields)
        return [piece for item in items for piece in (b",", item)][1:]

    def _pieces(self, sessions: Sequence[Session], shown: tuple[str, ...]) -> list[bytes]:
        """The most frequent items, without a copy of anything: a page of them takes a third of a millisecond."""
        pieces: list[bytes] = []
        only_revision = shown == ("revision",)
        for session in sessions:
            displayed = self._world.displayed(session)
            extra = b',"revision":%d' % displayed.revision if only_revision else _extras(displayed, shown)
            pieces += (b",", displayed.head, extra, displayed.tail)
        return pieces[1:]

    def _short_paths(self, fields: tuple[str, ...]) -> frozenset[str]:
        """The fields in their current spelling, without those of revision, hidden and phantom that are not shown."""
        return frozenset(map(canonical, fields)) - (set(_UNDISPLAYED) - set(self.shown(fields)))

    def _whole_items(self, sessions: Sequence[Session], fields: tuple[str, ...]) -> list[bytes]:
        if not fields:
            return [b"{" + self._world.displayed(session).tail[2:] for session in sessions]
        shown = self.shown(fields)
        kept = self._kept(fields)
        items = []
        for session in sessions:
            known = kept.get(session.number)
            if known is None or known[0] != session.version:
                known = kept[session.number] = session.version, self._item(session, fields, shown)
            items.append(known[1])
        return items

    def document(self, session: Session) -> Document:
        """The session's own answer's body."""
        return self._spell(document_of(self._world.spec, session))

    def channel(self, body: Document) -> Document:
        """A channel's body."""
        if self._quirks.naming == "psm":
            body = _with_dotted_addresses(body)
        if self._quirks.times == "epoch":
            for name in ("start_time", "end_time"):
                body[name] = _seconds(body[name])
        return body

    def record(self, record: Document) -> Document:
        """An event or an alert."""
        return record | {"time": _seconds(record["time"])} if self._quirks.times == "epoch" else record

    def shown(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        """Of revision, hidden and phantom, those that this list shows."""
        shown = [
            name for name in _UNDISPLAYED if name in fields and (name != "revision" or self._quirks.revision_by_name)
        ]
        if "*" in fields and self._quirks.star_has_revision and "revision" not in shown:
            shown.append("revision")
        return tuple(shown)

    def _kept(self, fields: tuple[str, ...]) -> dict[int, tuple[int, bytes]]:
        """Items made before, for the few sets of fields that were asked for last."""
        if fields not in self._items and len(self._items) >= _KEPT_FIELD_SETS:
            del self._items[next(iter(self._items))]
        return self._items.setdefault(fields, {})

    def _item(self, session: Session, fields: tuple[str, ...], shown: tuple[str, ...]) -> bytes:
        displayed = self._world.displayed(session)
        body = displayed.document
        body = body if "*" in fields else _project(body, fields)
        body |= {name: getattr(displayed, name) for name in shown}
        written = orjson.dumps(self._spell(body), option=orjson.OPT_SORT_KEYS)
        return b'{"body":%b%b' % (written, displayed.tail[1:])

    def _spell(self, body: Document) -> Document:
        if self._quirks.times == "epoch":
            for path in DATES:
                moment = value_at(body, path)
                if moment is not None:
                    set_path(body, path, _seconds(moment))
        return _older_names(body) if self._quirks.naming == "psm" else body


def _extras(displayed: Displayed, shown: tuple[str, ...]) -> bytes:
    return "".join(f',"{name}":{str(getattr(displayed, name)).lower()}' for name in shown).encode()


def _project(body: Document, fields: tuple[str, ...]) -> Document:
    chosen: Document = {}
    for name in sorted(canonical(field) for field in fields):
        value = value_at(body, name, _MISSING)
        if value is not _MISSING:
            set_path(chosen, name, value)
    return chosen


def _seconds(moment: str | None) -> int | None:
    return None if moment is None else parse_time(moment).ms // 1000


def _older_names(body: Document) -> Document:
    """As 5.x spells it: psm for recording, address for ip, indexer for indexing."""
    body = {"psm" if name == "recording" else "indexer" if name == "indexing" else name: v for name, v in body.items()}
    for name in _ENDPOINTS:
        body |= _with_address(body, name)
    if isinstance(body.get("psm"), dict):
        for name in _RECORDING_ENDPOINTS:
            body["psm"] |= _with_address(body["psm"], name)
    if body.get("origin") == "RECORDING":
        body["origin"] = "PSM"
    return body


def _with_address(parent: Document, name: str) -> Document:
    endpoint = parent.get(name)
    if not isinstance(endpoint, dict) or "ip" not in endpoint:
        return {}
    return {name: {"address" if part == "ip" else part: value for part, value in endpoint.items()}}


def _with_dotted_addresses(body: Document) -> Document:
    """`originator.address` and the like are keys with a dot in their name ("Audited sessions", Examples)."""
    flat: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{'address' if part == 'ip' else part}": inner for part, inner in value.items()}
        else:
            flat[name] = value
    return flat
