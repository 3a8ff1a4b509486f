"""The composition of a sync and of a backfill. Each step can be killed at any instant and run again, to one end."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from spsetl.errors import SpsetlError
from spsetl.events import SILENT, Teller
from spsetl.extract.counts import count_all
from spsetl.lake import Lake
from spsetl.runs import Run
from spsetl.settings import Settings
from spsetl.sync.copy import open_work
from spsetl.sync.job import Job, connect, open_job, prepare
from spsetl.sync.names import hold_copy, require_own_name
from spsetl.sync.phases import compare_totals, fetch_details, read_windows, require_presence
from spsetl.sync.planning import Range, plan_backfill, plan_changes, plan_lists
from spsetl.sync.policies import copy_policies, warn_of_cleanup
from spsetl.sync.runner import StepRunner
from spsetl.warehouse.appliances import fetch_capabilities
from spsetl.window import EPOCH, Window


def run_sync(
    settings: Settings,
    *,
    runner: StepRunner,
    teller: Teller = SILENT,
    accept_missing: bool = False,
    new_appliance: bool = False,
) -> Run:
    """Bring the copy up to date and publish it.

    A failure leaves the published file as it was; what was merged before it is kept, and not fetched again.

    Args:
        settings: What to sync, and where to.
        runner: Runs windows and batches side by side.
        teller: Tells what happens.
        accept_missing: Publish although many sessions have gone from the appliance.
        new_appliance: It is another one, though the copy has sessions with the same keys under another name.

    Raises:
        SpsetlError: Why it could not be done; its exit code says of what kind.
    """
    with open_job(settings, kind="sync", runner=runner, teller=teller, new_appliance=new_appliance) as job:
        with job.teller.span("plan"):
            planned = plan_lists(job.work, job.client, job.steps.capabilities, job.appliance, settings)
        with job.recorded(_start_of(planned), None):
            read_windows(job, "list", planned.windows)
            source_sessions = count_all(job.client, job.steps.capabilities)
            _read_changes(job, planned, source_sessions)
            compare_totals(job, source_sessions)
            copy_policies(job)
            # Before a refusal: what the appliance removes meanwhile has no details any more.
            fetch_details(job)
            require_presence(job, accept_missing=accept_missing)
        warn_of_cleanup(job)
    return job.run


def _read_changes(job: Job, listed: Range, source_sessions: int | None) -> None:
    """Look at what was not listed: all of it, or what is due tonight and what can change by itself."""
    sweep, waiting = plan_changes(
        job.work,
        job.client,
        job.steps.capabilities,
        job.appliance,
        settings=job.settings,
        listed=listed,
        source_sessions=source_sessions,
        now=datetime.now(UTC),
    )
    _sweep(job, sweep.windows)
    read_windows(job, "open", waiting)


def _sweep(job: Job, windows: Sequence[Window]) -> None:
    # Where the list does not give the revision, what is swept is read whole, and a hash stands in for it.
    read_windows(job, "list" if job.steps.capabilities.has_revision is False else "sweep", windows)


def run_backfill(
    settings: Settings,
    *,
    start: datetime,
    end: datetime,
    runner: StepRunner,
    teller: Teller = SILENT,
    new_appliance: bool = False,
) -> Run:
    """Read one range of start_time whole, the newest first, with its details, and publish it.

    One that was stopped is gone on with: of what it had read only what differs is read again.

    Args:
        settings: What to read, and where to.
        start: Aware; inclusive.
        end: Aware; exclusive.
        runner: Runs windows and batches side by side.
        teller: Tells what happens.
        new_appliance: As `run_sync`.

    Raises:
        SpsetlError: Why it could not be done; its exit code says of what kind.
    """
    with open_job(settings, kind="backfill", runner=runner, teller=teller, new_appliance=new_appliance) as job:
        with job.teller.span("plan"):
            planned = plan_backfill(
                job.work, job.client, job.steps.capabilities, job.appliance, settings, start=start, end=end
            )
        with job.recorded(start, end):
            read_windows(job, "list", planned.windows)
            _sweep(job, planned.stale)
            fetch_details(job, start=start, end=end)
            require_presence(job, accept_missing=False)
    return job.run


def plan_sync(settings: Settings, *, new_appliance: bool = False) -> Run:
    """The windows that a sync would list now: what `sync --dry-run` shows. Asks the appliance, writes nothing of it."""
    access, places = prepare(settings)
    with (
        hold_copy(settings, places),
        connect(settings, access, places, SILENT) as client,
        open_work(places, Lake(places.lake), memory=settings.merge_memory) as work,
    ):
        require_own_name(work, client, access.appliance, is_new=new_appliance)
        kept = fetch_capabilities(work, access.appliance)
        planned = plan_lists(work, client, kept and kept[0], access.appliance, settings)
    return Run(appliance=access.appliance, kind="dry run", planned=[(w.start, w.end) for w in planned.windows])


def run_each(
    all_settings: Sequence[Settings], run: Callable[[Settings], Run], *, complain: Callable[[str], None]
) -> list[Run]:
    """Run for one appliance after the other: one that fails does not keep the others from being copied.

    Args:
        all_settings: Of each appliance.
        run: What is to be done with it.
        complain: Is told, in one line, of each that failed.

    Raises:
        SpsetlError: Why the only one failed.
    """
    if len(all_settings) == 1:
        return [run(all_settings[0])]
    done = []
    for settings in all_settings:
        try:
            done.append(run(settings))
        except SpsetlError as error:
            failed = Run(appliance=settings.name or "")
            failed.end(error)
            complain(f"{failed.appliance}: {error}")
            done.append(failed)
    return done


def _start_of(planned: Range) -> datetime | None:
    return None if planned.start == EPOCH else planned.start
