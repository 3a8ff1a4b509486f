"""Pages of the list, decoded: a session of today's shape into a typed object, any other into plain JSON."""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Final

import msgspec
import orjson

from spsetl.flatten.layout import Layout, Session

# Types are made anew for what is learnt: not for a world in which every session has keys of its own.
_MOST_LAYOUTS: Final = 20


class _Page(msgspec.Struct, gc=False):
    items: list[msgspec.Raw]
    meta: Any


_PAGE: Final = msgspec.json.Decoder(_Page)


class PageReader:
    """Decodes pages of sessions. What comes beside the schema is learnt on the way. Thread-safe."""

    def __init__(self) -> None:
        self._layout = Layout()
        self._lock = Lock()

    def decode(self, body: bytes) -> Any:
        """An answer of `GET /api/audit/sessions` ("Audited sessions"): its `items` and `meta`.

        Args:
            body: The JSON.

        Returns:
            The answer as a dict. Each of its items is a Session, or what JSON made of it where it does not fit one; an
            answer of another shape is what JSON made of it.

        Raises:
            orjson.JSONDecodeError: It is no JSON, or some that only a lenient reader takes.
        """
        try:
            page = _PAGE.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return orjson.loads(body)
        layout = self._layout
        odd: list[Any] = []
        items: list[Any] = []
        for raw in page.items:
            try:
                item: Any = layout.decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                item = orjson.loads(memoryview(raw))
                odd.append(item)
            items.append(item)
        if odd:
            self._learn(odd)
        return {"items": items, "meta": page.meta}

    def _learn(self, odd: Sequence[Any]) -> None:
        with self._lock:
            for item in odd:
                body = item.get("body") if isinstance(item, dict) else None
                if not isinstance(body, dict) or self._layout.number >= _MOST_LAYOUTS:
                    continue
                learned = self._layout.learn(body)
                if learned is not None:
                    self._layout = learned


def as_item(session: Session) -> Any:
    """The session as plain JSON."""
    return orjson.loads(msgspec.json.encode(session))
