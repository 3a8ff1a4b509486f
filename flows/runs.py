"""The runs as Prefect flows: the same steps as the command line, a task a window or batch, the outcome to see.

Run by hand with `python -m flows.runs nightly-sync`, or reconcile, or report. Settings come from the worker's
environment and `spsetl.toml`, as for the command line: parameters of a flow are shown to everybody, so there is no
place for a password here.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from prefect import Task, flow, get_run_logger, tags
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run

from flows.show import Shown, describe_gaps, key_of, plain, show_failure, show_run
from flows.stopping import ended_soon
from spsetl import open_warehouse
from spsetl.analysis.times import read_range, read_start
from spsetl.errors import ApplianceError, IncompleteError, SettingsError, SpsetlError, UsageError
from spsetl.events import Teller
from spsetl.report import write_report
from spsetl.runs import Run
from spsetl.settings import Settings, load_appliances
from spsetl.sync import ThreadRunner, run_backfill, run_each, run_reconcile, run_sync

Item = TypeVar("Item")
Result = TypeVar("Result")
_WATERMARK: Final = """
select max(watermark) from sync_runs where appliance = $appliance and status = 'done' and kind = 'sync'
"""


class Tasks(ThreadRunner):
    """Runs each step of a run as a task of the flow, in the threads that it would have without Prefect."""

    def map(
        self,
        name: str,
        step: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        workers: int,
        stop: Callable[[], None],
    ) -> Iterator[Result]:
        """See spsetl.sync.StepRunner. Results are not cached: what is done is known by the warehouse alone."""
        task: Task[..., Any] = Task(step, name=name, cache_policy=NO_CACHE, persist_result=False)
        return super().map(name, task, items, workers=workers, stop=stop)


def load_chosen(names: Sequence[str] | None) -> list[Settings]:
    """The settings of the appliances with these names; of all, if there are none.

    Raises:
        SettingsError: A setting is wrong, or no appliance has the name.
    """
    by_name = {settings.name or "appliance": settings for settings in load_appliances()}
    if unknown := set(names or ()) - set(by_name):
        raise SettingsError(f"no appliance is called {', '.join(sorted(unknown))}; there is {', '.join(by_name)}")
    return [settings for name, settings in by_name.items() if not names or name in names]


def name_sync() -> str:
    """The run's name: which appliance, and from where on."""
    appliance = flow_run.parameters["appliance"]
    start = _look_back(appliance)
    return f"{appliance} from {start:%Y-%m-%d %H:%M} UTC" if start else f"{appliance} from the first session"


def name_all() -> str:
    """The run's name: which appliances, and of which sessions."""
    parameters = flow_run.parameters
    try:
        names = [settings.name or "appliance" for settings in load_chosen(parameters.get("appliances"))]
    except SpsetlError:
        names = ["unknown appliances"]  # the run itself fails with the reason
    return f"{', '.join(names)} {_range(parameters.get('start'), parameters.get('end'))}"


def _range(start: datetime | None, end: datetime | None) -> str:
    if start is None and end is None:
        return "whole" if "start" in flow_run.parameters else "new and changed"
    first = f"from {start:%Y-%m-%d %H:%M}" if start else "from the first session"
    return f"{first} to {end:%Y-%m-%d %H:%M}" if end else first


def _look_back(appliance: str) -> datetime | None:
    """Where the list is read from: the look-back before the last complete sync; None before the first."""
    try:
        [settings] = load_chosen([appliance])
        with open_warehouse(settings.data_dir) as warehouse:
            watermark: datetime | None = warehouse.rows(_WATERMARK, {"appliance": appliance})[1][0][0]
    except SpsetlError:
        return None  # nothing is published yet
    return watermark - timedelta(hours=settings.lookback) if watermark else None


def run_one(settings: Settings, run: Callable[..., Run], *, kind: str) -> Run:
    """Run for one appliance; its progress and its outcome are kept as artifacts.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole.
    """
    appliance = settings.name or "appliance"
    teller = Teller(Shown(get_run_logger(), key_of("progress", appliance)))
    try:
        done = run(settings, runner=Tasks(), teller=teller)
    except SpsetlError as error:
        show_failure(appliance, error, kind)
        raise
    show_run(settings, done)
    if not done.is_complete:
        raise IncompleteError(describe_gaps(done))
    return done


def run_all(appliances: Sequence[str] | None, run: Callable[[Settings], Run]) -> list[dict[str, Any]]:
    """Run for one appliance after the other; one that fails does not stop the others, and fails the whole.

    Args:
        appliances: Their names; None for all.
        run: Does it for one, and raises what is wrong or incomplete.

    Returns:
        What each run reported.

    Raises:
        SpsetlError: Why it failed, or what is incomplete.
    """
    with ended_soon():
        chosen = load_chosen(appliances)
        with _logged(chosen[0].log_level):
            done = run_each(chosen, run, complain=get_run_logger().error)
    if failed := [one for one in done if one.error]:
        raise IncompleteError("; ".join(f"{one.appliance}: {one.error}" for one in failed))
    return [one.as_json() for one in done]


@contextmanager
def _logged(level: str) -> Iterator[None]:
    """Let what spsetl itself says stand in the log of the run."""
    logger, handler = logging.getLogger("spsetl"), APILogHandler()
    before = logger.level
    logger.addHandler(handler)
    if before == logging.NOTSET:
        logger.setLevel(level.upper())
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@flow(name="sync-appliance", flow_run_name=name_sync)
def sync_appliance(appliance: str, accept_missing: bool = False) -> Run:
    """Bring the copy of one appliance up to date and publish it.

    Args:
        appliance: Its name in the copy.
        accept_missing: Publish although more sessions are gone from the appliance than SPSETL_MOST_MISSING allows.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole; the run ends Failed.
    """
    [settings] = load_chosen([appliance])
    return run_one(settings, partial(run_sync, accept_missing=accept_missing), kind="sync")


@flow(name="nightly-sync", flow_run_name=name_all)
def nightly_sync(
    appliances: list[str] | None = None, accept_missing: bool = False, retry_minutes: float = 5
) -> list[dict[str, Any]]:
    """Bring the copy of each appliance up to date, one after the other; one that fails does not stop the others.

    Args:
        appliances: Names of the appliances to sync; all of spsetl.toml by default.
        accept_missing: Publish although more sessions are gone from an appliance than SPSETL_MOST_MISSING allows.
        retry_minutes: Minutes after which an appliance that could not be reached is tried once more.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole; the run ends Failed.
    """
    return run_all(appliances, partial(sync_with_retry, accept_missing=accept_missing, retry_minutes=retry_minutes))


def sync_with_retry(settings: Settings, *, accept_missing: bool, retry_minutes: float) -> Run:
    """Sync one appliance, and once more if it could not be reached: nothing else mends by itself."""
    appliance = settings.name or "appliance"
    sync = partial(sync_appliance, appliance, accept_missing=accept_missing)
    with tags("spsetl", "sync", appliance):
        try:
            return sync()
        except ApplianceError as error:
            get_run_logger().warning("%s: %s; once more in %g minutes", appliance, error, retry_minutes)
            time.sleep(60 * retry_minutes)
            return sync()


@flow(name="backfill", flow_run_name=name_all)
def backfill(start: datetime, end: datetime, appliances: list[str] | None = None) -> list[dict[str, Any]]:
    """Read all sessions that started in a range, the newest first, with their details, and publish them.

    Continues a stopped backfill when the same range is asked for again.

    Args:
        start: Sessions that started at or after this; UTC if it says no time zone.
        end: Sessions that started before this; UTC if it says no time zone.
        appliances: Names of the appliances to read; all of spsetl.toml by default.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole; the run ends Failed.
    """
    first, last = read_start(start), read_start(end)
    read_range(first, last)
    run = partial(run_backfill, start=first, end=last)
    return run_all(appliances, partial(run_one, run=run, kind="backfill"))


@flow(name="reconcile", flow_run_name=name_all)
def reconcile(
    start: datetime | None = None, end: datetime | None = None, appliances: list[str] | None = None
) -> list[dict[str, Any]]:
    """Compare each appliance's own counts with the copy, day by day, and fetch what it lacks.

    Args:
        start: Sessions that started at or after this, UTC if it says no time zone; all by default.
        end: Sessions that started before this, UTC if it says no time zone; by default as far as the last sync got.
        appliances: Names of the appliances to compare; all of spsetl.toml by default.

    Raises:
        SpsetlError: Why it failed, or which appliances differ; the run ends Failed.
    """
    run = partial(run_reconcile, start=start and read_start(start), end=end and read_start(end))
    return run_all(appliances, partial(run_one, run=run, kind="reconcile"))


def name_report() -> str:
    """The run's name: of which days."""
    first, last = period_of(flow_run.parameters.get("start"), flow_run.parameters.get("end"), today())
    return f"all appliances from {first} to {last}"


@flow(name="report", flow_run_name=name_report)
def report(start: date | None = None, end: date | None = None) -> str:
    """Write one HTML page about a period, in reports/ of the data directory, and link to it. Asks no appliance.

    Args:
        start: First day of the period (UTC); by default the first of the month of its end.
        end: Last day of the period (UTC), included; by default the last day of the month before this one.

    Returns:
        Where the page is.

    Raises:
        SpsetlError: Nothing is published yet, or the extra spsetl[report] is not installed; the run ends Failed.
    """
    settings = load_appliances()[0]  # the data directory is the same for all
    first, last = period_of(start, end, today())
    hours = str(settings.office_hours)
    path = write_report(settings.data_dir, start=first, end=last, since=first, office_hours=hours).resolve()
    create_link_artifact(
        key="spsetl-report",
        link=path.as_uri(),
        link_text=path.name,
        description=f"From {first} to {last}, on the worker's machine: {plain(path)}",
    )
    return str(path)


def today() -> date:
    """The day it is (UTC)."""
    return datetime.now(UTC).date()


def period_of(start: date | None, end: date | None, now: date) -> tuple[date, date]:
    """The first and the last day; what is not said is the last whole calendar month, or begins with the end's month."""
    last = end or now.replace(day=1) - timedelta(days=1)
    return start or last.replace(day=1), last


if __name__ == "__main__":
    flows: dict[str, Callable[[], Any]] = {"nightly-sync": nightly_sync, "reconcile": reconcile, "report": report}
    if sys.argv[1:2] == [] or sys.argv[1] not in flows:
        print(f"spsetl: name one flow: {', '.join(flows)}", file=sys.stderr)
        sys.exit(UsageError.exit_code)
    with tags("spsetl", sys.argv[1]):
        flows[sys.argv[1]]()
