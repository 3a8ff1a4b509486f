"""What is under a session: lists of its channels, events, alerts and downloads, and of its indexing; and who asked."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from spsetl.simulator import statistics
from spsetl.simulator.answers import Answer, Asking, as_json, not_found
from spsetl.simulator.documents import href
from spsetl.simulator.listing import links, read_page
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.records import alerts_of, events_of
from spsetl.simulator.rendering import Renderer
from spsetl.simulator.request import Request
from spsetl.simulator.sessions import Session
from spsetl.simulator.trails import downloads_of, indexing_of, is_recorded
from spsetl.simulator.world import World


class Details:
    """Answers requests for a session's details, page by page."""

    def __init__(self, world: World, quirks: Quirks, renderer: Renderer) -> None:
        self._world, self._quirks, self._renderer = world, quirks, renderer

    def answer(self, request: Request, session: Session) -> Answer:
        """One page of the kind that is asked for.

        Raises:
            ApiError: 400, a parameter does not parse; 404, the appliance or the session has nothing of that kind.
        """
        quirks, path = self._quirks, f"{href(session.key)}/{request.kind}"
        records = self._records(request, session)
        page = read_page(request.params, limit=quirks.detail_limit, last_offset=quirks.detail_offset_limit or None)
        meta: dict[str, Any] = {
            "href": path,
            "limit": page.limit,
            "offset": page.offset,
            "parent": href(session.key),
            "remaining_seconds": int(quirks.login_seconds),
            **links(path, request.params, page, len(records)),
        }
        if request.kind != "events":
            meta["match_count"] = len(records)
        items = [self._item(request.kind, path, one) for one in records[page.offset : page.offset + page.limit]]
        wrapper = quirks.channels_wrapper if request.kind == "channels" else "items"
        told = {"whole": {"meta": meta}, "count": {"meta": {"match_count": len(records)}}, "none": {}}
        asking = Asking(request.kind, session.key, session.revision) if _begins(request) else None
        return as_json({wrapper: items, **told[quirks.detail_meta]}, asking)

    def _records(self, request: Request, session: Session) -> Sequence[dict[str, Any]]:
        spec, q = self._world.spec, request.params.get("q")
        if request.kind == "channels":
            return self._world.channels(session.key)
        if request.kind == "alerts":
            return alerts_of(spec, session)
        if request.kind == "events":
            events = events_of(spec, session)
            return statistics.passing_records(events, q) if q else events
        if not getattr(self._quirks, request.kind):
            raise not_found(request.path)
        if request.kind == "trail_downloads":
            return downloads_of(spec, session)
        if not is_recorded(spec, session):
            raise not_found(request.path)
        job = indexing_of(spec, session)
        return [job] if job else []

    def _item(self, kind: str, path: str, record: dict[str, Any]) -> dict[str, Any]:
        if kind == "channels":
            meta = {"href": f"{path}/{record['key']}"}
            return {"body": self._renderer.channel(record["body"]), "key": record["key"], "meta": meta}
        return record if kind == "indexing" else self._renderer.record(record)


def _begins(request: Request) -> bool:
    """True for a request that begins to fetch all; a filtered one, which also reaches the rest, does not."""
    return int(request.params.get("offset") or 0) == 0 and not request.params.get("q")


class Askings:
    """Remembers which details were asked for, and which of them more than once while the session's revision stood."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], int] = {}
        self._repeated: Counter[Asking] = Counter()
        self._asked = 0

    def add(self, asking: Asking) -> None:
        """Such details are being sent. A session's revision only grows, so that the last one is enough to know."""
        kind, key, revision = asking
        with self._lock:
            if self._last.get((kind, key)) == revision:
                self._repeated[asking] = max(1, self._repeated[asking]) + 1
            else:
                self._last[kind, key] = revision
                self._asked += 1

    def take_back(self, asking: Asking) -> None:
        """They have not arrived."""
        kind, key, _ = asking
        with self._lock:
            if self._repeated[asking] > 1:
                self._repeated[asking] -= 1
            elif self._last.pop((kind, key), None) is not None:
                self._asked -= 1

    @property
    def asked(self) -> int:
        """How many details of different kind, session or revision were asked for."""
        return self._asked

    @property
    def repeated(self) -> Counter[Asking]:
        """Those that were asked for more than once, and how often."""
        with self._lock:
            return Counter({asking: count for asking, count in self._repeated.items() if count > 1})
