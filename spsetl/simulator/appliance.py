"""The simulated appliance without its network: a request's kind, path and parameters in, an answer out."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from spsetl.simulator import configuration, histogram, statistics
from spsetl.simulator.answers import Answer, ApiError, as_json, not_found, unauthorized
from spsetl.simulator.clock import Clock
from spsetl.simulator.documents import SESSIONS_PATH, href
from spsetl.simulator.faults import Fault, Faults
from spsetl.simulator.listing import join_items, links, read_fields, read_page
from spsetl.simulator.logins import AUTHENTICATION_PATH, Credentials, Logins
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.rendering import Renderer
from spsetl.simulator.search import Search, read_filter
from spsetl.simulator.snapshots import Holder, Snapshots
from spsetl.simulator.world import World

Params = Mapping[str, str]
# Called before each answer with the request's kind, path and parameters; may return a fault to answer with.
Hook = Callable[[str, str, Params], Fault | None]

INFO_PATH = "/api/info"
_KINDS = {
    AUTHENTICATION_PATH: "authentication",
    INFO_PATH: "info",
    SESSIONS_PATH: "list",
    f"{SESSIONS_PATH}/_snapshot": "snapshot",
    f"{SESSIONS_PATH}/_count": "count",
    f"{SESSIONS_PATH}/stats": "stats",
    f"{SESSIONS_PATH}/histogram": "histogram",
}
_DETAILS = ("channels", "events", "alerts")


@dataclass(frozen=True)
class Request:
    """A request as the appliance sees it; `key` is the session's, unquoted."""

    kind: str
    path: str
    params: Params
    headers: Mapping[bytes, bytes]
    key: str = ""
    address: str = ""
    certificate: str | None = None


def classify(path: str) -> tuple[str, str]:
    """The kind of a request and the session's key, from the path as it was sent: a quoted slash belongs to the key."""
    if path in _KINDS:
        return _KINDS[path], ""
    if path.startswith(configuration.CONFIGURATION_PATH):
        return "configuration", ""
    below, _, rest = path.partition(SESSIONS_PATH + "/")
    key, slash, detail = rest.partition("/")
    if below or not key or (slash and detail not in _DETAILS):
        return "unknown", ""
    return detail or "session", unquote(key)


@dataclass
class Appliance:
    """Answers requests about a world, as its quirks say."""

    world: World
    quirks: Quirks
    credentials: Credentials
    secure: bool = False
    clock: Clock = field(default_factory=Clock)
    requests: Counter[str] = field(default_factory=Counter)
    on_request: Hook | None = None

    def __post_init__(self) -> None:
        self.faults = Faults(self.quirks)
        self.logins = Logins(self.credentials, self.quirks, self.clock, self.secure)
        self.search = Search(self.world, self.quirks)
        self.renderer = Renderer(self.world, self.quirks)
        self.snapshots = Snapshots(self.search, self.quirks, self.clock)
        self._routes: dict[str, Callable[[Request], Answer]] = {
            "list": self.list_sessions,
            "session": self._session,
            "channels": self._channels,
            "events": self._records,
            "alerts": self._records,
            "snapshot": self._snapshot,
            "count": self._count,
            "stats": self._stats,
            "histogram": self._histogram,
            "configuration": self._configuration,
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
        found = self.search.sorted_matches(read_filter(params))
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

    def _channels(self, request: Request) -> Answer:
        session = self._found(request)
        path = f"{href(session.key)}/channels"
        items = [
            {
                "body": self.renderer.channel(channel["body"]),
                "key": channel["key"],
                "meta": {"href": f"{path}/{channel['key']}"},
            }
            for channel in self.world.channels(session.key)
        ]
        return self._detail_page(request, path, items)

    def _records(self, request: Request) -> Answer:
        key = self._found(request).key
        records = self.world.events(key) if request.kind == "events" else self.world.alerts(key)
        if request.kind == "events" and request.params.get("q"):
            records = statistics.passing_records(records, request.params["q"])
        return self._detail_page(request, f"{href(key)}/{request.kind}", [self.renderer.record(r) for r in records])

    def _detail_page(self, request: Request, path: str, items: list[dict[str, Any]]) -> Answer:
        limit = self.quirks.detail_limit
        page = read_page(request.params, limit=limit, last_offset=self.quirks.result_limit)
        meta: dict[str, Any] = {
            "href": path,
            "limit": page.limit,
            "offset": page.offset,
            "parent": path.rsplit("/", 1)[0],
            "remaining_seconds": self._remaining,
            **links(path, request.params, page, len(items)),
        }
        if request.kind != "events":
            meta["match_count"] = len(items)
        wrapper = self.quirks.channels_wrapper if request.kind == "channels" else "items"
        return as_json({wrapper: items[page.offset : page.offset + page.limit], "meta": meta})

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
        return as_json({"count": len(self.search.matches(read_filter(request.params)))})

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
        if not self.quirks.configuration_right:
            raise unauthorized(request.path)
        return as_json(configuration.options(request.path, self.quirks, self._remaining))

    def _found(self, request: Request) -> Any:
        try:
            return self.world.find(request.key)
        except KeyError:
            raise not_found(request.path) from None
