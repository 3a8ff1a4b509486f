"""The steps that talk to the appliance: each ends with Parquet that is durable, and changes nothing else."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Any

import pyarrow as pa

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.errors import IncompleteError, NotFoundError
from spsetl.extract.details import fetch_details
from spsetl.extract.plan import Window
from spsetl.extract.windows import Tally, walk_window
from spsetl.flatten import Flattener
from spsetl.lake import Lake, LakeWriter
from spsetl.sync.progress import Progress
from spsetl.warehouse.merge import FetchedDetails, Files, PendingDetails

# Rows gathered before they are turned into Arrow: large enough for good Parquet, small enough for many at once.
ROWS_IN_HAND = 1_000


class Stopped(Exception):  # noqa: N818 not an error: the user asked for it
    """The sync is being stopped; what is under way ends at its next page."""


@dataclass(frozen=True)
class FetchedWindow:
    """A walked window whose rows are durable."""

    window: Window
    tally: Tally
    files: Files


@dataclass(frozen=True)
class FetchedBatch:
    """Sessions whose details are durable; `failures` says, a line each, what could not be fetched whole."""

    details: Sequence[FetchedDetails]
    files: Files
    failures: Sequence[str]


@dataclass(frozen=True)
class Batch:
    """Some sessions whose details are fetched together; `number` names their files."""

    number: int
    sessions: Sequence[PendingDetails]


class Steps:
    """The fetching steps of one sync. Every method may run in many threads at once."""

    def __init__(
        self, client: Client, lake: Lake, progress: Progress, *, appliance: str, run_id: str, concurrency: int
    ) -> None:
        self.client = client
        self.lake = lake
        self.progress = progress
        self.appliance = appliance
        self.run_id = run_id
        self._stopping = Event()
        # Python runs one thread at a time anyway; one page in hand at a time keeps the memory of many windows apart.
        self._flattening = Lock()
        # One pool for all batches: a batch that ends leaves no connection idle while another goes on.
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="details")

    def stop(self) -> None:
        """Let what is under way end at its next page."""
        self._stopping.set()

    def close(self) -> None:
        """End all threads. They are waited for, unless they were told to stop."""
        self._pool.shutdown(wait=not self._stopping.is_set(), cancel_futures=True)

    def fetch_window(self, window: Window) -> FetchedWindow:
        """Walk a window and write its sessions."""
        tally = Tally()
        with self._writer(f"window-{window}") as writer:
            flattener = self._flattener()
            for items in walk_window(self.client, window, tally):
                self._check_stopping()
                with self._flattening:
                    flattener.add_sessions(items, extracted_at=datetime.now(UTC))
                    writer.write(flattener.take())
                self.progress.advance("sessions", len(items))
                del items  # not kept while the next page is waited for
        return FetchedWindow(window, tally, writer.files)

    def fetch_batch(self, batch: Batch) -> FetchedBatch:
        """Fetch the details of some sessions and write them."""
        outcomes: list[FetchedDetails] = []
        failures: list[str] = []
        with self._writer(f"details-{batch.number:06d}") as writer:
            flattener = self._flattener()
            for session, statuses, items, failed in self._pool.map(self._fetch_session, batch.sessions):
                for kind, rows in items.items():
                    table = schema.BY_NAME[kind]
                    flattener.add_details(table, session.session_key, rows, extracted_at=datetime.now(UTC))
                outcomes.append(FetchedDetails(session.session_key, session.row_hash, statuses))
                failures.extend(failed)
                self.progress.advance("details", 1)
                _write_when_full(writer, flattener)
            writer.write(flattener.take())
        return FetchedBatch(outcomes, writer.files, failures)

    def _fetch_session(
        self, session: PendingDetails
    ) -> tuple[PendingDetails, dict[str, str], dict[str, list[Any]], list[str]]:
        statuses: dict[str, str] = {}
        items: dict[str, list[Any]] = {}
        failures: list[str] = []
        for kind in session.kinds:
            self._check_stopping()
            try:
                items[kind] = fetch_details(self.client, session.session_key, kind)
                statuses[kind] = schema.FETCHED
            except NotFoundError:
                # Deleted between list and detail: no failure, and nothing to ask further.
                return session, dict.fromkeys(session.kinds, schema.GONE), {}, failures
            except IncompleteError as error:
                failures.append(str(error))
        return session, statuses, items, failures

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _writer(self, part: str) -> LakeWriter:
        return self.lake.writer(appliance=self.appliance, run_id=self.run_id, part=part)

    def _flattener(self) -> Flattener:
        return Flattener(appliance=self.appliance, run_id=self.run_id)


def _write_when_full(writer: LakeWriter, flattener: Flattener) -> None:
    if flattener.rows >= ROWS_IN_HAND:
        batches: dict[str, pa.RecordBatch] = flattener.take()
        writer.write(batches)


def batches_of(sessions: Iterator[Sequence[PendingDetails]]) -> Iterator[Batch]:
    """Number the batches."""
    for number, some in enumerate(sessions):
        yield Batch(number, some)
