"""Items of the appliance's lists into rows of sessions, channels, events and alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from spsetl import schema
from spsetl.flatten.document import Document, UnreadableError, extra_of
from spsetl.flatten.paths import compile_paths
from spsetl.flatten.values import canonical_json, hash_of, to_json
from spsetl.schema import SESSIONS, Table

Row = list[Any]
"""One value per column of its table."""

# Beside a body stand its key and, in `meta`, links to itself. What else stands there is kept in `extra`, under a name
# that no field of a body has.
_BESIDE_BODY: Final = frozenset({"key", "body", "meta"})
BESIDE: Final = "$item"

_PATHS: Final = {table.name: compile_paths(table) for table in (SESSIONS, *schema.DETAIL_TABLES)}
_EXTRACTED_AT: Final = {name: schema.BY_NAME[name].names.index("extracted_at") for name in _PATHS}
_EXTRA: Final = {name: schema.BY_NAME[name].names.index("extra") for name in _PATHS}
_SESSION_KEY: Final = {name: schema.BY_NAME[name].names.index("session_key") for name in _PATHS}

_KEY: Final = {table.name: table.names.index(table.key[-1]) for table in schema.DETAIL_TABLES}
_CHANNEL_ID: Final = schema.CHANNELS.names.index("channel_id")


def _session_slot(name: str) -> int:
    return SESSIONS.names.index(name)


_REVISION: Final = _session_slot("revision")
_ROW_HASH: Final = _session_slot("row_hash")


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session, its lists and its scores, and the fields whose values did not fit."""

    key: str
    values: Row
    lists: Mapping[str, list[tuple[int, str]]]
    scores: Mapping[str, float]
    misfits: Sequence[str]

    @property
    def size(self) -> int:
        """Rows in all tables."""
        return 1 + len(self.scores) + sum(map(len, self.lists.values()))

    @property
    def version(self) -> tuple[bool, int]:
        """Grows with the revision; a session that hides its revision comes before all that have one."""
        revision = self.values[_REVISION]
        return revision is not None, revision or 0

    @property
    def row_hash(self) -> str:
        """Equal for the same contents."""
        return str(self.values[_ROW_HASH])

    @property
    def extracted_at(self) -> datetime:
        """When the answer came; UTC, without a zone."""
        moment: datetime = self.values[_EXTRACTED_AT[SESSIONS.name]]
        return moment


def read_session(item: Any, extracted_at: datetime) -> SessionRow:
    """One item of `GET /api/audit/sessions` ("Audited sessions"), all but what is the same in each row.

    Raises:
        UnreadableError: It has no key, or says nothing: the copy would only lose by it.
    """
    key = read_key(item)
    if key is None:
        raise UnreadableError("key: not there, or neither text nor an integer")
    body = item.get("body")
    if not isinstance(body, dict) or not body:
        raise UnreadableError("body: not an object, or empty")
    row_hash = hash_of(canonical_json(body))
    document = Document(body, _PATHS[SESSIONS.name], len(SESSIONS.columns))
    if document.unknown:
        document.gather_lists()
    values = document.values
    _finish(SESSIONS, document, key, extracted_at, beside=_beside_body(item, key))
    values[_ROW_HASH] = row_hash
    return SessionRow(key, values, document.lists, document.scores, document.misfits)


def hash_of_body(item: Any) -> str | None:
    """What tells the contents of a session apart; None where it has none."""
    body = item.get("body")
    return hash_of(canonical_json(body)) if isinstance(body, dict) else None


def read_key(item: Any) -> str | None:
    """The item's key as text; None where it has none that can be used."""
    key = item.get("key") if isinstance(item, dict) else None
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    return key if isinstance(key, str) and key else None


def read_detail(
    table: Table, session_key: str, item: Any, position: int, extracted_at: datetime
) -> tuple[Row, Sequence[str]]:
    """One channel, event, alert or the like ("Session events", "Session alerts"), all but what is the same in each row.

    Returns:
        The row, and the fields whose values did not fit.

    Raises:
        UnreadableError: It is none, or it has no key.
    """
    if not isinstance(item, dict):
        raise UnreadableError("not an object")
    body = item.get("body")
    is_wrapped = table is schema.CHANNELS or (isinstance(body, dict) and "record_id" not in item)
    content = body if is_wrapped else item
    if not isinstance(content, dict):
        raise UnreadableError("body: not an object")
    document = Document(content, _PATHS[table.name], len(table.columns))
    slot = _KEY[table.name]
    values = document.values
    if table is schema.CHANNELS:
        values[slot] = read_key(item) or values[_CHANNEL_ID]
    elif table.key[-1] == "position":
        values[slot] = position
    if values[slot] in {None, ""}:
        raise UnreadableError(f"{table.key[-1]}: missing")
    own_key = session_key if table is schema.INDEXING else str(values[slot])
    beside = _beside_body(item, own_key) if is_wrapped else {}
    _finish(table, document, session_key, extracted_at, beside=beside)
    return values, document.misfits


def _beside_body(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    if item.keys() <= _BESIDE_BODY and str(item.get("key")) == key:
        return {}
    found = {name: value for name, value in item.items() if name not in _BESIDE_BODY}
    return found if str(item.get("key", key)) == key else found | {"key": item["key"]}


def _finish(
    table: Table, document: Document, session_key: str, extracted_at: datetime, *, beside: Mapping[str, Any]
) -> None:
    name, values = table.name, document.values
    if document.unknown or beside:
        values[_EXTRA[name]] = to_json(extra_of(document.unknown) | ({BESIDE: beside} if beside else {}))
    values[_SESSION_KEY[name]] = session_key
    values[_EXTRACTED_AT[name]] = extracted_at
