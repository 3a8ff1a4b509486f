"""What clients send and what the simulated appliance answers: requests, their pages, answers and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

import orjson

Params = Mapping[str, str]

AUTHENTICATION_PATH: Final = "/api/authentication"
CONFIGURATION_PATH: Final = "/api/configuration/"
INFO_PATH: Final = "/api/info"
SESSIONS_PATH: Final = "/api/audit/sessions"
DETAILS: Final = ("channels", "events", "alerts", "trail_downloads", "indexing")
TRAIL: Final = "audit_trail"
_JSON_TYPE = "application/json"
_HTML_TYPE = "text/html; charset=utf-8"
_KINDS: Final = {
    AUTHENTICATION_PATH: "authentication",
    INFO_PATH: "info",
    SESSIONS_PATH: "list",
    f"{SESSIONS_PATH}/_snapshot": "snapshot",
    f"{SESSIONS_PATH}/_count": "count",
    f"{SESSIONS_PATH}/stats": "stats",
    f"{SESSIONS_PATH}/histogram": "histogram",
}


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
    if path.startswith(CONFIGURATION_PATH):
        return "configuration", ""
    below, _, rest = path.partition(SESSIONS_PATH + "/")
    key, slash, detail = rest.partition("/")
    if below or not key or (slash and detail not in (*DETAILS, TRAIL)):
        return "unknown", ""
    return detail or "session", unquote(key)


class Asking(NamedTuple):
    """Details that are asked for from their beginning: of which kind, of which session, at which revision of it."""

    kind: str
    key: str
    revision: int


@dataclass(frozen=True)
class Answer:
    """One answer, ready to be sent; `asking` is what it answers, if it is about details.

    Without `has_length` it comes in chunks.
    """

    body: bytes
    status: int = 200
    content_type: str = _JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    asking: Asking | None = None
    has_length: bool = True


@dataclass(eq=False)
class ApiError(Exception):
    """An error as the appliance words it ("Application level error codes").

    Whatever reads a request may raise it, with a status of 400 or above; the appliance answers with it.
    """

    status: int
    type: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def answer(self) -> Answer:
        """`{"error": {"type", "message", "details"}}` with the error's status."""
        error = {"type": self.type, "message": self.message, "details": self.details}
        return Answer(orjson.dumps({"error": error}), self.status, headers=self.headers)


def invalid_value(name: str, value: object) -> ApiError:
    """400: a parameter's value does not parse."""
    return ApiError(400, "InvalidQueryValue", "The query is invalid.", {"parameter": name, "value": str(value)})


def not_found(path: str) -> ApiError:
    """404."""
    return ApiError(404, "NotFound", "The requested object does not exist.", {"resource": path})


def unauthorized(path: str) -> ApiError:
    """403: the user lacks a right."""
    return ApiError(403, "Unauthorized", "You are not authorized to access this resource.", {"resource": path})


def unauthenticated(path: str) -> ApiError:
    """401: no login, or it has ended."""
    return ApiError(401, "Unauthenticated", "Authentication is required.", {"resource": path})


def as_json(value: Any, asking: Asking | None = None) -> Answer:
    """A value as a JSON answer."""
    return Answer(orjson.dumps(value), asking=asking)


def as_items(pieces: Sequence[bytes], meta: Mapping[str, Any]) -> Answer:
    """A list of items that are JSON already."""
    return Answer(b"".join((b'{"items":[', *pieces, b'],"meta":', orjson.dumps(meta), b"}")))


def as_html(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """The page that a proxy before the appliance shows."""
    title = {200: "Please sign in", 502: "502 Bad Gateway", 503: "503 Service Unavailable"}[status]
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(page.encode(), status, _HTML_TYPE, headers)


class Page(NamedTuple):
    """Where a page begins and how long it may be."""

    offset: int
    limit: int


def read_page(params: Params, *, limit: int, last_offset: int | None) -> Page:
    """The page that a request asks for: `limit` is cut to the most allowed, an `offset` above the last is ignored."""
    wanted, offset = read_whole(params, "limit", limit), read_whole(params, "offset", 0)
    return Page(offset if last_offset is None or offset <= last_offset else 0, min(wanted, limit))


def read_whole(params: Params, name: str, default: int, least: int = 0) -> int:
    """A parameter that is a whole number."""
    text = params.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise invalid_value(name, text)
    return int(text)


def read_fields(params: Params) -> tuple[str, ...]:
    """The fields that a request asks for; nothing by default."""
    if params.get("format", "json") != "json":
        raise ApiError(400, "InvalidQueryValue", "Only JSON is available.", {"parameter": "format"})
    return tuple(name.strip() for name in params.get("fields", "").split(",") if name.strip())


def links(path: str, params: Params, page: Page, total: int) -> dict[str, Any]:
    """first, last, next and previous, relative to the site; `total` is what may be walked."""
    others = {name: value for name, value in params.items() if name not in {"limit", "offset"}}
    if path == SESSIONS_PATH:
        others = {"fields": "", **others}

    def link(offset: int) -> str:
        return f"{path}?{query_of({'limit': page.limit, 'offset': offset, **others})}"

    after = page.offset + page.limit
    return {
        "first": link(0),
        "last": link(max(0, (total - 1) // page.limit * page.limit) if page.limit else 0),
        "next": link(after) if page.limit and after < total else None,
        "previous": link(max(0, page.offset - page.limit)) if page.offset else None,
    }


def query_of(params: Mapping[str, object]) -> str:
    """Parameters as a link has them."""
    return "&".join(f"{name}={quote(str(value), safe='*,')}" for name, value in params.items())
