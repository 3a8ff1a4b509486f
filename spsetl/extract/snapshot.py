"""Walking windows of start_time through a snapshot of the list, which holds still while it is read.

A snapshot ("Audited sessions", as the vendor's Power BI connector uses it) is opened once and walked by `meta.next`
until that is null: there is no count and no cap, a short or an empty page is not the last. It dies five minutes after
its last query; then another is opened, and each walk goes on at the last start_time that it saw, inclusive. An
appliance gives out one snapshot at a time: while another program holds it, windows are walked through the live list.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

import orjson

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import SNAPSHOT_PATH, ListQuery, SessionPage, decode_list, decode_snapshot
from spsetl.errors import BadAnswerError, NotFoundError, RateLimitError
from spsetl.extract.listed import Asks, key_of, start_of
from spsetl.extract.windows import LIST_FIELDS, Tally, walk_window
from spsetl.files import replacing
from spsetl.window import Window

MOST_LOSSES_WITHOUT_PROGRESS: Final = 3
MOST_LOSSES: Final = 100
MOST_EMPTY_PAGES: Final = 20
# Under the reading that means overlap, sessions that began earlier come first: never so many pages of them.
MOST_PAGES_WITHOUT_PROGRESS: Final = 1_000
# What dies five minutes after its last query is gone then, also where the clocks differ a little.
WAIT_SECONDS: Final = 310.0
MOST_WAITS: Final = 12


class Snapshots:
    """The one snapshot that many walks share. Thread-safe. `opened_at` is when the first of the run was asked for.

    The appliance gives the same snapshot again to the same user, address and User-Agent, however old it is. One that
    an earlier run has opened does not show what happened since; so each that is opened is written down, and counts as
    held when it comes back: `was_busy`, and `is_of_earlier_run`.

    Args:
        client: The appliance.
        remembered: The file that says which snapshot was opened last.
        waits: Whether to wait for the snapshot while another holds it; else `current` gives None.
        sleep: Waits for so many seconds; true if the run is to stop.
    """

    def __init__(self, client: Client, remembered: Path, *, waits: bool, sleep: Callable[[float], bool]) -> None:
        self.was_busy = False
        self.is_of_earlier_run = False
        self.losses = 0
        self.opened_at: datetime | None = None
        self._client = client
        self._remembered = remembered
        self._waits = waits
        self._sleep = sleep
        self._lock = Lock()
        self._own: set[str] = set()
        self._current: str | None = None
        self._waits_left = MOST_WAITS

    def current(self) -> str | None:
        """The snapshot to read; None where another holds it and nobody waits, from then on.

        Raises:
            RateLimitError: Another holds it for longer than is waited.
        """
        with self._lock:
            if self._current is None and not self.was_busy:
                self._current = self._open()
            return self._current

    def lose(self, snapshot: str) -> None:
        """The snapshot has gone: the next `current` opens another."""
        with self._lock:
            if self._current == snapshot:
                self._current = None
                self.losses += 1
                self._client.teller.event(logging.WARNING, "snapshot lost", losses=self.losses)

    def _open(self) -> str | None:
        while True:
            asked_at = datetime.now(UTC)
            try:
                snapshot = decode_snapshot(self._client.get(SNAPSHOT_PATH, kind="snapshot"))
            except RateLimitError:
                snapshot = None
            except NotFoundError:  # it gave them when it was asked what it can do
                self.was_busy = True
                return None
            if snapshot is not None and (snapshot in self._own or snapshot != self._last()):
                self._remember(snapshot)
                self.opened_at = self.opened_at or asked_at
                return snapshot
            self.is_of_earlier_run = snapshot is not None
            if not self._waits:
                self.was_busy = True
                return None
            if not self._waits_left:
                break
            self._waits_left -= 1
            holder = "an earlier run of this copy" if self.is_of_earlier_run else "another program"
            self._client.teller.info("waiting for the snapshot", holder=holder, seconds=WAIT_SECONDS)
            if self._sleep(WAIT_SECONDS):
                break
        raise RateLimitError(
            "another user, program or host keeps the appliance's only snapshot: set SPSETL_SNAPSHOT_BUSY to windows"
        )

    def _last(self) -> str | None:
        if not self._remembered.exists():
            return None
        try:
            return str(orjson.loads(self._remembered.read_bytes())["snapshot"])
        except (ValueError, KeyError, TypeError):
            return None  # spoilt by a power cut, during which the snapshot has died

    def _remember(self, snapshot: str) -> None:
        self._own.add(snapshot)
        with replacing(self._remembered) as file:
            file.write(orjson.dumps({"snapshot": snapshot}))


def walk_snapshot(
    client: Asks, snapshots: Snapshots, window: Window, tally: Tally, *, fields: str = LIST_FIELDS
) -> Iterator[list[Any]]:
    """Give every session that started in the window once, in batches of at most a page, as the list gives them.

    Args:
        client: The appliance.
        snapshots: What is walked; where it cannot be had, the live list is.
        window: Which start_times.
        tally: Is filled meanwhile.
        fields: What is asked of each session, `start_time` among it.

    Raises:
        BadAnswerError: The list is not in order, or does not end.
        SpsetlError: As `walk_window`.
    """
    walk = _Walk(client, window, tally, fields, window.start)
    losses = 0
    while losses <= MOST_LOSSES_WITHOUT_PROGRESS and snapshots.losses <= MOST_LOSSES:
        if (snapshot := snapshots.current()) is None:
            break
        before = walk.progress
        try:
            yield from walk.read(snapshot)
        except NotFoundError:
            snapshots.lose(snapshot)
            losses = 0 if walk.progress != before else losses + 1
        else:
            return
    yield from walk.read_live()


@dataclass
class _Walk:
    """One walk, and how far it got: the last start_time that was given on, and the keys that were given on of it."""

    client: Asks
    window: Window
    tally: Tally
    fields: str
    time: datetime
    keys: set[str] = field(default_factory=set)
    is_past_window: bool = False

    @property
    def progress(self) -> tuple[datetime, int]:
        """Differs after each row that was given on."""
        return self.time, len(self.keys)

    def read(self, snapshot: str) -> Iterator[list[Any]]:
        """Go on through a snapshot, to the window's end.

        Raises:
            NotFoundError: The snapshot has gone.
        """
        query = ListQuery(fields=self.fields, start=self.time, sort="start_time", snapshot=snapshot)
        page = self._ask(query.path, query)
        first = self.time
        last: datetime | None = None
        empty_pages = idle_pages = 0
        while True:
            batch, last = self._select(page.items, first, last)
            self.tally.distinct_keys += len(batch)
            link = page.next
            empty_pages = 0 if page.items else empty_pages + 1
            idle_pages = 0 if batch else idle_pages + 1
            del page  # not kept while the next one is waited for
            if batch:
                yield batch
            del batch
            if self.is_past_window or link is None:
                return
            if empty_pages > MOST_EMPTY_PAGES:
                raise BadAnswerError(f"the appliance gave {empty_pages} empty pages of a snapshot in a row: run again")
            if idle_pages > MOST_PAGES_WITHOUT_PROGRESS:
                raise BadAnswerError(f"{idle_pages} pages of a snapshot in a row brought nothing new: run again")
            page = self._ask(link)
            if page.next == link:
                raise BadAnswerError("a page of a snapshot names itself as the next: its version is not supported")

    def read_live(self) -> Iterator[list[Any]]:
        """Go on through the live list, to the window's end."""
        for items in walk_window(self.client, Window(self.time, self.window.end), self.tally, fields=self.fields):
            new = [item for item in items if key_of(item) not in self.keys]
            self.tally.distinct_keys -= len(items) - len(new)
            if new:
                yield new

    def _ask(self, path: str, query: ListQuery | None = None) -> SessionPage:
        self.tally.requests += 1
        page = decode_list(self.client.get(path, query.params if query else None, kind="list"))
        self.tally.rows_received += len(page.items)
        return page

    def _select(
        self, items: Sequence[Any], first: datetime, last: datetime | None
    ) -> tuple[list[Any], datetime | None]:
        """The rows of the window that were not given on before, and the last start_time; notes how far it got."""
        batch = []
        for item in items:
            key, time = key_of(item), start_of(item)
            if time is None or key is None:
                batch.append(item)  # unreadable: to be quarantined, not lost
                continue
            if last is not None and time < last:
                raise BadAnswerError("the appliance does not sort the list by start_time: its version is not supported")
            last = time
            if self.window.end is not None and time >= self.window.end:
                self.is_past_window = True
                break
            if time < first:
                continue  # began before, and was alive then: what the other reading of `start` adds
            if time > self.time:
                self.time, self.keys = time, set()
            if key not in self.keys:
                self.keys.add(key)
                batch.append(item)
        return batch, last
