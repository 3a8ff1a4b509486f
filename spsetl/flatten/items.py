"""Items of the appliance's answers: which have a key and contents, and where in them those are."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from spsetl.flatten.values import canonical_json, hash_of
from spsetl.schema import CHANNELS, SESSIONS, Table

# Beside a body stand its key and, in `meta`, links to itself.
_BESIDE_BODY: Final = frozenset({"key", "body", "meta"})


class UnreadableError(Exception):
    """The row goes to quarantine: it has no key, or says nothing. The message names fields, never a value."""


class Answer(NamedTuple):
    """A page of sessions, or all channels, events or the like of one session; when it came in UTC, without a zone."""

    session_key: str | None
    items: Sequence[Any]
    extracted_at: datetime


class Unreadable(NamedTuple):
    """An item that goes to quarantine, and why."""

    session_key: str | None
    item: Any
    extracted_at: datetime
    reason: str


class Item(NamedTuple):
    """An item that can be read: `content` holds its fields; `row_hash`, of sessions, tells it from others."""

    session_key: str
    item: dict[str, Any]
    content: dict[str, Any]
    extracted_at: datetime
    position: int
    row_hash: str = ""

    def refused(self, reason: str) -> Unreadable:
        """It goes to quarantine after all."""
        return Unreadable(self.session_key, self.item, self.extracted_at, reason)


def open_items(table: Table, answers: Iterable[Answer], unreadable: list[Unreadable]) -> Iterator[Item]:
    """The items of some answers; adds those that cannot be read to `unreadable`."""
    for session_key, items, moment in answers:
        for position, item in enumerate(items):
            try:
                if table is SESSIONS:
                    opened = _open_session(item, position, moment)
                else:
                    opened = Item(str(session_key), item, _open_detail(table, item), moment, position)
            except UnreadableError as error:
                unreadable.append(Unreadable(session_key or read_key(item), item, moment, str(error)))
            else:
                yield opened


def _open_session(item: Any, position: int, moment: datetime) -> Item:
    """One item of `GET /api/audit/sessions` ("Audited sessions")."""
    key = read_key(item)
    if key is None:
        raise UnreadableError("key: not there, or neither text nor an integer")
    body = item.get("body")
    if not isinstance(body, dict) or not body:
        raise UnreadableError("body: not an object, or empty")
    return Item(key, item, body, moment, position, hash_of(canonical_json(body)))


def _open_detail(table: Table, item: Any) -> dict[str, Any]:
    """The fields of a channel, event, alert or the like, bare or in a body ("Session events", "Session alerts")."""
    if not isinstance(item, dict):
        raise UnreadableError("not an object")
    body = item.get("body")
    content = body if table is CHANNELS or (isinstance(body, dict) and "record_id" not in item) else item
    if not isinstance(content, dict):
        raise UnreadableError("body: not an object")
    return content


def read_key(item: Any) -> str | None:
    """The item's key as text; None where it has none that can be used."""
    key = item.get("key") if isinstance(item, dict) else None
    if isinstance(key, str):
        return key or None
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else None


def beside_body(item: Item, key: str) -> dict[str, Any]:
    """What an item says beside its body and its own key."""
    whole = item.item
    if whole is item.content or (_BESIDE_BODY.issuperset(whole) and str(whole.get("key")) == key):
        return {}
    found = {name: value for name, value in whole.items() if name not in _BESIDE_BODY}
    return found if str(whole.get("key", key)) == key else found | {"key": whole["key"]}
