"""Snapshots of the list: one at a time, walked by `next`, dead after five minutes without a query."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from spsetl.simulator.answers import ApiError, not_found
from spsetl.simulator.clock import Clock
from spsetl.simulator.dice import Dice
from spsetl.simulator.documents import SESSIONS_PATH
from spsetl.simulator.listing import read_page, read_whole
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.search import Filter, Search, read_filter
from spsetl.simulator.sessions import Session

SNAPSHOT_PATH = f"{SESSIONS_PATH}/_snapshot"
# (user, address, User-Agent): who holds a snapshot.
Holder = tuple[str, str, str]


@dataclass
class _Snapshot:
    id: str
    holder: Holder
    last_query: float
    results: dict[Filter, list[Session]] = field(default_factory=dict)
    pages: int = 0


class Snapshots:
    """Holds the one snapshot that may live at a time."""

    def __init__(self, search: Search, quirks: Quirks, clock: Clock) -> None:
        self._search, self._quirks, self._clock = search, quirks, clock
        self._live: _Snapshot | None = None
        self._frozen: list[Session] = []

    def open(self, holder: Holder) -> str:
        """The ID of a snapshot of now, or of the holder's one that is still alive.

        Raises:
            ApiError: 429, another user, address or User-Agent holds one.
        """
        live = self._alive()
        if live is not None and live.holder != holder:
            raise ApiError(429, "TooManySnapshots", "The snapshot quota is exceeded.", {"resource": SNAPSHOT_PATH})
        if live is None:
            live = self._live = _Snapshot(secrets.token_hex(16), holder, self._clock.now())
            self._frozen = self._search.listed(self._search.everything())
        live.last_query = self._clock.now()
        return live.id

    def drop(self) -> None:
        """Lets the snapshot die."""
        self._live = None

    def page(self, params: Mapping[str, str]) -> tuple[list[Session], dict[str, Any]]:
        """One page of a snapshot and its links: no match_count, no offset.

        Raises:
            ApiError: 404, the snapshot has gone.
        """
        live = self._alive()
        if live is None or live.id != params["snapshot"]:
            raise not_found(SESSIONS_PATH)
        live.last_query = self._clock.now()
        wanted = read_filter(params)
        if wanted not in live.results:
            live.results[wanted] = self._search.sorted_matches(wanted, among=self._frozen)
        return self._cut(live, live.results[wanted], params)

    def _cut(
        self, live: _Snapshot, found: list[Session], params: Mapping[str, str]
    ) -> tuple[list[Session], dict[str, Any]]:
        limit = read_page(params, limit=self._quirks.page_limit, last_offset=0).limit
        first = read_whole(params, "after", 0)
        size = self._page_size(live, limit)
        page = found[first : first + size]
        after = first + len(page)
        is_last = after >= len(found) and not (self._quirks.snapshot_empty_last_page and page)
        links = {"first": _link(params, 0), "next": None if is_last or not limit else _link(params, after)}
        return page, {"limit": limit, "last": None, "previous": None, **links}

    def _page_size(self, live: _Snapshot, limit: int) -> int:
        live.pages += 1
        if not self._quirks.snapshot_short_pages or limit < 2:  # noqa: PLR2004 - one cannot be cut short
            return limit
        return Dice(self._quirks.fault_seed, "page", live.pages).between(1, limit)

    def _alive(self) -> _Snapshot | None:
        live = self._live
        if live is not None and self._clock.now() - live.last_query >= self._quirks.snapshot_seconds:
            self._live = None
        return self._live


def _link(params: Mapping[str, str], after: int) -> str:
    others = {name: value for name, value in params.items() if name not in {"offset", "after"}}
    query = "&".join(f"{name}={quote(value, safe='*,')}" for name, value in {**others, "after": str(after)}.items())
    return f"{SESSIONS_PATH}?{query}"
