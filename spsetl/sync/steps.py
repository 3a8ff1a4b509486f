"""The steps that talk to the appliance: each ends with Parquet that is durable, and changes nothing else."""

import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from threading import Event, Lock
from typing import Any, Final

import pyarrow as pa

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities
from spsetl.events import Teller, carry
from spsetl.extract.counts import count_window
from spsetl.extract.details import has_session
from spsetl.extract.snapshot import Snapshots, walk_snapshot
from spsetl.extract.windows import walk_window
from spsetl.flatten import Flattener, Quality
from spsetl.lake import Lake, LakeWriter
from spsetl.sync.budget import Budget
from spsetl.sync.details import DetailFetcher, SessionDetails
from spsetl.sync.pages import Pages
from spsetl.sync.reading import Walk, WindowReading, WindowTask
from spsetl.sync.turns import Turns
from spsetl.warehouse.details import PendingDetails
from spsetl.warehouse.merge import Files
from spsetl.warehouse.windows import WindowRecord

# Rows gathered before they are turned into Arrow: large enough for good Parquet, small enough for many at once.
ROWS_IN_HAND = 1_000
# An answer tells the appliance's time in whole seconds.
_CLOCK_MARGIN = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)
# What a run that is to stop waits for the answers that are under way.
_PATIENCE: Final = 2.0
_LOOK_SECONDS: Final = 0.1


class RunClock:
    """The time by which a run orders what it fetches: after all that earlier runs have, also where a clock was ahead.

    Args:
        after: The last moment of the runs before, None where there was none.
    """

    def __init__(self, after: datetime | None) -> None:
        self._last = after
        self._lock = Lock()

    def now(self) -> datetime:
        """Aware UTC; never before what it gave last."""
        with self._lock:
            now = datetime.now(UTC)
            self._last = now if self._last is None or now > self._last else self._last + _TICK
            return self._last


class Stopped(Exception):  # noqa: N818 not an error: the user asked for it
    """The sync is being stopped; what is under way ends at its next page."""


@dataclass(frozen=True)
class FetchedWindow:
    """A window that was read, and whose differing sessions are durable: so many rows of `sessions`."""

    record: WindowRecord
    files: Files
    rows: int
    quality: Quality


@dataclass(frozen=True)
class FetchedBatch:
    """Sessions whose details, and what became of asking for them, are durable; `outcomes` are by kind and status."""

    sessions: int
    outcomes: Counter[tuple[str, str]]
    files: Files
    quality: Quality


@dataclass(frozen=True)
class Batch:
    """Some sessions whose details are fetched together; `number` names their files."""

    number: int
    sessions: Sequence[PendingDetails]


class Steps:
    """The fetching steps of one run. Every method may run in many threads at once.

    Args:
        client: The appliance.
        capabilities: What it can do.
        snapshots: What is walked instead of the live list, if anything.
        lake: Where the rows go.
        clock: Says when they were fetched.
        teller: Is told how far it is.
        appliance: Its name in the copy.
        run_id: The run.
        budget: What may be spent on details.
        concurrency: Sessions whose details are fetched at the same time.
        stopping: Is set when the run is to stop.
    """

    def __init__(
        self,
        client: Client,
        lake: Lake,
        teller: Teller,
        *,
        clock: RunClock,
        capabilities: Capabilities,
        snapshots: Snapshots | None,
        budget: Budget,
        appliance: str,
        run_id: str,
        concurrency: int,
        stopping: Event,
    ) -> None:
        self.client = client
        self.lake = lake
        self.teller = teller
        self.clock = clock
        self.capabilities = capabilities
        self.snapshots = snapshots
        self.details = DetailFetcher(client, budget, stopping.is_set)
        self.appliance = appliance
        self.run_id = run_id
        self._stopping = stopping
        self._given_up_at = math.inf
        self._turns = Turns()
        self._windows = count()
        # One pool for all batches: a batch that ends leaves no connection idle while another goes on.
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="details")

    def stop(self) -> None:
        """Let what is under way end at its next page."""
        self._given_up_at = min(self._given_up_at, time.monotonic() + _PATIENCE)
        self._stopping.set()
        self.client.stop()

    def close(self) -> None:
        """End all threads. They are waited for, unless they were told to stop."""
        self._pool.shutdown(wait=not self._stopping.is_set(), cancel_futures=True)

    def fetch_window(self, task: WindowTask) -> FetchedWindow:
        """Read a window, and write what differs from the copy."""
        with self.teller.span("window", kind=task.kind, window=str(task.window)):
            return self._fetch_window(task)

    def _fetch_window(self, task: WindowTask) -> FetchedWindow:
        stage = "swept" if task.kind == "sweep" else "sessions"
        pages = Pages(self.client, self._turns, next(self._windows))
        live: Walk = partial(walk_window, pages)
        walk: Walk = partial(walk_snapshot, pages, self.snapshots) if self.snapshots else live
        with self._writer(f"{task.kind}-{task.window}") as writer, pages:
            reading = WindowReading(
                task,
                walk=walk,
                walk_live=live,
                count=partial(count_window, pages, self.capabilities),
                has_session=partial(has_session, self.client),
                now=self._source_now,
                emit=lambda items: self._write_sessions(flattener, writer, items),
                advance=partial(self.teller.advance, stage),
            )
            flattener = self._flattener(known=reading.known_hashes)
            record = reading.run()
            gone = reading.missing(self.clock.now(), appliance=self.appliance, run_id=self.run_id)
            journal = {schema.SYNC_WINDOWS.name: record.as_batch(self.appliance, self.run_id)}
            writer.write(journal if gone is None else journal | {schema.MISSING_SESSIONS.name: gone})
        return FetchedWindow(record, writer.files, writer.rows.get(schema.SESSIONS.name, 0), flattener.quality)

    def _source_now(self, is_live: bool) -> datetime:
        """By the appliance's clock, in whole seconds, as some tell times: now, or when the snapshot was opened."""
        ahead = timedelta(seconds=self.client.clock_ahead or 0)
        opened_at = self.snapshots.opened_at if self.snapshots and not is_live else None
        return ((opened_at or datetime.now(UTC)) + ahead - _CLOCK_MARGIN).replace(microsecond=0)

    def _write_sessions(self, flattener: Flattener, writer: LakeWriter, items: Sequence[Any]) -> None:
        self._check_stopping()
        flattener.add_sessions(items, extracted_at=self.clock.now())
        writer.write(flattener.take())

    def fetch_batch(self, batch: Batch) -> FetchedBatch:
        """Fetch the details of some sessions and write them."""
        with self.teller.span("details batch", number=batch.number, sessions=len(batch.sessions)):
            return self._fetch_batch(batch)

    def _fetch_batch(self, batch: Batch) -> FetchedBatch:
        sessions, outcomes = 0, Counter[tuple[str, str]]()
        journal: list[dict[str, Any]] = []
        with self._writer(f"details-{batch.number:06d}") as writer:
            flattener = self._flattener()
            for fetched in self._fetch_sessions(batch.sessions):
                now = self.clock.now()
                for kind, rows in fetched.items.items():
                    flattener.add_details(schema.BY_NAME[kind], fetched.session.session_key, rows, extracted_at=now)
                if fetched.statuses:
                    sessions += 1
                    outcomes.update(fetched.statuses.items())
                    journal += self._fetches(fetched, now)
                self.teller.advance("details", 1)
                _write_when_full(writer, flattener)
            writer.write(flattener.take())
            if journal:
                table = schema.DETAIL_FETCHES
                writer.write({table.name: pa.RecordBatch.from_pylist(journal, schema=table.arrow_schema)})
        return FetchedBatch(sessions, outcomes, writer.files, flattener.quality)

    def _fetches(self, fetched: SessionDetails, now: datetime) -> list[dict[str, Any]]:
        """Rows of detail_fetches."""
        session = fetched.session
        return [
            {
                "appliance": self.appliance,
                "session_key": session.session_key,
                "kind": kind,
                "status": status,
                "error": fetched.errors.get(kind),
                "revision": session.revision,
                "row_hash": session.row_hash,
                "extracted_at": now.replace(tzinfo=None),
                "run_id": self.run_id,
            }
            for kind, status in fetched.statuses.items()
        ]

    def _fetch_sessions(self, sessions: Sequence[PendingDetails]) -> Iterator[SessionDetails]:
        """In their order; of a run that is to stop, all that is there: it is kept, and not fetched again."""
        fetch = carry(self.details.fetch)
        waiting = deque(self._pool.submit(fetch, session) for session in sessions)
        while waiting:
            future = waiting.popleft()
            while not future.done() and time.monotonic() < self._given_up_at:
                wait([future], timeout=_LOOK_SECONDS)
            if future.done():
                yield future.result()

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _writer(self, part: str) -> LakeWriter:
        return self.lake.writer(appliance=self.appliance, run_id=self.run_id, part=part)

    def _flattener(self, known: dict[str, str] | None = None) -> Flattener:
        return Flattener(appliance=self.appliance, run_id=self.run_id, known=known)


def _write_when_full(writer: LakeWriter, flattener: Flattener) -> None:
    if flattener.in_hand >= ROWS_IN_HAND:
        batches: dict[str, pa.RecordBatch] = flattener.take()
        writer.write(batches)


def batches_of(sessions: Iterator[Sequence[PendingDetails]]) -> Iterator[Batch]:
    """Number the batches."""
    for number, some in enumerate(sessions):
        yield Batch(number, some)
