"""Walking one window of start_time through the list, so that nothing is lost and nothing comes twice.

The list (SPS REST API Reference Guide, "Audited sessions") is asked with `start` alone, sorted by start_time ascending.
That is right under both readings of `start` and `end`: every session that started at or after `start` is there. Under
the one that means overlap, sessions that started earlier come first, and are dropped.

Results stop at 10000, and rows move while sessions arrive and are cleaned up. So the walk goes in segments: a segment
begins at a start_time (its anchor), pages by offset, and ends well below 10000; the next one begins at the last
start_time seen, inclusive, and drops the keys it has. Each page begins with the last row of the page before: if another
row stands there, the list has shifted, and the segment ends. A page that ends amid equal start_times ends it too, since
nothing says how the appliance orders those.

Where a segment cannot get past its anchor, its sessions are told apart by another field, see `split`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from spsetl.appliance.protocol import PAGE_LIMIT, RESULT_CAP, ListQuery, SessionPage, decode_list
from spsetl.errors import BadAnswerError, QueryError, ShiftingListError, UnsplittableError
from spsetl.extract import split
from spsetl.extract.listed import Asks, key_of, mark_of, start_of
from spsetl.window import Window

# `*` is only what the appliance's own pages show: the others have to be named.
LIST_FIELDS: Final = "*,revision,hidden,phantom"
MOST_SHIFTS: Final = 50
MOST_SHIFTS_WITHOUT_PROGRESS: Final = 3


@dataclass
class Tally:
    """What a walk took: requests, rows received (repeated and foreign ones too), and distinct sessions given on."""

    requests: int = 0
    rows_received: int = 0
    distinct_keys: int = 0
    shifts: int = 0


@dataclass
class _Segment:
    """One run of pages from an anchor. `seen` are the keys at the anchor that were given on before."""

    anchor: datetime
    query: str | None
    seen: set[str]
    last_time: datetime | None = None
    keys_at_last: set[str] = field(default_factory=set)
    values: dict[str, Any] = field(default_factory=split.new_values)
    is_past_window: bool = False
    has_ended: bool = False
    has_shifted: bool = False
    ends_in_tie: bool = False

    @property
    def has_progressed(self) -> bool:
        return self.last_time is not None and self.last_time > self.anchor


def walk_window(client: Asks, window: Window, tally: Tally, *, fields: str = LIST_FIELDS) -> Iterator[list[Any]]:
    """Give every session that started in the window once, in batches of at most a page, as the list gives them.

    Args:
        client: The appliance.
        window: Which start_times.
        tally: Is filled meanwhile.
        fields: What is asked of each session: `start_time` and `split.SPLIT_FIELDS` must be among it.

    Raises:
        UnsplittableError: More than 10000 sessions with one start_time, and no field tells them apart.
        ShiftingListError: The list changes faster than it can be read.
        BadAnswerError: The list is not in order, or not as announced.
    """
    yield from _Walker(client, window, tally, fields).walk(window.start, None, split.SPLIT_FIELDS)


class _Walker:
    def __init__(self, client: Asks, window: Window, tally: Tally, asked_fields: str) -> None:
        self.client = client
        self.asked_fields = asked_fields
        self.window = window
        self.tally = tally
        self.split_seen: set[str] = set()
        self.everything: str | None = None

    def walk(self, anchor: datetime, query: str | None, fields: Sequence[str], rests: int = 0) -> Iterator[list[Any]]:
        """Walk from an anchor to the window's end, segment by segment.

        Args:
            anchor: The start_time to begin at.
            query: What restricts the walk to a part of a split, or None.
            fields: By what it may be split further.
            rests: How many times it is the rest of a split.
        """
        seen: set[str] = set()
        stuck = 0
        while True:
            segment = _Segment(anchor, query, seen)
            yield from self._read(segment)
            if segment.has_ended:
                return
            if segment.has_progressed and segment.last_time:
                anchor, seen, stuck = segment.last_time, segment.keys_at_last, 0
                continue
            stuck += 1
            if not segment.has_shifted or stuck > MOST_SHIFTS_WITHOUT_PROGRESS:
                yield from self._split(segment, fields, rests)
                return

    def _read(self, segment: _Segment) -> Iterator[list[Any]]:
        offset: int | None = 0
        previous = None
        while offset is not None:
            page = self._ask(segment, offset)
            new = page.items
            if previous is not None:
                if not new or mark_of(new[0]) != previous:
                    self._note_shift(segment)
                    return
                new = new[1:]
            batch = self._select(segment, new)
            previous = mark_of(page.items[-1]) if page.items else None
            offset = self._next_offset(segment, page, offset, is_empty=not new)
            # A decoded page is large, and many windows are walked at once: none is kept while the next is waited for.
            del page, new
            if batch:
                yield batch
            del batch

    @staticmethod
    def _next_offset(segment: _Segment, page: SessionPage, offset: int, *, is_empty: bool) -> int | None:
        """Where the segment goes on, or None where it ends; notes if the walk ends with it."""
        if segment.is_past_window:
            segment.has_ended = True
            return None
        if _is_last(page, offset):
            # After many pages it may be a cap that nobody told us of: the next segment sees.
            segment.has_ended = offset == 0 or not segment.has_progressed
            return None
        if is_empty:
            raise BadAnswerError(
                f"the appliance announced {page.match_count} sessions, gave none after {offset}: run again"
            )
        following = offset + len(page.items) - 1
        ends_at_tie = segment.ends_in_tie and segment.has_progressed
        return None if following + PAGE_LIMIT > RESULT_CAP or ends_at_tie else following

    def _ask(self, segment: _Segment, offset: int) -> SessionPage:
        query = ListQuery(
            fields=self.asked_fields,
            start=segment.anchor,
            sort="start_time",
            q=segment.query,
            offset=offset,
            limit=PAGE_LIMIT,
        )
        self.tally.requests += 1
        page = decode_list(self.client.get(query.path, query.params, kind="list"))
        if page.offset is not None and page.offset != offset:
            raise BadAnswerError(f"the appliance was asked for offset {offset} of the list and gave {page.offset}")
        self.tally.rows_received += len(page.items)
        return page

    def _select(self, segment: _Segment, items: Sequence[Any]) -> list[Any]:
        """The rows that are of the window and were not given on before; notes where the segment got to."""
        batch = []
        for item in items:
            key, time = key_of(item), start_of(item)
            if time is None or key is None:
                batch.append(item)  # unreadable: to be quarantined, not lost
                continue
            if segment.last_time is not None and time < segment.last_time:
                raise BadAnswerError("the appliance does not sort the list by start_time: its version is not supported")
            if self.window.end is not None and time >= self.window.end:
                segment.is_past_window = True
                break
            self._advance(segment, time, key, item)
            if time >= segment.anchor and key not in segment.seen and key not in self.split_seen:
                batch.append(item)
                if segment.query is not None:
                    self.split_seen.add(key)
        self.tally.distinct_keys += len(batch)
        return batch

    @staticmethod
    def _advance(segment: _Segment, time: datetime, key: str, item: Any) -> None:
        segment.ends_in_tie = time == segment.last_time
        if not segment.ends_in_tie:
            segment.keys_at_last = set(segment.seen) if time == segment.anchor else set()
        segment.last_time = time
        segment.keys_at_last.add(key)
        if time <= segment.anchor:
            split.count_values(segment.values, item)

    def _note_shift(self, segment: _Segment) -> None:
        segment.has_shifted = True
        self.tally.shifts += 1
        if segment.last_time == segment.anchor:
            segment.seen |= segment.keys_at_last
        if self.tally.shifts > MOST_SHIFTS:
            raise ShiftingListError(
                f"the list changed {self.tally.shifts} times while window {self.window} was read: "
                "run again when fewer sessions arrive and no clean-up is under way"
            )

    def _split(self, segment: _Segment, fields: Sequence[str], rests: int) -> Iterator[list[Any]]:
        """Walk on from the anchor in parts that together are everything."""
        name = split.choose_field(segment.values, fields)
        if name is None:
            raise UnsplittableError(
                f"more than {RESULT_CAP} sessions from {segment.anchor.astimezone(UTC).isoformat()} on cannot be told "
                f"apart by start_time or any of {', '.join(split.SPLIT_FIELDS)}: nothing was published; "
                "ask the appliance's administrator what these sessions are"
            )
        self.split_seen |= segment.seen | segment.keys_at_last
        values = segment.values[name]
        everything = self._find_everything(segment, name, values)
        others = [other for other in fields if other != name]
        for clause, is_rest in split.partition(name, values, everything):
            again = is_rest and rests < split.MOST_RESTS
            query = split.both(segment.query, clause)
            yield from self.walk(segment.anchor, query, fields if again else others, rests + is_rest)

    def _find_everything(self, segment: _Segment, name: str, values: Mapping[str | None, int]) -> str:
        """How the appliance spells every session, so that `NOT` means all others: the split's completeness hangs on it.

        Raises:
            UnsplittableError: It understands no spelling, or leaves some sessions out with each.
        """
        common = next(value for value in values if value)
        others = sum(count for value, count in values.items() if (value or "").lower() != common.lower())
        for everything in split.EVERYTHING if self.everything is None else (self.everything,):
            query = ListQuery(
                fields="",
                start=segment.anchor,
                sort="start_time",
                q=split.both(segment.query, split.without(name, [common], everything)),
                limit=1,
            )
            self.tally.requests += 1
            try:
                page = decode_list(self.client.get(query.path, query.params, kind="list"))
            except QueryError:
                continue
            if page.match_count is not None and page.match_count >= min(others, RESULT_CAP):
                self.everything = everything
                return everything
        raise UnsplittableError(
            f"more than {RESULT_CAP} sessions started at {segment.anchor.astimezone(UTC).isoformat()}, and the "
            f"appliance understands no query for all of them but some by {name}: nothing was published; "
            "ask its administrator what these sessions are"
        )


def _is_last(page: SessionPage, offset: int) -> bool:
    """Whether the list ends with this page. A count at or over the cap says nothing of where it ends."""
    if page.match_count is None:
        return page.next is None and len(page.items) < (page.limit or PAGE_LIMIT)
    return page.match_count < RESULT_CAP and offset + len(page.items) >= page.match_count
