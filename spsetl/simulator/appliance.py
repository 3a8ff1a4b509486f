"""The simulated appliance without its network: a request's kind, path and parameters in, an answer out."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spsetl.simulator import configuration, histogram, recordings, statistics
from spsetl.simulator.answers import Answer, ApiError, as_json, not_found, unauthorized
from spsetl.simulator.clock import Clock
from spsetl.simulator.details import Askings, Details
from spsetl.simulator.documents import SESSIONS_PATH, href
from spsetl.simulator.faults import Fault, Faults
from spsetl.simulator.listing import join_items, links, read_fields, read_page
from spsetl.simulator.logins import Credentials, Logins
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.rendering import Renderer
from spsetl.simulator.request import DETAILS, INFO_PATH, TRAIL, Params, Request
from spsetl.simulator.search import Search, read_filter
from spsetl.simulator.sessions import Session
from spsetl.simulator.snapshots import Holder, Snapshots
from spsetl.simulator.trails import has_trail
from spsetl.simulator.world import World

# Called before each answer with the request's kind, path and parameters; may return a fault to answer with.
Hook = Callable[[str, str, Params], Fault | None]


@dataclass
class Appliance:
    """Answers requests about a world, as its quirks say."""

    world: World
    quirks: Quirks
    credentials: Credentials
    secure: bool = False
    clock: Clock = field(default_factory=Clock)
    requests: Counter[str] = field(default_factory=Counter)
    askings: Askings = field(default_factory=Askings)
    on_request: Hook | None = None

    def __post_init__(self) -> None:
        self.faults = Faults(self.quirks)
        self.logins = Logins(self.credentials, self.quirks, self.clock, self.secure)
        self.search = Search(self.world, self.quirks)
        self.renderer = Renderer(self.world, self.quirks)
        self.details = Details(self.world, self.quirks, self.renderer)
        self.snapshots = Snapshots(self.search, self.quirks, self.clock)
        self._routes: dict[str, Callable[[Request], Answer]] = {
            "list": self.list_sessions,
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
                return self.logins.log_in(request.headers, request.params, request.certificate)
            if request.kind == "info":
                return self._info(request)
            self.logins.renew(request.headers, request.path)
            route = self._routes.get(request.kind)
            if route is None:
                raise not_found(request.path)
            if request.kind != "configuration" and not self.quirks.search_right:
                raise unauthorized(request.path)
            with self.world.lock:
                return route(request)
        except ApiError as error:
            return error.answer

    def pass_night(self) -> None:
        """A day passes in the world and on the clock."""
        self.world.advance_night()
        self.clock.advance(24 * 3600)

    @property
    def _remaining(self) -> int:
        return int(self.quirks.login_seconds)

    def _info(self, request: Request) -> Answer:
        body: dict[str, Any] = {"hostname": "sps.example.com", "plugin_sdk_version": "1.7.0"}
        meta: dict[str, Any] = {"href": INFO_PATH, "parent": "/api"}
        if self.logins.is_alive(request.headers):
            body |= {
                "domainname": "example.com",
                "firmware_version": self.quirks.firmware,
                "full_hostname": "sps.example.com",
                "product": "One Identity Safeguard for Privileged Sessions",
            }
            meta["remaining_seconds"] = self._remaining
        return as_json({"body": body, "key": "info", "meta": meta})

    def list_sessions(self, request: Request) -> Answer:
        """One page of the list, or of a snapshot of it."""
        params, quirks = request.params, self.quirks
        fields = read_fields(params)
        if params.get("snapshot"):
            return self._list_snapshot(params, fields)
        found = self.search.listed(self.search.sorted_matches(read_filter(params)))
        total = min(len(found), quirks.result_limit)
        page = read_page(params, limit=quirks.page_limit, last_offset=quirks.result_limit)
        shown = found[page.offset : min(page.offset + page.limit, total)]
        meta = {
            "fields": fields,
            "href": SESSIONS_PATH,
            "limit": page.limit,
            "match_count": total,
            "offset": page.offset,
            "parent": "/api/audit",
            "remaining_seconds": self._remaining,
            **links(SESSIONS_PATH, params, page, total),
        }
        return Answer(join_items(self.renderer.items(shown, fields), meta))

    def _list_snapshot(self, params: Params, fields: tuple[str, ...]) -> Answer:
        if not self.quirks.snapshots:
            raise not_found(SESSIONS_PATH)
        shown, chain = self.snapshots.page(params)
        meta = {
            "fields": fields,
            "href": SESSIONS_PATH,
            "parent": "/api/audit",
            "remaining_seconds": self._remaining,
            **chain,
        }
        return Answer(join_items(self.renderer.items(shown, fields), meta))

    def _session(self, request: Request) -> Answer:
        session = self._found(request)
        meta = {
            "href": href(session.key),
            "parent": SESSIONS_PATH,
            "remaining_seconds": self._remaining,
        }
        return as_json({"body": self.renderer.document(session), "key": session.key, "meta": meta})

    def _details(self, request: Request) -> Answer:
        return self.details.answer(request, self._found(request))

    def _trail(self, request: Request) -> Answer:
        session = self._found(request)
        form = request.params.get("format", "zat")
        if not has_trail(self.world.spec, session) or form not in recordings.FORMS:
            raise not_found(request.path)
        self.world.download(session.key, self.credentials.username, request.address, from_api=True)
        whole = recordings.recording_of(self.world.spec, session, form)
        return recordings.answer(whole, request.headers, self.quirks)

    def _snapshot(self, request: Request) -> Answer:
        if not self.quirks.snapshots:
            raise not_found(request.path)
        agent = request.headers.get(b"user-agent", b"").decode("latin-1")
        holder: Holder = (self.credentials.username, request.address, agent)
        meta = {"href": request.path, "parent": SESSIONS_PATH, "remaining_seconds": self._remaining}
        return as_json({"body": {"snapshot": self.snapshots.open(holder)}, "key": "_snapshot", "meta": meta})

    def _count(self, request: Request) -> Answer:
        if not self.quirks.counts:
            raise not_found(request.path)
        count = len(self.search.matches(read_filter(request.params)))
        is_filtered = {"q", "start", "end"} & request.params.keys()
        count += self.quirks.count_drift + (0 if is_filtered else self.quirks.without_start)
        return as_json({"count": max(0, count)})

    def _stats(self, request: Request) -> Answer:
        if not self.quirks.stats:
            raise not_found(request.path)
        answer = statistics.count_values(self.search, request.params)
        answer["meta"] |= {"href": request.path, "parent": SESSIONS_PATH, "remaining_seconds": self._remaining}
        return as_json(answer)

    def _histogram(self, request: Request) -> Answer:
        if not self.quirks.histogram:
            raise not_found(request.path)
        answer = histogram.count_bins(self.search, self.quirks, self.world.now_ms, request.params)
        answer["meta"] |= {"href": request.path, "parent": SESSIONS_PATH, "remaining_seconds": self._remaining}
        return as_json(answer)

    def _configuration(self, request: Request) -> Answer:
        return as_json(configuration.configuration(request.path, self.world, self.quirks, self._remaining))

    def _found(self, request: Request) -> Session:
        try:
            return self.world.find(request.key)
        except KeyError:
            raise not_found(request.path) from None
