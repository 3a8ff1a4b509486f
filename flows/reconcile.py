"""The reconciliation as a Prefect flow: the appliance's counts beside the copy's, as an artifact to look at.

Run by hand with `python -m flows.reconcile`. Settings come from the worker's environment and `spsetl.toml`.
"""

from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow, get_run_logger, tags

from flows.appliances import load_chosen, name_all, name_of
from flows.outcomes import describe_differences, key_of, show_failure, show_reconcile
from flows.progress import ShownProgress
from flows.stopping import ended_soon
from flows.tasks import Tasks, run_all
from spsetl.analysis.times import read_start
from spsetl.errors import IncompleteError, SpsetlError
from spsetl.settings import Settings
from spsetl.sync import ReconcileReport, run_reconcile


def reconcile_one(settings: Settings, *, start: datetime | None, end: datetime | None) -> ReconcileReport:
    """Compare one appliance with its copy; the counts are kept as artifacts."""
    progress = ShownProgress(get_run_logger(), key_of("progress", name_of(settings)))
    try:
        report = run_reconcile(settings, start=start, end=end, runner=Tasks(), progress=progress)
    except SpsetlError as error:
        show_failure(settings, error, "reconcile")
        raise
    progress.end()
    show_reconcile(report)
    if not report.is_complete:
        raise IncompleteError(describe_differences(report))
    return report


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
    first, last = start and read_start(start), end and read_start(end)
    with ended_soon():
        return run_all(load_chosen(appliances), partial(reconcile_one, start=first, end=last))


if __name__ == "__main__":
    with tags("spsetl", "reconcile"):
        reconcile()
