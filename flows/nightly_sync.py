"""The nightly sync as Prefect flows: the same steps as `spsetl sync`, a task a window or batch, its outcome to see.

Run by hand with `python -m flows.nightly_sync`. Settings come from the worker's environment and `spsetl.toml`, as for
the command line: parameters of a flow are shown to everybody, so there is no place for a password here.
"""

import time
from functools import partial
from typing import Any

from prefect import flow, get_run_logger, tags

from flows.appliances import load_chosen, name_all, name_of, name_sync
from flows.outcomes import describe_gaps, key_of, show_failure, show_sync
from flows.progress import ShownProgress
from flows.stopping import ended_soon
from flows.tasks import Tasks, run_all
from spsetl.errors import ApplianceError, IncompleteError, SpsetlError
from spsetl.settings import Settings
from spsetl.sync import SyncReport, run_sync


@flow(name="sync-appliance", flow_run_name=name_sync)
def sync_appliance(appliance: str, accept_missing: bool = False) -> SyncReport:
    """Bring the copy of one appliance up to date and publish it.

    Args:
        appliance: Its name in the copy.
        accept_missing: Publish although more sessions are gone from the appliance than SPSETL_MOST_MISSING allows.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole; the run ends Failed.
    """
    [settings] = load_chosen([appliance])
    progress = ShownProgress(get_run_logger(), key_of("progress", appliance))
    try:
        report = run_sync(settings, runner=Tasks(), progress=progress, accept_missing=accept_missing)
    except SpsetlError as error:
        show_failure(settings, error, "sync")
        raise
    progress.end()
    show_sync(settings, report, "sync")
    if not report.is_complete:
        raise IncompleteError(describe_gaps(report))
    return report


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
    run = partial(sync_with_retry, accept_missing=accept_missing, retry_minutes=retry_minutes)
    with ended_soon():
        return run_all(load_chosen(appliances), run)


def sync_with_retry(settings: Settings, *, accept_missing: bool, retry_minutes: float) -> SyncReport:
    """Sync one appliance, and once more if it could not be reached: nothing else mends by itself."""
    sync = partial(sync_appliance, name_of(settings), accept_missing=accept_missing)
    with tags("spsetl", "sync", name_of(settings)):
        try:
            return sync()
        except ApplianceError as error:
            get_run_logger().warning("%s: %s; once more in %g minutes", name_of(settings), error, retry_minutes)
            time.sleep(60 * retry_minutes)
            return sync()


if __name__ == "__main__":
    with tags("spsetl", "sync"):
        nightly_sync()
