"""The list of sessions, page by page, and a session's lists of channels, events, alerts and other details."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from spsetl.simulator.answers import ApiError, invalid_value
from spsetl.simulator.documents import SESSIONS_PATH

_SAFE = "*,"


class Page(NamedTuple):
    """Where a page begins and how long it may be."""

    offset: int
    limit: int


def read_page(params: Mapping[str, str], *, limit: int, last_offset: int | None) -> Page:
    """The page that a request asks for: `limit` is cut to the most allowed, an `offset` above the last is ignored.

    Raises:
        ApiError: 400, a number does not parse.
    """
    wanted = read_whole(params, "limit", limit)
    offset = read_whole(params, "offset", 0)
    return Page(offset if last_offset is None or offset <= last_offset else 0, min(wanted, limit))


def read_whole(params: Mapping[str, str], name: str, default: int) -> int:
    """A parameter that is a whole number.

    Raises:
        ApiError: 400, it is none.
    """
    text = params.get(name) or str(default)
    if not text.isascii() or not text.isdigit():
        raise invalid_value(name, text)
    return int(text)


def read_fields(params: Mapping[str, str]) -> tuple[str, ...]:
    """The fields that a request asks for; nothing by default."""
    if params.get("format", "json") != "json":
        raise ApiError(400, "InvalidQueryValue", "Only JSON is available.", {"parameter": "format"})
    return tuple(name.strip() for name in params.get("fields", "").split(",") if name.strip())


def links(path: str, params: Mapping[str, str], page: Page, total: int) -> dict[str, Any]:
    """first, last, next and previous, relative to the site; `total` is what may be walked."""
    last = max(0, (total - 1) // page.limit * page.limit) if page.limit else 0
    before, after = page.offset - page.limit, page.offset + page.limit
    return {
        "first": _link(path, params, page.limit, 0),
        "last": _link(path, params, page.limit, last),
        "next": _link(path, params, page.limit, after) if page.limit and after < total else None,
        "previous": _link(path, params, page.limit, max(0, before)) if page.offset else None,
    }


def _link(path: str, params: Mapping[str, str], limit: int, offset: int) -> str:
    others = {name: value for name, value in params.items() if name not in {"limit", "offset"}}
    if path == SESSIONS_PATH:
        others = {"fields": params.get("fields", ""), **others}
    rest = "".join(f"&{name}={quote(value, safe=_SAFE)}" for name, value in others.items())
    return f"{path}?limit={limit}&offset={offset}{rest}"


def join_items(pieces: Sequence[bytes], meta: Mapping[str, Any]) -> bytes:
    """An answer of items that are JSON already."""
    return b"".join((b'{"items":[', *pieces, b'],"meta":', orjson.dumps(meta), b"}"))
