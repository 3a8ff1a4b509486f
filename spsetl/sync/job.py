"""What every run holds while it works: the lock, the appliance, the lake and the work database."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Final

import duckdb

from spsetl import __version__, schema
from spsetl.appliance.client import Client
from spsetl.appliance.limits import Limits
from spsetl.errors import ApplianceNameError, IncompleteError, SpsetlError
from spsetl.events import Listener, Teller
from spsetl.interrupts import INTERRUPTS, is_asked_to_end, unmasked
from spsetl.lake import Lake
from spsetl.runs import Kind, Run, describe_misfits
from spsetl.settings import Settings
from spsetl.settings.access import Access
from spsetl.sync.abilities import choose_strategy, ensure_capabilities, share_snapshot
from spsetl.sync.budget import Budget
from spsetl.sync.copy import open_work
from spsetl.sync.data_dir import DataDir, drop_last_run, keep_last_run
from spsetl.sync.names import hold_copy, require_known_name, require_own_name
from spsetl.sync.runner import StepRunner
from spsetl.sync.steps import RunClock, Steps
from spsetl.telemetry import start_telemetry
from spsetl.warehouse import checks, details, runs
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.merge import merge_part
from spsetl.warehouse.publish import publish
from spsetl.warehouse.windows import doubt_windows
from spsetl.warehouse.work import WorkDatabase

_NEW_OBJECTS: Final = 20_000  # before the collector looks; a page has ten thousand


@dataclass
class Job:
    """One run under way."""

    settings: Settings
    client: Client
    work: WorkDatabase
    steps: Steps
    runner: StepRunner
    teller: Teller
    run: Run

    @property
    def appliance(self) -> str:
        """Its name in the copy."""
        return self.run.appliance

    @contextmanager
    def recorded(self, range_start: datetime | None, range_end: datetime | None) -> Iterator[None]:
        """Say in sync_runs that the run is under way for this range of start_time, and at the end how it ended."""
        self.run.range_start, self.run.range_end = range_start, range_end
        runs.begin_run(self.work, self.run)
        try:
            with unmasked():
                yield
                self._check()
        except (SpsetlError, *INTERRUPTS) as error:
            self._finish(error)
            raise
        self._finish(None)

    def stop(self) -> None:
        """Let the steps that are under way end soon; say so to who asked for it."""
        if is_asked_to_end():
            line = "stopping, and keeping what was fetched; once more, and it will end at once"
            self.teller.say(line, event="stopping")
        self.steps.stop()

    def _check(self) -> None:
        self._require_legible()
        with self.teller.span("marts"):
            build_marts(self.work, self.settings.office_hours)
        with self.teller.span("checks"):
            results = checks.run_checks(self.work)
        self.run.warnings += [f"{r.name}: {r.offending_rows} rows" for r in results if r.offending_rows]
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
        if self.run.is_illegible or (unreadable and not sessions):
            doubt_windows(self.work, self.appliance, since=runs.fetch_last_done(self.work, self.appliance))
            raise IncompleteError(
                f"none of the sessions that the appliance listed could be read ({reason}): nothing was published; see "
                "spsetl doctor whether this is an SPS appliance, of a version that is known"
            )

    def _finish(self, error: BaseException | None) -> None:
        run = self.run
        run.requests = self.client.requests_by_kind
        run.details_pending = details.count_pending(self.work, appliance=self.appliance)
        run.warnings += [*run.unreadable_tables, *describe_misfits(run.misfits), *self._remarks()]
        run.end(error)
        newest = runs.fetch_newest_start(self.work, self.appliance)
        is_watermark = run.kind == "sync" and error is None
        row = run.as_row(
            ordered_at=self.steps.clock.now(),
            watermark=min(newest, run.started_at) if newest and is_watermark else None,
        )
        with self.steps.lake.writer(appliance=self.appliance, run_id=run.run_id, part="run") as writer:
            writer.write({schema.SYNC_RUNS.name: runs.run_batch(row)})
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
    settings: Settings, *, kind: Kind, runner: StepRunner, teller: Teller, new_appliance: bool = False
) -> Iterator[Job]:
    """Everything that a run needs, until the block ends; then what it merged is published.

    A block that fails publishes nothing; what was merged before is kept, and not fetched again.

    Raises:
        SpsetlError: The settings are wrong, another holds the data directory, the appliance cannot be reached.
    """
    run = Run(appliance=settings.name or "", kind=kind, details=settings.details)
    with _told(run, settings, teller) as told:
        access, places = prepare(settings)
        with (
            hold_copy(settings, places),
            _long_lived_objects_set_aside(),
            _kept(run, places, told),
            unmasked(),
            connect(settings, access, places, told) as client,
        ):
            lake = Lake(places.lake)
            lake.remove_leftovers()
            with (
                _counted(run, client),
                open_work(places, lake, memory=settings.merge_memory) as work,
                _measured(run, work, settings),
            ):
                if kind == "reconcile":
                    require_known_name(work, run.appliance)
                else:
                    require_own_name(work, client, run.appliance, is_new=new_appliance)
                job = _make_job(settings, places, client, lake, work, runner, told, run)
                try:
                    yield job
                    with told.span("checkpoint"):
                        work.finish()
                finally:
                    job.steps.close()
            with told.span("publish"):
                publish(places.work, places.published)
            told.info("published", bytes=places.published.stat().st_size)
            run.published = True


@contextmanager
def _told(run: Run, settings: Settings, teller: Teller) -> Iterator[Teller]:
    """Tell of the run that the block is, from its begin to its end. Nothing here changes how it ends."""
    telemetry, remarks = start_telemetry()
    listeners: list[Listener] = [*teller.listeners, *([telemetry] if telemetry else [])]
    if settings.metrics_file and run.appliance:
        from spsetl.metrics import MetricsFile  # noqa: PLC0415 - prometheus_client is not for every run

        published = DataDir.of(settings.data_dir).published
        listeners.append(MetricsFile(settings.metrics_file, published, warn=lambda line: warn(line)))  # noqa: PLW0108
    told = Teller(*listeners, run_id=run.run_id, appliance=run.appliance)
    warn = told.warn
    told.info("run started", kind=run.kind, version=__version__)
    for remark in (*settings.remarks, *remarks):
        told.warn(remark)
    try:
        with told.span(f"spsetl {run.kind}", kind=run.kind, run_id=run.run_id, appliance=run.appliance):
            yield told
    except BaseException as error:
        run.end(error)
        raise
    else:
        run.end()
    finally:
        told.end(run)
        for remark in telemetry.close() if telemetry else ():
            told.warn(remark)


@contextmanager
def _kept(run: Run, places: DataDir, teller: Teller) -> Iterator[None]:
    """Write down beside the copy how the run goes, while the data directory is ours."""
    _keep(run, places, teller)
    try:
        yield
    except ApplianceNameError:
        run.is_of_copy = False
        drop_last_run(places.private, run)
        raise
    except BaseException as error:
        run.end(error)
        _keep(run, places, teller)
        raise
    run.end()
    _keep(run, places, teller)


def _keep(run: Run, places: DataDir, teller: Teller) -> None:
    try:
        keep_last_run(places.private, run)
    except OSError as error:
        teller.warn(f"how the run goes cannot be written to {places.private}: {error.strerror}")


@contextmanager
def _counted(run: Run, client: Client) -> Iterator[None]:
    try:
        yield
    finally:
        run.requests = client.requests_by_kind


@contextmanager
def _measured(run: Run, work: WorkDatabase, settings: Settings) -> Iterator[None]:
    """Look at the end of the block how far the copy is, if anybody asks."""
    try:
        yield
    finally:
        if settings.metrics_file:
            with suppress(duckdb.Error):  # what made the run fail is told by others
                run.copy = runs.fetch_copy_figures(work, run.appliance)


@contextmanager
def _long_lived_objects_set_aside() -> Iterator[None]:
    """Pages are thousands of dicts without a cycle: let Python's collector look seldom, and not through loaded code."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *thresholds[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def _make_job(  # noqa: PLR0917 - the parts of a job, once
    settings: Settings,
    places: DataDir,
    client: Client,
    lake: Lake,
    work: WorkDatabase,
    runner: StepRunner,
    teller: Teller,
    run: Run,
) -> Job:
    capabilities = ensure_capabilities(work, client, run.appliance, address=settings.url)
    run.strategy = choose_strategy(settings, capabilities)
    stopping = Event()
    is_snapshot = run.strategy == "snapshot"
    steps = Steps(
        client,
        lake,
        teller,
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
    return Job(settings, client, work, steps, runner, teller, run)


def prepare(settings: Settings) -> tuple[Access, DataDir]:
    """How to reach the appliance, and the folders of the copy.

    Raises:
        SettingsError: A setting is missing or wrong, or the folders cannot be written.
    """
    access = settings.for_appliance()
    places = DataDir.of(settings.data_dir)
    places.prepare()
    return access, places


def connect(settings: Settings, access: Access, places: DataDir, teller: Teller) -> Client:
    """A client that is as considerate as the settings say."""

    def tell_of_quiet_hours(until: datetime) -> None:
        line = f"quiet hours: no requests until {until:%H:%M}"
        teller.say(line, event="quiet hours", until=until.isoformat(timespec="minutes"))

    return Client(
        access,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        quiet_hours=settings.quiet_hours,
        on_quiet=tell_of_quiet_hours,
        teller=teller,
        user_agent_suffix=places.token,
        limits=Limits.of("ANSWER", settings.answer_seconds, settings.answer_megabytes),
    )
