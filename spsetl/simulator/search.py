"""Which sessions a request means, and in which order."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from spsetl.simulator.answers import ApiError, invalid_value
from spsetl.simulator.dice import Dice
from spsetl.simulator.documents import INDEX_STATUS
from spsetl.simulator.fields import DATES, canonical, is_known, is_number, value_at
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.sessions import Session
from spsetl.simulator.times import ParsedTime, parse_time
from spsetl.simulator.world import World

Reading = Literal["literal", "overlap"]

_KEPT_RESULTS = 8
_DIRECT = {"revision", "hidden", "phantom"}
_KEY = "key"


class Filter(NamedTuple):
    """What narrows a request down, and the order; `sort` as the parameter has it."""

    q: str = ""
    start: ParsedTime | None = None
    end: ParsedTime | None = None
    sort: str = ""


def read_filter(params: Mapping[str, str]) -> Filter:
    """The filter of a request.

    Raises:
        ApiError: 400, a time does not parse, or `content` is asked for, which this appliance lacks.
    """
    if params.get("content"):
        raise ApiError(400, "InvalidQuery", "Searching in the content is not available.", {"parameter": "content"})
    start, end = (_read_time(params, name) for name in ("start", "end"))
    return Filter(params.get("q", ""), start, end, params.get("sort", ""))


def _read_time(params: Mapping[str, str], name: str) -> ParsedTime | None:
    text = params.get(name)
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise invalid_value(name, text) from error


class Search:
    """Finds sessions of a world; keeps the last results until the world changes."""

    def __init__(self, world: World, quirks: Quirks) -> None:
        self.world, self._quirks = world, quirks
        self._results: OrderedDict[tuple[Any, ...], list[Session]] = OrderedDict()
        self._columns: dict[str, dict[int, tuple[int, Any]]] = {}
        self._shuffles = 0

    def everything(self) -> list[Session]:
        """All visible sessions by start_time, as they are now, whatever happens to them later."""
        return list(self.world.by_start())

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

    def _passing(self, q: str, sessions: list[Session]) -> list[Session]:
        """Those of the sessions by start_time that pass an expression."""
        from spsetl.simulator.query import read_query  # noqa: PLC0415 - luqum is slow to import and seldom needed

        quirks = self._quirks
        query = read_query(
            q,
            now=self.world.now_ms,
            date_ranges=quirks.date_ranges,
            bare_star=quirks.bare_star,
            matching_all=quirks.matching_all,
            bare_not=quirks.bare_not,
        )
        first, last = query.starts
        sessions = sessions[bisect_left(sessions, first, key=_start) : bisect_right(sessions, last, key=_start)]
        passes = query.rest
        return sessions if passes is None else [s for s in sessions if passes(partial(self.value, s))]

    def _read(self, session: Session, field: str) -> Any:
        if field == _KEY:
            return session.key
        displayed = self.world.displayed(session)
        if field in _DIRECT:
            return getattr(displayed, field)
        document = displayed.document
        value = document if field == "*" else value_at(document, field)
        if field == "recording.index_status" and isinstance(value, int):
            return INDEX_STATUS[value]
        if field == "origin" and value == "RECORDING" and self._quirks.naming == "psm":
            return "PSM"
        return value

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
        values = [value] if not isinstance(value, list) else value
        read: Callable[[Any], Any] = str
        if is_number(field):
            read = float
        elif field in DATES:
            read = _moment
        present = [read(one) for one in values if one is not None]
        return pick(present) if present else None


def _start(session: Session) -> int:
    return session.start


def _moment(value: Any) -> int:
    return parse_time(str(value)).ms
