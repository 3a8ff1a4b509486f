"""What to ask an appliance and how to read its answers; no I/O.

Each docstring names the page of the SPS REST API Reference Guide that it follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from spsetl.errors import BadAnswerError
from spsetl.schema import DETAIL_KINDS


def format_time(moment: datetime) -> str:
    """The moment in UTC, always with a time and an offset ("Searching in the session database").

    Milliseconds are cut, not rounded: an inclusive start that moved up would skip sessions.

    Raises:
        ValueError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def format_range(first: datetime, last: datetime | None) -> str:
    """The query for sessions that started from `first` to `last`, both included, or from `first` on."""
    return f"start_time:[{_quoted(first)} TO {_quoted(last) if last else '*'}]"


def _quoted(moment: datetime) -> str:
    return f'"{format_time(moment).replace("+00:00", "Z")}"'


def decode_time(value: object) -> datetime | None:
    """A time as the appliance writes it, in UTC; None if it is none.

    ISO 8601 with any offset, or none, which is UTC; or Unix seconds before 5 LTS ("Audited sessions", start_time).
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def seconds_ahead(date: str, ours: float) -> float | None:
    """Seconds that a clock which says this in an answer's `Date` is ahead of ours, to a second; None if it is no date.

    Args:
        date: Whole seconds, as every HTTP server writes it (RFC 9110, "Date").
        ours: Unix seconds at that moment.
    """
    try:
        ahead = parsedate_to_datetime(date).timestamp() + 0.5 - ours
    except (ValueError, OverflowError):
        return None
    return 0.0 if abs(ahead) < 1 else ahead


SESSIONS_PATH: Final = "/api/audit/sessions"
SNAPSHOT_PATH: Final = f"{SESSIONS_PATH}/_snapshot"
COUNT_PATH: Final = f"{SESSIONS_PATH}/_count"
STATS_PATH: Final = f"{SESSIONS_PATH}/stats"
HISTOGRAM_PATH: Final = f"{SESSIONS_PATH}/histogram"
INFO_PATH: Final = "/api/info"
AUTHENTICATION_PATH: Final = "/api/authentication"

# "Searching in the session database": a page holds at most 500 sessions, an answer is cut at 10000 in silence, and an
# offset above that is ignored, so that page one comes again.
PAGE_LIMIT: Final = 500
RESULT_CAP: Final = 10_000
_MOST_DIGITS: Final = 15
_LARGEST_COUNT: Final = 10**_MOST_DIGITS

TrailForm = Literal["zat", "srs"]
Params = dict[str, str | int]


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """One request for the list of sessions ("Audited sessions", "Searching in the session database").

    `start` is inclusive. There is no `end`: the guide contradicts itself about what it does.
    A page of a snapshot has no offset.
    """

    fields: str = "*,revision"
    start: datetime | None = None
    sort: str = "start_time"
    q: str | None = None
    offset: int = 0
    limit: int = PAGE_LIMIT
    snapshot: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.limit <= PAGE_LIMIT or not 0 <= self.offset <= RESULT_CAP or (self.snapshot and self.offset):
            raise ValueError("a page that the appliance would not give: it would answer another one instead")

    @property
    def path(self) -> str:
        """Where the list is."""
        return SESSIONS_PATH

    @property
    def params(self) -> Params:
        """The query's parameters, not yet encoded."""
        params: dict[str, str | int | None] = {
            "fields": self.fields,
            "sort": self.sort,
            "limit": self.limit,
            "offset": None if self.snapshot else self.offset,
            "start": format_time(self.start) if self.start else None,
            "q": self.q,
            "snapshot": self.snapshot,
        }
        return {name: value for name, value in params.items() if value is not None}


@dataclass(frozen=True)
class SessionPage:
    """One page of the list. Items are as they came, readable or not.

    `match_count` stops at `RESULT_CAP`; a snapshot's pages have none. `next` is a link, or None on the last page.
    """

    items: tuple[Any, ...]
    match_count: int | None
    offset: int | None
    limit: int | None
    next: str | None


@dataclass(frozen=True)
class DetailPage:
    """One page of a session's channels, events or alerts. Items are as they came, readable or not.

    `tells_next`: whether it has a `next`, and be it null.
    """

    items: tuple[Any, ...]
    match_count: int | None
    limit: int | None
    next: str | None
    tells_next: bool


@dataclass(frozen=True)
class Bin:
    """One bin of a histogram: sessions that started in it, and sessions alive at some moment of it."""

    start: datetime
    start_count: int
    active_count: int


@dataclass(frozen=True)
class Histogram:
    """A histogram's bins, and the bin size that the appliance says it used."""

    bins: tuple[Bin, ...]
    bin_size: str | None


def session_path(key: str) -> str:
    """The path of one session ("Audited sessions"); the key is quoted whole, with its slashes.

    Raises:
        BadAnswerError: The key is empty or would lead to another page.
    """
    if not key or key in {".", ".."}:
        raise _undocumented("a session", "no key that a path can be made of")
    return f"{SESSIONS_PATH}/{quote(key, safe='')}"


def detail_path(key: str, kind: str) -> str:
    """The path of one kind of details of a session ("Audited sessions", "Session events", "Session alerts").

    Raises:
        BadAnswerError: The key is empty or would lead to another page.
    """
    return f"{session_path(key)}/{DETAIL_KINDS[kind].path}"


def trail_path(key: str) -> str:
    """The path of a session's recording ("Download audit trails").

    Raises:
        BadAnswerError: The key is empty or would lead to another page.
    """
    return f"{session_path(key)}/audit_trail"


def decode_list(answer: Any) -> SessionPage:
    """A page of sessions ("Searching in the session database", the elements of items and meta).

    Raises:
        BadAnswerError: It has another shape.
    """
    what = "the list of sessions"
    meta = _member(answer, "meta", dict, what)
    items = _member(answer, "items", list, what)
    if len(items) > RESULT_CAP:
        raise _undocumented(what, f"a page of more than {RESULT_CAP} sessions")
    return SessionPage(
        items=tuple(items),
        match_count=_number(meta, "match_count", what),
        offset=_number(meta, "offset", what),
        limit=_number(meta, "limit", what),
        next=_link(meta, what),
    )


def check_session(answer: Any, key: str) -> None:
    """See that it is the answer of this session ("Audited sessions").

    Raises:
        BadAnswerError: It has another shape, or is another session.
    """
    what = "a session"
    _member(answer, "body", dict, what)
    if answer.get("key", key) != key:
        raise _undocumented(what, "not the key that was asked for")


def decode_details(answer: Any, kind: str) -> DetailPage:
    """A page of a session's details; the guide's examples of channels call their items `channels`.

    Raises:
        BadAnswerError: It has another shape.
    """
    what = f"the list of {kind}"
    name = kind if isinstance(answer, dict) and "items" not in answer and kind in answer else "items"
    items = _member(answer, name, list, what)
    meta = _member(answer, "meta", dict, what) if "meta" in answer else {}
    return DetailPage(
        items=tuple(items),
        match_count=_number(meta, "match_count", what),
        limit=_number(meta, "limit", what),
        next=_link(meta, what),
        tells_next="next" in meta,
    )


def decode_histogram(answer: Any) -> Histogram:
    """A histogram's bins, in the order they came ("Session histogram").

    Raises:
        BadAnswerError: It has another shape.
    """
    what = "the histogram"
    buckets = _member(_member(answer, "body", dict, what), "buckets", list, what)
    bin_size = answer["meta"].get("bin_size") if isinstance(answer.get("meta"), dict) else None
    return Histogram(tuple(_decode_bin(bucket, what) for bucket in buckets), bin_size)


def _decode_bin(bucket: Any, what: str) -> Bin:
    start = decode_time(_member(bucket, "id", str, what))
    started, active = _number(bucket, "start_count", what), _number(bucket, "active_count", what)
    if start is None or started is None or active is None:
        raise _undocumented(what, "a bin without a time or a count")
    return Bin(start, started, active)


def decode_stats(answer: Any) -> dict[str, int]:
    """Sessions by value of a field ("Session statistics"), without sub-fields.

    Raises:
        BadAnswerError: It has another shape.
    """
    what = "the statistics"
    rows = _member(answer, "items", list, what)
    if not all(isinstance(row, dict) for row in rows):
        raise _undocumented(what, "a row that is no object")
    return {str(row.get("value")): _number(row, "count", what) or 0 for row in rows}


def decode_info(answer: Any) -> str:
    """The firmware version ("Retrieve basic firmware and host information").

    Raises:
        BadAnswerError: It has another shape.
    """
    return str(_member(_member(answer, "body", dict, "the info page"), "firmware_version", str, "the info page"))


def decode_snapshot(answer: Any) -> str:
    """The ID of a snapshot of the list (as the vendor's Power BI connector reads it).

    Raises:
        BadAnswerError: It has another shape.
    """
    return str(_member(_member(answer, "body", dict, "the snapshot"), "snapshot", str, "the snapshot"))


def decode_count(answer: Any) -> int:
    """The number of sessions of a query, not cut (as the vendor's Power BI connector reads it).

    Raises:
        BadAnswerError: It has another shape.
    """
    what = "the count of sessions"
    count = _number(answer, "count", what) if isinstance(answer, dict) else None
    if count is None:
        raise _undocumented(what, "no count")
    return count


def local_path(link: str, url: str) -> str:
    """The path and query of a link to the appliance at `url`.

    Raises:
        BadAnswerError: It leads to another host, where the login must not be sent.
    """
    path = link.removeprefix(url)
    if not path.startswith("/api/") or not path.isprintable():
        raise _undocumented("a link", f"an address outside of {urlsplit(url).netloc}/api")
    return path


def _member(answer: Any, name: str, kind: type, what: str) -> Any:
    """A member of a JSON object, of that type."""
    if not isinstance(answer, dict):
        raise _undocumented(what, "no JSON object")
    value = answer.get(name)
    if not isinstance(value, kind):
        raise _undocumented(what, f"no {name}")
    return value


def _number(members: Mapping[str, Any], name: str, what: str) -> int | None:
    """A whole number that is not negative, perhaps as text; None if it is absent or null."""
    value = members.get(name)
    if isinstance(value, str):
        value = decode_whole(value)
    elif value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT:
        return value
    raise _undocumented(what, f"a {name} that is no number")


def decode_whole(text: str) -> int | None:
    """A whole number that is written out; None where it is none, or longer than any that counts something."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _link(meta: Mapping[str, Any], what: str) -> str | None:
    link = meta.get("next")
    if link is None or isinstance(link, str):
        return link or None
    raise _undocumented(what, "a next that is no link")


def _undocumented(what: str, found: str) -> BadAnswerError:
    return BadAnswerError(f"{what} is not as documented: {found}; is this an SPS appliance, and of which firmware?")
