"""What this appliance can do and holds, asked and not assumed.

Sessions arrive, change and vanish meanwhile: a conclusion that one of these could spoil is drawn only while the session
that it rests on is seen to be still there.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import (
    COUNT_PATH,
    HISTOGRAM_PATH,
    INFO_PATH,
    PAGE_LIMIT,
    SNAPSHOT_PATH,
    ListQuery,
    SessionPage,
    decode_count,
    decode_histogram,
    decode_info,
    decode_list,
    decode_snapshot,
    decode_time,
    format_range,
    format_time,
    session_path,
)
from spsetl.errors import BadAnswerError, NotFoundError, QueryError, RateLimitError

Reading = Literal["literal", "overlap"]
BinSizeParameter = Literal["bin_size", "bin-size"]

# `*` is only what the appliance's own pages show: the others have to be named.
_ALL_FIELDS: Final = "*,revision,hidden,phantom"
_TIMES: Final = "start_time,end_time"
_FEW: Final = 10
_TRIES_FOR_VERSION: Final = 4
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)
# Half of it is a second: times in whole seconds leave a moment that is certainly within the session.
_LONG_ENOUGH: Final = timedelta(seconds=2)
_ELSEWHERE: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a sync must know beforehand.

    Attributes:
        firmware_version: As the appliance says it.
        has_snapshots: Whether it gives snapshots of the list; None if it was not asked.
        has_counts: Whether it counts sessions beyond `RESULT_CAP` (`/_count`).
        has_revision: Whether a list gives the revision when it is asked for by name; None while there is no session.
        has_date_ranges: Whether `q` understands a range of start_time; None if no session could tell.
        reading: What `start` and `end` mean to its list. `literal`: `start` keeps what started at or after it;
            `overlap`: what was alive then or later, too. None if no session could tell.
        bin_size_parameter: How its histogram spells the bin size; None if it has no histogram that says so.
        first_start: The earliest start_time that the user sees (UTC); None without a session, or if it cannot be read.
        last_start: The latest one, likewise.
        match_count: How many sessions the user sees, at most `RESULT_CAP`; None if the appliance does not say.
    """

    firmware_version: str
    has_snapshots: bool | None
    has_counts: bool
    has_revision: bool | None
    has_date_ranges: bool | None
    reading: Reading | None
    bin_size_parameter: BinSizeParameter | None
    first_start: datetime | None
    last_start: datetime | None
    match_count: int | None


@dataclass(frozen=True)
class _Listed:
    """A session of the list; `is_exact` if its start came with a fraction of a second."""

    key: str
    start: datetime
    end: datetime | None
    is_exact: bool

    @property
    def length(self) -> timedelta:
        """How long it was; nothing while it is active."""
        return self.end - self.start if self.end else timedelta(0)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last moment at which it may have started, both included."""
        return self.start, self.start if self.is_exact else self.start + _SECOND - _MILLISECOND


def probe(client: Client, *, open_snapshot: bool = True) -> Capabilities:
    """Ask an appliance what it can do and holds, in 6 to 9 requests; 2 more where sessions vanish or it is very old.

    Args:
        client: The appliance.
        open_snapshot: Whether to open a snapshot. Nothing else tells whether there are any: a page of one that is not
            there answers 404 in either case. It takes the appliance's only one for five minutes, which the same user,
            address and User-Agent get again. False: `has_snapshots` is None.

    Raises:
        BadAnswerError: An answer is not as documented, or the appliance does not sort by start_time, on which every
            window relies.
        SpsetlError: As `Client.get`.
    """
    version = fetch_version(client)
    last = _ask(client, ListQuery(fields=_ALL_FIELDS, sort="-start_time", limit=_FEW))
    first = _ask(client, ListQuery(fields=_TIMES, sort="start_time", limit=PAGE_LIMIT))
    oldest, newest = _listed(first.items), _listed(last.items)
    _check_sorted([one.start for one in oldest])
    _check_sorted([one.start for one in reversed(newest)])
    first_start, last_start = _first_start(first.items), _first_start(last.items)
    if first_start and last_start and first_start > last_start:
        first_start = last_start = None  # between the two answers everything that was there has gone
    reading, has_date_ranges = _probe_meaning(client, oldest)
    return Capabilities(
        firmware_version=version,
        has_counts=_has_counts(client),
        has_revision=_has_revision(last.items),
        has_date_ranges=has_date_ranges,
        reading=reading,
        bin_size_parameter=_probe_bin_size(client, min(last_start or datetime.now(UTC), datetime.now(UTC))),
        first_start=first_start,
        last_start=last_start,
        match_count=last.match_count,
        has_snapshots=_has_snapshots(client) if open_snapshot else None,  # the last: what fails before takes none
    )


def fetch_version(client: Client) -> str:
    """The firmware version.

    The info page answers those without a login, too, but does not tell them the version: a login that has just ended
    looks like that, and only another page says so.
    """
    for _ in range(_TRIES_FOR_VERSION - 1):
        with suppress(BadAnswerError):
            return decode_info(client.get(INFO_PATH, kind="info"))
        _ask(client, ListQuery(fields=_TIMES, limit=_FEW))
    return decode_info(client.get(INFO_PATH, kind="info"))


def _probe_meaning(client: Client, oldest: Sequence[_Listed]) -> tuple[Reading | None, bool | None]:
    """What `start` means, and whether `q` understands a range of start_time: by the longest of these sessions."""
    if not oldest:
        return None, None
    witness = max(oldest, key=lambda one: one.length)
    reading = _probe_reading(client, witness) if witness.length >= _LONG_ENOUGH else None
    around = _ask_range(client, *witness.span)
    is_there = any(item.get("key") == witness.key for item in around or () if isinstance(item, dict))
    if not is_there and (reading == "literal" or around == ()):
        is_there = _exists(client, witness)
    # It may not have been listed because it had gone.
    reading = None if reading == "literal" and not is_there else reading
    if around is None:
        return reading, False
    if not around:
        return reading, False if is_there else None
    return reading, _are_within(around, *witness.span) and _finds_none_elsewhere(client, oldest[0])


def _probe_reading(client: Client, witness: _Listed) -> Reading | None:
    """What `start` means, by a start amid this session; `literal` holds only if the session was there then."""
    middle = (witness.start + witness.length / 2).replace(microsecond=0)
    items = _ask(client, ListQuery(fields=_TIMES, start=middle, sort="start_time", limit=1)).items
    found = _listed(items)
    if not found:
        return None if items else "literal"
    if found[0].start >= middle:
        return "literal"
    # What ended before belongs to neither reading.
    return None if found[0].end and found[0].end < middle else "overlap"


def _finds_none_elsewhere(client: Client, first: _Listed) -> bool:
    """Whether the range right before the first session leaves that out; what arrived there meanwhile may come."""
    start, end = first.start - _ELSEWHERE, first.start - _MILLISECOND
    found = _ask_range(client, start, end)
    return found is not None and _are_within(found, start, end)


def _are_within(items: Sequence[Any], start: datetime, end: datetime) -> bool:
    """Whether a range found no session that does not belong to it."""
    found = _listed(items)
    return len(found) == len(items) and all(start <= one.start <= end for one in found)


def _ask_range(client: Client, start: datetime, end: datetime) -> tuple[Any, ...] | None:
    """What started from `start` to `end`, both included, by `q`; None if the appliance does not understand it."""
    try:
        return _ask(client, ListQuery(fields=_TIMES, q=format_range(start, end), sort="start_time")).items
    except QueryError:
        return None


def _exists(client: Client, session: _Listed) -> bool:
    try:
        client.get(session_path(session.key), kind="session")
    except NotFoundError:
        return False
    return True


def _has_counts(client: Client) -> bool:
    try:
        decode_count(client.get(COUNT_PATH, kind="count"))
    except NotFoundError:
        return False
    return True


def _has_snapshots(client: Client) -> bool:
    try:
        decode_snapshot(client.get(SNAPSHOT_PATH, kind="snapshot"))
    except NotFoundError:
        return False
    except RateLimitError:
        return True  # another program holds it
    return True


def _probe_bin_size(client: Client, moment: datetime) -> BinSizeParameter | None:
    """Which spelling the histogram understands: asked with both at once, its echo tells ("Session histogram")."""
    spellings: tuple[tuple[BinSizeParameter, str], ...] = (("bin_size", "day"), ("bin-size", "hour"))
    questions = (spellings, *((one,) for one in spellings))
    for question in questions:
        params = {"field": "protocol", "start": format_time(moment), "end": format_time(moment + _SECOND)}
        try:
            histogram = decode_histogram(client.get(HISTOGRAM_PATH, params | dict(question), kind="histogram"))
        except NotFoundError:
            return None
        except QueryError:
            continue  # one of them is refused: each by itself
        return next((spelling for spelling, size in question if histogram.bin_size == size), None)
    return None


def _ask(client: Client, query: ListQuery) -> SessionPage:
    return decode_list(client.get(query.path, query.params, kind="list"))


def _listed(items: Sequence[Any]) -> list[_Listed]:
    """The sessions whose key and start can be read, in their order."""
    found = []
    for item in items:
        body = _body(item)
        key, written = (item.get("key") if body else None), body.get("start_time")
        start = decode_time(written)
        if key and start is not None:
            is_exact = isinstance(written, str) and "." in written
            found.append(_Listed(str(key), start, decode_time(body.get("end_time")), is_exact))
    return found


def _body(item: Any) -> dict[str, Any]:
    body = item.get("body") if isinstance(item, dict) else None
    return body if isinstance(body, dict) else {}


def _first_start(items: Sequence[Any]) -> datetime | None:
    return decode_time(_body(items[0]).get("start_time")) if items else None


def _check_sorted(starts: Sequence[datetime]) -> None:
    if any(one > following for one, following in pairwise(starts)):
        raise BadAnswerError("the appliance does not sort sessions by start_time; without that no window is whole")


def _has_revision(items: Sequence[Any]) -> bool | None:
    return all(isinstance(_body(item).get("revision"), int) for item in items) if items else None
