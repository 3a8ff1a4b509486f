"""The composition of a sync. Each step can be killed at any instant and run again, with the same outcome."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from spsetl import __version__, schema
from spsetl.access import Access
from spsetl.appliance.client import Client
from spsetl.errors import IncompleteError, SettingsError, SpsetlError
from spsetl.extract.plan import EPOCH, SMALLEST_WINDOW, Window
from spsetl.extract.survey import fetch_plan
from spsetl.lake import Lake
from spsetl.settings import Settings
from spsetl.sync.lock import hold_lock
from spsetl.sync.progress import Progress
from spsetl.sync.report import SyncReport
from spsetl.sync.runner import StepRunner
from spsetl.sync.steps import FetchedBatch, FetchedWindow, Steps, batches_of
from spsetl.warehouse import checks, merge, runs
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase

# Sessions whose details make one step: some seconds of requests, and some hundred kilobytes of Parquet.
BATCH_SIZE = 500


@dataclass(frozen=True)
class Places:
    """The files of a data directory."""

    lake: Path
    private: Path
    work: Path
    published: Path

    @classmethod
    def of(cls, data_dir: Path) -> "Places":
        """The files below a data directory."""
        private = data_dir / "work"
        return cls(data_dir / "lake", private, private / "warehouse.duckdb", data_dir / "warehouse.duckdb")

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            SettingsError: They cannot be made or written.
        """
        try:
            for folder in (self.lake, self.private):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what people did is nobody else's business
                probe = folder / ".writable"
                probe.touch()
                probe.unlink()
        except OSError as error:
            raise SettingsError(
                f"cannot write the data directory {self.published.parent} ({error.strerror}): "
                "set SPSETL_DATA_DIR to a folder that this user may write"
            ) from error


@dataclass
class _Sync:
    """What the steps of one sync share."""

    settings: Settings
    steps: Steps
    work: WorkDatabase
    runner: StepRunner
    progress: Progress
    report: SyncReport

    @property
    def appliance(self) -> str:
        return self.report.appliance


def run_sync(settings: Settings, *, runner: StepRunner, progress: Progress) -> SyncReport:
    """Bring the copy up to date and publish it.

    A failure leaves the published file as it was; what was merged before it is kept, and not fetched again.

    Args:
        settings: What to sync, and where to.
        runner: Runs windows and batches side by side.
        progress: Is told what happens.

    Raises:
        SpsetlError: Why it could not be done; its exit code says of what kind.
    """
    access, places = _prepare(settings)
    report = SyncReport(
        run_id=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}", appliance=access.appliance, strategy="windows"
    )
    began = time.monotonic()
    with hold_lock(places.private), _client(settings, access) as client:
        lake = Lake(places.lake)
        lake.remove_leftovers()
        steps = Steps(
            client, lake, progress, appliance=access.appliance, run_id=report.run_id, concurrency=settings.concurrency
        )
        try:
            with WorkDatabase(places.work, published=places.published) as work:
                sync = _Sync(settings, steps, work, runner, progress, report)
                _run(sync, client, began)
                work.checkpoint()
        finally:
            steps.close()
        publish(places.work, places.published)
    report.published = True
    return report


def plan_sync(settings: Settings) -> list[Window]:
    """The windows that a sync would walk now: what `sync --dry-run` shows. Asks the appliance, writes nothing of it."""
    access, places = _prepare(settings)
    with (
        hold_lock(places.private),
        _client(settings, access) as client,
        WorkDatabase(places.work, published=places.published) as work,
    ):
        return _plan(work, client, access.appliance, settings)


def _prepare(settings: Settings) -> tuple[Access, Places]:
    if settings.strategy == "snapshot":
        raise SettingsError("SPSETL_STRATEGY: this version knows no snapshots; set it to windows, or to auto")
    access = settings.for_appliance()
    places = Places.of(settings.data_dir)
    places.prepare()
    return access, places


def _client(settings: Settings, access: Access) -> Client:
    return Client(access, concurrency=settings.concurrency, timeout=settings.timeout)


def _run(sync: _Sync, client: Client, began: float) -> None:
    started_at = datetime.now(UTC)
    finish = partial(_finish, sync, client, began, started_at)
    windows = _plan(sync.work, client, sync.appliance, sync.settings)
    runs.begin_run(
        sync.work,
        run_id=sync.report.run_id,
        appliance=sync.appliance,
        strategy=sync.report.strategy,
        started_at=started_at,
        range_start=None if windows[0].start == EPOCH else windows[0].start,
        version=__version__,
    )
    try:
        _sync_windows(sync, windows)
        _sync_details(sync)
        results = checks.run_checks(sync.work)
        sync.report.warnings += [
            f"{result.name}: {result.offending_rows} rows" for result in results if result.offending_rows
        ]
        checks.require_passed(results)
    except SpsetlError as error:
        finish("failed", error=str(error))
        raise
    finish("done")


def _plan(work: WorkDatabase, client: Client, appliance: str, settings: Settings) -> list[Window]:
    watermark = runs.fetch_watermark(work, appliance)
    if watermark is None:
        return fetch_plan(client, EPOCH, concurrency=settings.concurrency)
    start = watermark - timedelta(hours=settings.lookback)
    if runs.count_sessions_since(work, appliance, start) < SMALLEST_WINDOW:
        return [Window(start, None)]
    return fetch_plan(client, start, concurrency=settings.concurrency)


def _sync_windows(sync: _Sync, windows: Sequence[Window]) -> None:
    sync.progress.begin("windows", len(windows))
    sync.progress.begin("sessions", None)
    steps, workers = sync.steps, sync.settings.concurrency
    for fetched in sync.runner.map("window", steps.fetch_window, windows, workers=workers, stop=steps.stop):
        _merge_window(sync, fetched)
        sync.progress.advance("windows", 1)
    for stage in ("windows", "sessions"):
        sync.progress.finish(stage)


def _merge_window(sync: _Sync, fetched: FetchedWindow) -> None:
    tally = fetched.tally
    record = runs.WindowRecord(
        fetched.window.start, fetched.window.end, tally.requests, tally.rows_received, tally.distinct_keys
    )
    with sync.work.transaction() as connection:
        merged = merge.merge_sessions(connection, fetched.files)
        if merged.seen + merged.quarantined < tally.distinct_keys:
            raise IncompleteError(
                f"window {fetched.window}: {tally.distinct_keys} sessions were received and only {merged.seen} merged, "
                f"{merged.quarantined} quarantined: please report this as a defect"
            )
        runs.record_window(
            connection, appliance=sync.appliance, run_id=sync.report.run_id, window=record, now=datetime.now(UTC)
        )
    report = sync.report
    report.sessions_seen += merged.seen
    report.sessions_new += merged.new
    report.sessions_changed += merged.changed
    report.quarantined += merged.quarantined
    report.rows[schema.SESSIONS.name] += merged.new + merged.changed


def _sync_details(sync: _Sync) -> None:
    kinds = sync.settings.details
    if not kinds:
        return
    sync.progress.begin("details", merge.count_pending(sync.work, appliance=sync.appliance, kinds=kinds))
    batches = batches_of(_pending(sync, kinds))
    steps = sync.steps
    for fetched in sync.runner.map("details", steps.fetch_batch, batches, workers=2, stop=steps.stop):
        _merge_batch(sync, fetched)
    sync.progress.finish("details")


def _pending(sync: _Sync, kinds: Sequence[str]) -> Iterator[list[merge.PendingDetails]]:
    after: merge.PendingDetails | None = None
    while some := merge.pending_details(sync.work, appliance=sync.appliance, kinds=kinds, after=after, size=BATCH_SIZE):
        yield some
        after = some[-1]


def _merge_batch(sync: _Sync, fetched: FetchedBatch) -> None:
    with sync.work.transaction() as connection:
        rows = merge.merge_details(connection, fetched.files, appliance=sync.appliance, fetched=fetched.details)
    sync.report.quarantined += rows.pop(schema.QUARANTINE.name)
    sync.report.rows.update(rows)
    sync.report.details_failed += len(fetched.failures)
    sync.report.warnings += [line for line in fetched.failures if line not in sync.report.warnings]


def _finish(
    sync: _Sync, client: Client, began: float, started_at: datetime, status: str, *, error: str | None = None
) -> None:
    report = sync.report
    report.requests = client.requests_by_kind
    report.seconds = time.monotonic() - began
    report.details_pending = merge.count_pending(
        sync.work, appliance=sync.appliance, kinds=[table.name for table in schema.DETAIL_TABLES]
    )
    newest = runs.fetch_newest_start(sync.work, sync.appliance)
    record = runs.RunRecord(
        status=status,
        seconds=report.seconds,
        watermark=min(newest, started_at) if newest and status == "done" else None,
        sessions_seen=report.sessions_seen,
        sessions_new=report.sessions_new,
        sessions_changed=report.sessions_changed,
        sessions_missing=report.sessions_missing,
        quarantined=report.quarantined,
        requests_by_kind=report.requests,
        error=error,
    )
    runs.finish_run(sync.work, run_id=report.run_id, finished_at=datetime.now(UTC), record=record)
