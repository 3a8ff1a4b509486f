"""Which sessions a request means, and in which order: of the world as it is now, or of the one snapshot."""

import secrets
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from spsetl.simulator.documents import DATES, INDEX_STATUS, canonical, is_known, is_number, value_at
from spsetl.simulator.messages import (
    SESSIONS_PATH,
    ApiError,
    Params,
    invalid_value,
    not_found,
    query_of,
    read_page,
    read_whole,
)
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.sessions import Session
from spsetl.simulator.spec import Dice
from spsetl.simulator.times import Clock, ParsedTime, moment_of, parse_time
from spsetl.simulator.world import World

Reading = Literal["literal", "overlap"]
# (user, address, User-Agent): who holds a snapshot.
Holder = tuple[str, str, str]

_KEPT_RESULTS = 8
_DIRECT = {"revision", "hidden", "phantom"}
_SNAPSHOT_PATH: Final = f"{SESSIONS_PATH}/_snapshot"
_start: Final = attrgetter("start")


class Filter(NamedTuple):
    """What narrows a request down, and the order; `sort` as the parameter has it."""

    q: str = ""
    start: ParsedTime | None = None
    end: ParsedTime | None = None
    sort: str = ""


def read_filter(params: Params) -> Filter:
    """The filter of a request; `content` is what this appliance lacks."""
    if params.get("content"):
        raise ApiError(400, "InvalidQuery", "Searching in the content is not available.", {"parameter": "content"})
    start, end = (_read_time(params, name) for name in ("start", "end"))
    return Filter(params.get("q", ""), start, end, params.get("sort", ""))


def _read_time(params: Params, name: str) -> ParsedTime | None:
    text = params.get(name)
    try:
        return parse_time(text) if text else None
    except ValueError as error:
        raise invalid_value(name, text) from error


class Search:
    """Finds sessions of a world; keeps the last results until the world changes."""

    def __init__(self, world: World, quirks: Quirks) -> None:
        self.world, self._quirks = world, quirks
        self._results: OrderedDict[tuple[Any, ...], list[Session]] = OrderedDict()
        self._columns: dict[str, dict[int, tuple[int, Any]]] = {}
        self._shuffles = 0

    def listed(self, found: list[Session]) -> list[Session]:
        """Those that a list shows: all, but where the newest are left out."""
        if not self._quirks.unlisted_newest:
            return found
        left_out = {session.key for session in self.world.by_start()[-self._quirks.unlisted_newest :]}
        return [session for session in found if session.key not in left_out]

    def sorted_matches(self, wanted: Filter, *, among: list[Session] | None = None) -> list[Session]:
        """The sessions that pass, in the order asked for; by default the latest start first.

        `among` is a list by start_time to look in, in place of the world as it is now.
        """
        if self._quirks.ties == "unstable":
            self._shuffles += 1
        sort = wanted.sort or "-start_time"
        if among is not None:
            return self._sort(self._narrow(among, wanted, self._quirks.reading), sort)
        mark = (self.world.changes, self._shuffles, wanted)
        if mark not in self._results:
            self._results[mark] = self._sort(self.matches(wanted), sort)
            if len(self._results) > _KEPT_RESULTS:
                self._results.popitem(last=False)
        return self._results[mark]

    def matches(self, wanted: Filter, reading: Reading | Literal[""] = "") -> list[Session]:
        """The sessions that pass, by start_time."""
        return self._narrow(self.world.by_start(), wanted, reading or self._quirks.reading)

    def value(self, session: Session, field: str) -> Any:
        """The value of a field, `*` being the whole of what a list displays; an index status by its name."""
        column = self._columns.setdefault(field, {})
        known = column.get(session.number)
        if known is not None and known[0] == session.version:
            return known[1]
        value = self._read(session, field)
        if field != "*":
            column[session.number] = session.version, value
        return value

    def _narrow(self, found: list[Session], wanted: Filter, reading: Reading) -> list[Session]:
        start, end = wanted.start, wanted.end
        if reading == "literal":
            found = found[bisect_left(found, start.ms, key=_start) :] if start else found
            if end:
                found = [s for s in found if s.passed & 1 and s.milestones[0] < end.end_ms]
        else:
            found = found[: bisect_left(found, end.end_ms, key=_start)] if end else found
            if start:
                found = [s for s in found if not s.passed & 1 or s.milestones[0] >= start.ms]
        return self._passing(wanted.q, found) if wanted.q else found

    def _passing(self, q: str, sessions: list[Session]) -> list[Session]:
        """Those of the sessions by start_time that pass an expression."""
        from spsetl.simulator.query import read_query  # noqa: PLC0415 - luqum is slow to import and seldom needed

        first, last, passes = read_query(q, self._quirks, now=self.world.now_ms)
        sessions = sessions[bisect_left(sessions, first, key=_start) : bisect_right(sessions, last, key=_start)]
        return sessions if passes is None else [s for s in sessions if passes(partial(self.value, s))]

    def _read(self, session: Session, field: str) -> Any:
        if field == "key":
            return session.key
        displayed = self.world.displays.of(session)
        if field in _DIRECT:
            return getattr(displayed, field)
        document = displayed.document
        value = document if field == "*" else value_at(document, field)
        if field == "recording.index_status" and isinstance(value, int):
            return INDEX_STATUS[value]
        return "PSM" if (field, value, self._quirks.naming) == ("origin", "RECORDING", "psm") else value

    def _sort(self, sessions: list[Session], sort: str) -> list[Session]:
        if self._quirks.ties == "unstable":
            dice = Dice(self._quirks.fault_seed, "ties", self._shuffles)
            sessions = sorted(sessions, key=lambda _: dice.draw())
        for part in reversed(sort.split(",")):
            field = canonical(part.strip().removeprefix("-"))
            if not is_known(field):
                raise invalid_value("sort", part)
            sessions = self._sorted_by(sessions, field, descending=part.strip().startswith("-"))
        return sessions

    def _sorted_by(self, sessions: list[Session], field: str, *, descending: bool) -> list[Session]:
        """Stable, sessions without a value last whatever the direction, as search engines do."""
        if field == "start_time":
            return sorted(sessions, key=_start, reverse=descending)
        read = partial(self._sort_value, field=field, pick=max if descending else min)
        values = {session.number: read(session) for session in sessions}
        present = [session for session in sessions if values[session.number] is not None]
        absent = [session for session in sessions if values[session.number] is None]
        return sorted(present, key=lambda session: values[session.number], reverse=descending) + absent

    def _sort_value(self, session: Session, *, field: str, pick: Callable[..., Any]) -> Any:
        value = self.value(session, field)
        read: Callable[[Any], Any] = float if is_number(field) else moment_of if field in DATES else str
        present = [read(one) for one in (value if isinstance(value, list) else [value]) if one is not None]
        return pick(present) if present else None


class Snapshots:
    """The one snapshot of the list that may live at a time: walked by `next`, dead after a time without a query."""

    def __init__(self, search: Search, quirks: Quirks, clock: Clock) -> None:
        self._search, self._quirks, self._clock = search, quirks, clock
        self._id = ""
        self._holder: Holder | None = None
        self._last_query = 0.0
        self._frozen: list[Session] = []
        self._results: dict[Filter, list[Session]] = {}
        self._pages = 0

    def open(self, holder: Holder) -> str:
        """The ID of a snapshot of now, or of the holder's one that is still alive; 429 while another holds one."""
        if not self._is_alive():
            self._id, self._holder = secrets.token_hex(16), holder
            self._frozen = self._search.listed(self._search.world.by_start())
            self._results, self._pages = {}, 0
        elif holder != self._holder:
            raise ApiError(429, "TooManySnapshots", "The snapshot quota is exceeded.", {"resource": _SNAPSHOT_PATH})
        self._last_query = self._clock.now()
        return self._id

    def drop(self) -> None:
        """Lets the snapshot die."""
        self._id = ""

    def page(self, params: Params) -> tuple[list[Session], dict[str, Any]]:
        """One page of a snapshot and its links, without match_count and offset; 404 if it has gone."""
        if not self._is_alive() or self._id != params["snapshot"]:
            raise not_found(SESSIONS_PATH)
        self._last_query = self._clock.now()
        wanted = read_filter(params)
        if wanted not in self._results:
            self._results[wanted] = self._search.sorted_matches(wanted, among=self._frozen)
        found = self._results[wanted]
        limit = read_page(params, limit=self._quirks.page_limit, last_offset=0).limit
        first = read_whole(params, "after", 0)
        page = found[first : first + self._page_size(limit)]
        after = first + len(page)
        is_last = after >= len(found) and not (self._quirks.snapshot_empty_last_page and page)
        following = None if is_last or not limit else _link(params, after)
        return page, {"limit": limit, "last": None, "previous": None, "first": _link(params, 0), "next": following}

    def _page_size(self, limit: int) -> int:
        self._pages += 1
        if not self._quirks.snapshot_short_pages or limit < 2:  # noqa: PLR2004 - one cannot be cut short
            return limit
        return Dice(self._quirks.fault_seed, "page", self._pages).between(1, limit)

    def _is_alive(self) -> bool:
        if self._clock.now() - self._last_query >= self._quirks.snapshot_seconds:
            self._id = ""
        return bool(self._id)


def _link(params: Params, after: int) -> str:
    others = {name: value for name, value in params.items() if name not in {"offset", "after"}}
    return f"{SESSIONS_PATH}?{query_of({**others, 'after': after})}"
