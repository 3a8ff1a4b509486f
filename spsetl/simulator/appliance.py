"""The simulated appliance without its network: a request's kind, path and parameters in, an answer out."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from spsetl.simulator import statistics
from spsetl.simulator.details import FORMS, alerts_of, downloads_of, events_of, has_trail, indexing_of, recording_of
from spsetl.simulator.documents import Document, href, value_at
from spsetl.simulator.faults import Fault, Faults
from spsetl.simulator.logins import Logins
from spsetl.simulator.messages import (
    DETAILS,
    INFO_PATH,
    SESSIONS_PATH,
    TRAIL,
    Answer,
    ApiError,
    Asking,
    Params,
    Request,
    as_items,
    as_json,
    links,
    not_found,
    read_fields,
    read_page,
    unauthorized,
)
from spsetl.simulator.policies import configuration
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.rendering import Renderer
from spsetl.simulator.search import Search, Snapshots, read_filter
from spsetl.simulator.sessions import Session, facts_of
from spsetl.simulator.times import Clock
from spsetl.simulator.world import World

# Called before each answer with the request's kind, path and parameters; may return a fault to answer with.
Hook = Callable[[str, str, Params], Fault | None]

_RECORDING_TYPE: Final = "application/octet-stream"
_RANGE: Final = re.compile(rb"bytes=(\d+)-")


class Appliance:
    """Answers requests about a world, as its quirks say."""

    def __init__(self, world: World, quirks: Quirks, username: str, password: str, *, secure: bool = False) -> None:
        self.world, self.quirks = world, quirks
        self.username, self.password = username, password
        self.on_request: Hook | None = None
        self.requests: Counter[str] = Counter()
        self.clock = Clock()
        self.faults = Faults(quirks)
        self.logins = Logins(username, password, quirks, self.clock, secure=secure)
        self.search = Search(world, quirks)
        self.snapshots = Snapshots(self.search, quirks, self.clock)
        self._renderer = Renderer(world.displays, quirks)
        self._routes: dict[str, Callable[[Request], Answer]] = {
            "list": self._list,
            "session": self._session,
            "snapshot": self._snapshot,
            "count": self._count,
            "stats": self._stats,
            "histogram": self._histogram,
            "configuration": self._configuration,
            TRAIL: self._trail,
            **dict.fromkeys(DETAILS, self._details),
        }

    def answer(self, request: Request) -> Answer:
        """The answer to a request; errors are answers, too."""
        try:
            if request.kind == "authentication":
                return self.logins.log_in(request)
            if request.kind == "info":
                return self._info(request)
            self.logins.renew(request)
            route = self._routes.get(request.kind)
            if route is None:
                raise not_found(request.path)
            if request.kind != "configuration" and not self.quirks.search_right:
                raise unauthorized(request.path)
            with self.world.lock:
                return route(request)
        except ApiError as error:
            return error.answer

    def advance_night(self) -> None:
        """Lets a night pass, in the world and for what lives by the clock: logins and the snapshot end."""
        self.world.advance_night()
        self.clock.advance(24 * 3600)

    def _list(self, request: Request) -> Answer:
        params, quirks = request.params, self.quirks
        fields = read_fields(params)
        if params.get("snapshot"):
            self._offer(request, "snapshots")
            shown, chain = self.snapshots.page(params)
            meta = {"fields": fields, **self._meta(SESSIONS_PATH, "/api/audit"), **chain}
            return as_items(self._renderer.items(shown, fields), meta)
        found = self.search.listed(self.search.sorted_matches(read_filter(params)))
        total = min(len(found), quirks.result_limit)
        page = read_page(params, limit=quirks.page_limit, last_offset=quirks.result_limit)
        meta = {
            "fields": fields,
            "limit": page.limit,
            "match_count": total,
            "offset": page.offset,
            **self._meta(SESSIONS_PATH, "/api/audit"),
            **links(SESSIONS_PATH, params, page, total),
        }
        shown = found[page.offset : min(page.offset + page.limit, total)]
        return as_items(self._renderer.items(shown, fields), meta)

    def _meta(self, here: str, parent: str) -> Document:
        return {"href": here, "parent": parent, "remaining_seconds": int(self.quirks.login_seconds)}

    def _offer(self, request: Request, switch: str) -> None:
        """Refuses what this appliance does not have."""
        if not getattr(self.quirks, switch):
            raise not_found(request.path)

    def _find(self, request: Request) -> Session:
        if request.key not in self.world:
            raise not_found(request.path)
        return self.world.find(request.key)

    def _info(self, request: Request) -> Answer:
        body: Document = {"hostname": "sps.example.com", "plugin_sdk_version": "1.7.0"}
        meta: Document = {"href": INFO_PATH, "parent": "/api"}
        if self.logins.is_alive(request):
            meta = self._meta(INFO_PATH, "/api")
            body |= {
                "domainname": "example.com",
                "firmware_version": self.quirks.firmware,
                "full_hostname": "sps.example.com",
                "product": "One Identity Safeguard for Privileged Sessions",
            }
        return as_json({"body": body, "key": "info", "meta": meta})

    def _session(self, request: Request) -> Answer:
        session = self._find(request)
        body, meta = self._renderer.document(session), self._meta(href(session.key), SESSIONS_PATH)
        return as_json({"body": body, "key": session.key, "meta": meta})

    def _snapshot(self, request: Request) -> Answer:
        self._offer(request, "snapshots")
        agent = request.headers.get(b"user-agent", b"").decode("latin-1")
        snapshot = self.snapshots.open((self.username, request.address, agent))
        meta = self._meta(request.path, SESSIONS_PATH)
        return as_json({"body": {"snapshot": snapshot}, "key": "_snapshot", "meta": meta})

    def _count(self, request: Request) -> Answer:
        self._offer(request, "counts")
        count = len(self.search.matches(read_filter(request.params)))
        is_filtered = {"q", "start", "end"} & request.params.keys()
        count += self.quirks.count_drift + (0 if is_filtered else self.quirks.without_start)
        return as_json({"count": max(0, count)})

    def _stats(self, request: Request) -> Answer:
        self._offer(request, "stats")
        counted = statistics.count_values(self.search, request.params)
        return as_json(counted | {"meta": counted["meta"] | self._meta(request.path, SESSIONS_PATH)})

    def _histogram(self, request: Request) -> Answer:
        self._offer(request, "histogram")
        counted = statistics.count_bins(self.search, self.quirks, self.world.now_ms, request.params)
        return as_json(counted | {"meta": counted["meta"] | self._meta(request.path, SESSIONS_PATH)})

    def _configuration(self, request: Request) -> Answer:
        return as_json(configuration(request.path, self.world.policies, self.world.night, self.quirks))

    def _trail(self, request: Request) -> Answer:
        """A recording ("Download audit trails"), or the part of it that is asked for (RFC 9110, 14).

        The guide gives the address and the two formats. Guesses: the content type, and whether there are parts.
        """
        session, quirks = self._find(request), self.quirks
        form = request.params.get("format", "zat")
        if not has_trail(self.world.spec, session) or form not in FORMS:
            raise not_found(request.path)
        self.world.download(session.key, self.username, request.address, from_api=True)
        whole = recording_of(self.world.spec, session, form)
        if not quirks.trail_ranges:
            return Answer(whole, 200, _RECORDING_TYPE, has_length=quirks.trail_length)
        tag = f'"{hashlib.sha256(whole).hexdigest()[:16]}"'
        given = (("accept-ranges", "bytes"), ("etag", tag))
        asked = _RANGE.fullmatch(request.headers.get(b"range", b""))
        if asked is None or request.headers.get(b"if-range", tag.encode()) != tag.encode():
            return Answer(whole, 200, _RECORDING_TYPE, given, has_length=quirks.trail_length)
        first = int(asked[1])
        if first >= len(whole):
            return Answer(b"", 416, _RECORDING_TYPE, (("content-range", f"bytes */{len(whole)}"),))
        part = (*given, ("content-range", f"bytes {first}-{len(whole) - 1}/{len(whole)}"))
        return Answer(whole[first:], 206, _RECORDING_TYPE, part, has_length=quirks.trail_length)

    def _details(self, request: Request) -> Answer:
        """One page of the kind of details that is asked for."""
        session, quirks, kind = self._find(request), self.quirks, request.kind
        path = f"{href(session.key)}/{kind}"
        records = self._records(request, session)
        page = read_page(request.params, limit=quirks.detail_limit, last_offset=quirks.detail_offset_limit or None)
        meta: Document = {
            "limit": page.limit,
            "offset": page.offset,
            **self._meta(path, href(session.key)),
            **links(path, request.params, page, len(records)),
        }
        if kind != "events":
            meta["match_count"] = len(records)
        items = [self._item(kind, path, one) for one in records[page.offset : page.offset + page.limit]]
        wrapper = quirks.channels_wrapper if kind == "channels" else "items"
        told = {"whole": {"meta": meta}, "count": {"meta": {"match_count": len(records)}}, "none": {}}
        # What is filtered, or begins later, also reaches the rest of a list that was asked for before.
        begins = int(request.params.get("offset") or 0) == 0 and not request.params.get("q")
        asking = Asking(kind, session.key, session.revision) if begins else None
        return as_json({wrapper: items, **told[quirks.detail_meta]}, asking)

    def _records(self, request: Request, session: Session) -> Sequence[Document]:
        spec, kind, q = self.world.spec, request.kind, request.params.get("q")
        if kind == "channels":
            return self.world.channels(session.key)
        if kind == "alerts":
            return alerts_of(spec, session)
        if kind == "events":
            events = events_of(spec, session)
            return _passing(events, q) if q else events
        self._offer(request, kind)
        if kind == "trail_downloads":
            return downloads_of(spec, session)
        if not facts_of(spec, session.number).recorded:
            raise not_found(request.path)
        job = indexing_of(spec, session)
        return [job] if job else []

    def _item(self, kind: str, path: str, record: Document) -> Document:
        if kind == "channels":
            meta = {"href": f"{path}/{record['key']}"}
            return {"body": self._renderer.channel(record["body"]), "key": record["key"], "meta": meta}
        return record if kind == "indexing" else self._renderer.record(record)


def _passing(records: Iterable[Document], q: str) -> list[Document]:
    """The events that pass a filter ("Session events", Filtering)."""
    from spsetl.simulator.query import compile_query  # noqa: PLC0415 - luqum is slow to import and seldom needed

    passes = compile_query(q)
    return [record for record in records if passes(partial(_event_value, record))]


def _event_value(record: Document, field: str) -> Any:
    """The value of a field; a word of `content` is found anywhere in it."""
    value = record if field == "*" else value_at(record, field)
    return [value, *value.split()] if field in {"content", "action"} and isinstance(value, str) else value
