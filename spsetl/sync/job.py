"""What every run holds while it works: the lock, the appliance, the lake and the work database."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event

from spsetl import __version__, schema
from spsetl.access import Access
from spsetl.appliance.client import Client
from spsetl.appliance.limits import Limits
from spsetl.appliance.quiet import QuietHours
from spsetl.appliance.transport import OnRequest
from spsetl.errors import IncompleteError, SpsetlError
from spsetl.interrupts import INTERRUPTS, is_asked_to_end, unmasked
from spsetl.lake import Lake
from spsetl.seeing.logs import log
from spsetl.seeing.spans import span
from spsetl.settings import OfficeHours, Settings
from spsetl.sync.abilities import choose_strategy, ensure_capabilities, share_snapshot
from spsetl.sync.budget import Budget
from spsetl.sync.copy import open_work
from spsetl.sync.names import hold_copy, require_known_name, require_own_name
from spsetl.sync.places import Places
from spsetl.sync.progress import Progress, say
from spsetl.sync.report import SyncReport, describe_misfits
from spsetl.sync.runner import StepRunner
from spsetl.sync.steps import RunClock, Steps
from spsetl.sync.watching import Watch, watch_run
from spsetl.warehouse import checks, details, runs
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.merge import merge_part
from spsetl.warehouse.publish import publish
from spsetl.warehouse.windows import doubt_windows
from spsetl.warehouse.work import WorkDatabase


@dataclass
class Job:
    """One run under way."""

    settings: Settings
    client: Client
    work: WorkDatabase
    steps: Steps
    runner: StepRunner
    progress: Progress
    report: SyncReport
    run: runs.Run
    began: float

    @property
    def appliance(self) -> str:
        """Its name in the copy."""
        return self.run.appliance

    @contextmanager
    def recorded(self, range_start: datetime | None, range_end: datetime | None) -> Iterator[None]:
        """Say in sync_runs that the run is under way for this range of start_time, and at the end how it ended."""
        self.run = replace(self.run, range_start=range_start, range_end=range_end)
        runs.begin_run(self.work, self.run)
        try:
            with unmasked():
                yield
                self._check()
        except SpsetlError as error:
            self._finish("failed", error=str(error))
            raise
        except INTERRUPTS:
            self._finish("interrupted", error="interrupted")
            raise
        self._finish("done")

    def stop(self) -> None:
        """Let the steps that are under way end soon; say so to who asked for it."""
        if is_asked_to_end():
            line = "stopping, and keeping what was fetched; once more, and it will end at once"
            say(self.progress, line, event="stopping")
        self.steps.stop()

    def _check(self) -> None:
        self._require_legible()
        with span("marts"):
            build_marts(self.work, OfficeHours.parse(self.settings.office_hours))
        with span("checks"):
            results = checks.run_checks(self.work)
        self.report.warnings += [f"{r.name}: {r.offending_rows} rows" for r in results if r.offending_rows]
        checks.require_passed(results)

    def _require_legible(self) -> None:
        """Stop where nothing that the appliance listed could be read: it would be published as if there were nothing.

        Raises:
            IncompleteError: Says why the rows could not be read.
        """
        sessions, unreadable, reason = self.work.connection.execute(
            "select (select count(*) from sessions where appliance = $appliance), count(*), mode(reason) "
            "from quarantine where appliance = $appliance and table_name = 'sessions'",
            {"appliance": self.appliance},
        ).fetchall()[0]
        if self.report.is_illegible or (unreadable and not sessions):
            doubt_windows(self.work, self.appliance, since=runs.fetch_last_done(self.work, self.appliance))
            raise IncompleteError(
                f"none of the sessions that the appliance listed could be read ({reason}): nothing was published; see "
                "spsetl doctor whether this is an SPS appliance, of a version that is known"
            )

    def _finish(self, status: str, *, error: str | None = None) -> None:
        report = self.report
        report.requests = self.client.requests_by_kind
        report.seconds = time.monotonic() - self.began
        report.details_pending = details.count_pending(self.work, appliance=self.appliance)
        report.warnings += [*report.unreadable, *describe_misfits(report.misfits), *self._remarks()]
        newest = runs.fetch_newest_start(self.work, self.appliance)
        is_watermark = self.run.kind == "sync" and status == "done"
        outcome = runs.Outcome(
            status=status,
            finished_at=datetime.now(UTC),
            ordered_at=self.steps.clock.now(),
            seconds=report.seconds,
            watermark=min(newest, self.run.started_at) if newest and is_watermark else None,
            sessions_seen=report.sessions_seen,
            sessions_new=report.sessions_new,
            sessions_changed=report.sessions_changed,
            sessions_missing=report.sessions_missing,
            sessions_moved=report.sessions_moved,
            quarantined=report.quarantined,
            requests_by_kind=report.requests,
            misfits=report.misfits,
            details_failed=report.details_failed,
            details_gone=report.details_gone,
            source_sessions=report.source_sessions,
            error=error,
        )
        with self.steps.lake.writer(appliance=self.appliance, run_id=self.run.run_id, part="run") as writer:
            writer.write({schema.SYNC_RUNS.name: runs.run_batch(self.run, outcome)})
        with self.work.transaction() as connection:
            merge_part(connection, writer.files)

    def _remarks(self) -> list[str]:
        """What the appliance made difficult."""
        remarks = []
        if self.client.throttle_lowered:
            remarks.append(f"the appliance was slow or busy: down to {self.client.lowest_concurrency} requests at once")
        snapshots = self.steps.snapshots
        if snapshots is not None and snapshots.was_busy:
            holder = (
                "the snapshot that the appliance gives is of an earlier run of this copy, and lacks what came since"
                if snapshots.is_of_earlier_run
                else "the snapshot is held by another program"
            )
            remarks.append(f"{holder}: the live list was read in windows, which is as complete")
        if snapshots is not None and snapshots.losses:
            remarks.append(f"the snapshot was lost {snapshots.losses} times, and opened again")
        return remarks


@contextmanager
def open_job(
    settings: Settings, *, kind: runs.RunKind, runner: StepRunner, progress: Progress, new_appliance: bool = False
) -> Iterator[Job]:
    """Everything that a run needs, until the block ends; then what it merged is published.

    A block that fails publishes nothing; what was merged before is kept, and not fetched again.

    Raises:
        SpsetlError: The settings are wrong, another holds the data directory, the appliance cannot be reached.
    """
    with watch_run(settings, kind=kind, progress=progress) as watch:
        access, places = prepare(settings)
        with (
            hold_copy(settings, places),
            _long_lived_objects_set_aside(),
            watch.recorded(places),
            unmasked(),
            connect(settings, access, places, progress, on_request=watch.on_request) as client,
        ):
            watch.requests_by_kind = lambda: client.requests_by_kind
            lake = Lake(places.lake)
            lake.remove_leftovers()
            with open_work(places, lake, memory=settings.merge_memory) as work, watch.measured(work):
                if kind == "reconcile":
                    require_known_name(work, access.appliance)
                else:
                    require_own_name(work, client, access.appliance, is_new=new_appliance)
                run = _begin_run(watch, access, settings)
                job = _make_job(settings, places, client, lake, work, runner, progress, run, watch.began)
                watch.report = job.report
                try:
                    yield job
                    with span("checkpoint"):
                        work.finish()
                finally:
                    job.steps.close()
            with span("publish"):
                publish(places.work, places.published)
            log.info("published", bytes=places.published.stat().st_size)
            job.report.published = True


@contextmanager
def _long_lived_objects_set_aside() -> Iterator[None]:
    """Pages of answers make Python's collector look for cycles often: let it not go through all loaded code as well."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _begin_run(watch: Watch, access: Access, settings: Settings) -> runs.Run:
    return runs.Run(
        run_id=watch.run_id,
        appliance=access.appliance,
        kind=watch.kind,
        strategy="windows",
        started_at=watch.started_at,
        range_start=None,
        range_end=None,
        version=__version__,
        details=settings.details,
    )


def _make_job(  # noqa: PLR0917 - the parts of a job, once
    settings: Settings,
    places: Places,
    client: Client,
    lake: Lake,
    work: WorkDatabase,
    runner: StepRunner,
    progress: Progress,
    run: runs.Run,
    began: float,
) -> Job:
    capabilities = ensure_capabilities(work, client, run.appliance, address=settings.url)
    strategy = choose_strategy(settings, capabilities)
    stopping = Event()
    is_snapshot = strategy == "snapshot"
    steps = Steps(
        client,
        lake,
        progress,
        clock=RunClock(runs.fetch_newest_order(work)),
        capabilities=capabilities,
        snapshots=share_snapshot(settings, places, client, run.appliance, stopping) if is_snapshot else None,
        budget=Budget.of(
            lambda: client.requests_by_kind.total(),  # noqa: PLW0108 - a new counter each time
            most_requests=settings.max_requests,
            minutes=settings.max_minutes,
        ),
        appliance=run.appliance,
        run_id=run.run_id,
        concurrency=settings.concurrency,
        stopping=stopping,
    )
    report = SyncReport(run_id=run.run_id, appliance=run.appliance, strategy=strategy)
    return Job(settings, client, work, steps, runner, progress, report, replace(run, strategy=strategy), began)


def prepare(settings: Settings) -> tuple[Access, Places]:
    """How to reach the appliance, and the folders of the copy.

    Raises:
        SettingsError: A setting is missing or wrong, or the folders cannot be written.
    """
    access = settings.for_appliance()
    places = Places.of(settings.data_dir)
    places.prepare()
    return access, places


def connect(
    settings: Settings, access: Access, places: Places, progress: Progress, *, on_request: OnRequest = None
) -> Client:
    """A client that is as considerate as the settings say."""

    def tell_of_quiet_hours(until: datetime) -> None:
        line = f"quiet hours: no requests until {until:%H:%M}"
        say(progress, line, event="quiet hours", until=until.isoformat(timespec="minutes"))

    return Client(
        access,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        quiet_hours=QuietHours.parse(settings.quiet_hours) if settings.quiet_hours else None,
        on_quiet=tell_of_quiet_hours,
        on_request=on_request,
        user_agent_suffix=places.token,
        limits=Limits.of("ANSWER", settings.answer_seconds, settings.answer_megabytes),
    )
