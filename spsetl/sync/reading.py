"""Reading one window: listing it, comparing it with the copy, and counting it by the appliance's own count."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from spsetl import schema
from spsetl.extract.changes import SWEEP_FIELDS, Known, cluster, compare
from spsetl.extract.listed import key_of, start_of
from spsetl.extract.plan import Window
from spsetl.extract.windows import LIST_FIELDS, Tally
from spsetl.warehouse.windows import DIFFERS, EQUAL, UNCOUNTED, WindowKind, WindowRecord
from spsetl.warehouse.work import naive_utc

_MOMENT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


class Walk(Protocol):
    """Gives the sessions of a window, each once, in batches of at most a page."""

    def __call__(self, window: Window, tally: Tally, *, fields: str) -> Iterator[list[Any]]:
        """See `walk_window` and `walk_snapshot`."""
        ...


@dataclass(frozen=True)
class WindowTask:
    """A window to read, and what the copy knows of its sessions: `session_key, revision, row_hash, is_missing`."""

    kind: WindowKind
    window: Window
    known: pa.Table

    def decode_known(self) -> dict[str, Known]:
        """What the copy knows, by key."""
        names = ("session_key", "revision", "row_hash", "is_missing")
        rows: Iterable[tuple[str, int | None, str, bool]] = zip(
            *(self.known.column(name).to_pylist() for name in names), strict=True
        )
        return {key: Known(revision, row_hash, is_missing) for key, revision, row_hash, is_missing in rows}


@dataclass
class _Listed:
    """What one reading saw: keys, and of how many sessions the start_time could be read, with the last of these."""

    keys: set[str] = field(default_factory=set)
    timed: int = 0
    last: datetime | None = None

    def note(self, item: Any) -> None:
        """One row that the list gave."""
        key, time = key_of(item), start_of(item)
        if key is not None:
            self.keys.add(key)
        if key is not None and time is not None:
            self.timed += 1
            self.last = max(time, self.last or time)  # the parts of a split burst come one after the other


class WindowReading:
    """One window, read until the appliance's own count agrees, or once more where it does not.

    Args:
        task: Which window.
        walk: How it is listed.
        walk_live: How it is listed when it is read again: a snapshot would show the same again.
        count: The appliance's own count of a window, None where it has none.
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
        emit: Callable[[list[Any]], None],
        advance: Callable[[int], None],
    ) -> None:
        self.task = task
        self.known = task.decode_known()
        self.tally = Tally()
        self.listed: set[str] = set()
        self._walk = walk
        self._walk_live = walk_live
        self._count = count
        self._emit = emit
        self._advance = advance

    @property
    def known_hashes(self) -> dict[str, str]:
        """The versions that need not be written again, by key."""
        return {key: row.row_hash for key, row in self.known.items() if not row.is_missing}

    def run(self) -> WindowRecord:
        """Read the window; gives what sync_windows is to say of it."""
        listed = self._read(self._walk)
        source_count = self._count_listed(listed)
        if source_count is not None and source_count != listed.timed:
            # Sessions arrive and are cleaned up between the list and the count: what differs still is another matter.
            listed = self._read(self._walk_live)
            source_count = self._count_listed(listed)
        is_equal = source_count == listed.timed
        return WindowRecord(
            kind=self.task.kind,
            window=self.task.window,
            requests=self.tally.requests,
            rows_received=self.tally.rows_received,
            distinct_keys=listed.timed,
            source_count=source_count,
            verdict=UNCOUNTED if source_count is None else EQUAL if is_equal else DIFFERS,
            finished_at=datetime.now(UTC),
        )

    def missing(self, now: datetime, *, appliance: str, run_id: str) -> pa.RecordBatch | None:
        """The sessions of the copy that no reading saw, as rows of missing_sessions; None if there is none."""
        gone = [key for key, row in self.known.items() if not row.is_missing and key not in self.listed]
        if not gone:
            return None
        window = self.task.window
        constants = {
            "appliance": appliance,
            "window_start": naive_utc(window.start),
            "window_end": window.end and naive_utc(window.end),
            "extracted_at": naive_utc(now),
            "run_id": run_id,
        }
        rows = [{"session_key": key, **constants} for key in gone]
        return pa.RecordBatch.from_pylist(rows, schema=schema.MISSING_SESSIONS.arrow_schema)

    def _count_listed(self, listed: _Listed) -> int | None:
        window = self.task.window
        if self.task.kind == "open":
            return None
        if window.end is None and listed.last is not None:
            # What started later than the last that was listed arrived meanwhile. Older appliances tell whole seconds.
            window = Window(window.start, listed.last + (_MOMENT if listed.last.microsecond else _SECOND))
        return self._count(window)

    def _read(self, walk: Walk) -> _Listed:
        listed = self._sweep(walk) if self.task.kind == "sweep" else None
        if listed is None:
            listed = self._list(walk, self.task.window)
        self.listed |= listed.keys
        return listed

    def _list(self, walk: Walk, window: Window) -> _Listed:
        listed = _Listed()
        for items in walk(window, self.tally, fields=LIST_FIELDS):
            for item in items:
                listed.note(item)
            self._emit(items)
            self._advance(len(items))
            del items  # not kept while the next page is waited for
        return listed

    def _sweep(self, walk: Walk) -> _Listed | None:
        """Keys and revisions, and the pages that differ whole; None where all has to be read whole."""
        listed, rows = _Listed(), []
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
            found |= self._list(walk, window).keys
        differing = {row.key for row in rows if not row.is_known}
        return listed if differing <= found else None
