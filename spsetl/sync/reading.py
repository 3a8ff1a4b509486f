"""Reading one window: listing it, comparing it with the copy, and counting it by the appliance's own count."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from spsetl import schema
from spsetl.extract.changes import SWEEP_FIELDS, Known, cluster, compare
from spsetl.extract.listed import key_of, start_of
from spsetl.extract.windows import LIST_FIELDS, Tally
from spsetl.warehouse.windows import DIFFERS, EQUAL, UNCOUNTED, WindowKind, WindowRecord
from spsetl.window import Window, naive_utc

# Where no count can prove that sessions are gone, so many of them are asked for by their keys.
_ASKED_FOR: Final = 20


class Walk(Protocol):
    """Gives the sessions of a window, each once, in batches of at most a page."""

    def __call__(self, window: Window, tally: Tally, *, fields: str) -> Iterator[list[Any]]:
        """See `walk_window` and `walk_snapshot`."""
        ...


@dataclass(frozen=True)
class WindowTask:
    """A window to read, and what the copy knows of its sessions, see sql/merge/known_sessions.sql."""

    kind: WindowKind
    window: Window
    known: pa.Table

    def decode_known(self) -> dict[str, Known]:
        """What the copy knows, by key."""
        names = ("session_key", "revision", "row_hash", "is_missing", "is_placed")
        rows: Iterable[tuple[str, int | None, str, bool, bool]] = zip(
            *(self.known.column(name).to_pylist() for name in names), strict=True
        )
        return {
            key: Known(revision, row_hash, is_missing, is_placed)
            for key, revision, row_hash, is_missing, is_placed in rows
        }


@dataclass
class _Listed:
    """What one reading saw: keys, those with a start_time, and those that started before `end`, with their rows.

    `others` are rows without a key or a start_time that can be read: nobody knows whether the appliance counts them.
    """

    end: datetime | None
    keys: set[str] = field(default_factory=set)
    timed: set[str] = field(default_factory=set)
    later: int = 0
    rows: int = 0
    others: int = 0
    has_keyless: bool = False

    def note(self, item: Any) -> None:
        """One row that the list gave."""
        key, time = key_of(item), start_of(item)
        if key is None or time is None:
            self.others += 1
        if key is None:
            self.has_keyless = True
            return
        self.keys.add(key)
        if time is None:
            return
        is_later = self.end is not None and time >= self.end
        self.later += is_later and key not in self.timed
        self.rows += not is_later
        self.timed.add(key)

    @property
    def counted(self) -> int:
        """How many sessions the appliance's count up to `end` is to say."""
        return len(self.timed) - self.later

    def can_be(self, count: int, sessions: int) -> bool:
        """Whether the appliance's count can be that of so many sessions and of some of the others."""
        return sessions <= count <= sessions + self.others


class WindowReading:
    """One window, read until the appliance's own count agrees, or once more where it does not.

    Args:
        task: Which window.
        walk: How it is listed.
        walk_live: How it is listed when it is read again: a snapshot would show the same again.
        count: The appliance's own count of a window, None where it has none.
        has_session: Whether the appliance has the session of this key.
        now: The appliance's time at which what is walked was as it is shown; of the live list, if so asked.
        emit: Takes the whole sessions that may differ from the copy.
        advance: Is told how many rows were read.
    """

    def __init__(
        self,
        task: WindowTask,
        *,
        walk: Walk,
        walk_live: Walk,
        count: Callable[[Window], int | None],
        has_session: Callable[[str], bool],
        now: Callable[[bool], datetime],
        emit: Callable[[list[Any]], None],
        advance: Callable[[int], None],
    ) -> None:
        self.task = task
        self.known = task.decode_known()
        self.tally = Tally()
        self.listed: set[str] = set()
        self._has_keyless = False
        self._walk = walk
        self._walk_live = walk_live
        self._count = count
        self._has_session = has_session
        self._now = now
        self._emit = emit
        self._advance = advance

    @property
    def known_hashes(self) -> dict[str, str]:
        """The versions that need not be written again, by key."""
        return {key: row.row_hash for key, row in self.known.items() if not row.is_missing}

    def run(self) -> WindowRecord:
        """Read the window; gives what sync_windows is to say of it."""
        listed = self._read(self._walk, is_live=False)
        source_count = self._count_listed(listed)
        if source_count is not None and not listed.can_be(source_count, listed.counted):
            # Sessions arrive and are cleaned up between the list and the count: what differs still is another matter.
            listed = self._read(self._walk_live, is_live=True)
            source_count = self._count_listed(listed)
        # A session that an appliance keeps twice is one, and counted twice.
        is_equal = source_count is not None and (
            listed.can_be(source_count, listed.counted) or listed.can_be(source_count, listed.rows)
        )
        self.end = listed.end
        self.verdict = UNCOUNTED if source_count is None else EQUAL if is_equal else DIFFERS
        return WindowRecord(
            kind=self.task.kind,
            window=self.task.window,
            requests=self.tally.requests,
            rows_received=self.tally.rows_received,
            distinct_keys=len(listed.timed),
            source_count=source_count,
            verdict=self.verdict,
            finished_at=datetime.now(UTC),
        )

    def missing(self, now: datetime, *, appliance: str, run_id: str) -> pa.RecordBatch | None:
        """The sessions of the copy that are gone for sure, as rows of missing_sessions; None if there is none."""
        gone = [] if self._has_keyless else self._unseen()  # each of those may be one that seems to be gone
        if not gone or self.verdict == DIFFERS or (self.verdict == UNCOUNTED and not self._are_gone(gone)):
            return None
        constants = {
            "appliance": appliance,
            "window_start": naive_utc(self.task.window.start),
            "window_end": self.end and naive_utc(self.end),
            "extracted_at": naive_utc(now),
            "run_id": run_id,
        }
        rows = [{"session_key": key, **constants} for key in gone]
        return pa.RecordBatch.from_pylist(rows, schema=schema.MISSING_SESSIONS.arrow_schema)

    def _unseen(self) -> list[str]:
        return [
            key for key, row in self.known.items() if row.is_placed and not row.is_missing and key not in self.listed
        ]

    def _are_gone(self, keys: Sequence[str]) -> bool:
        """Ask for some of the sessions, from all over the window: a list that lacks a part lacks some of these."""
        step = max(len(keys) // _ASKED_FOR, 1)
        return not any(self._has_session(key) for key in (*keys[::step][:_ASKED_FOR], keys[-1]))

    def _count_listed(self, listed: _Listed) -> int | None:
        # Sessions that were not final are looked at one by one; a count is worth its request only where one is gone.
        if self.task.kind == "open" and not self._unseen():
            return None
        return self._count(Window(self.task.window.start, listed.end))

    def _read(self, walk: Walk, *, is_live: bool) -> _Listed:
        # What starts after the reading began may or may not be listed, and counted.
        end = self.task.window.end or self._now(is_live)
        listed = self._sweep(walk, end) if self.task.kind == "sweep" else None
        if listed is None:
            listed = self._list(walk, self.task.window, end)
        self.listed |= listed.keys
        self._has_keyless |= listed.has_keyless
        return listed

    def _list(self, walk: Walk, window: Window, end: datetime) -> _Listed:
        listed = _Listed(end)
        for items in walk(window, self.tally, fields=LIST_FIELDS):
            for item in items:
                listed.note(item)
            self._emit(items)
            self._advance(len(items))
            del items  # not kept while the next page is waited for
        return listed

    def _sweep(self, walk: Walk, end: datetime) -> _Listed | None:
        """Keys and revisions, and the pages that differ whole; None where all has to be read whole."""
        listed, rows = _Listed(end), []
        for items in walk(self.task.window, self.tally, fields=SWEEP_FIELDS):
            seen = compare(items, self.known)
            if seen is None:
                return None
            rows += seen
            for item in items:
                listed.note(item)
            self._advance(len(items))
        found: set[str] = set()
        for window in cluster((place, row.time) for place, row in enumerate(rows) if not row.is_known):
            found |= self._list(walk, window, end).keys
        differing = {row.key for row in rows if not row.is_known}
        return listed if differing <= found else None
