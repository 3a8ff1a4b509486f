"""The backfill as a Prefect flow: one range of start_time, read whole, the newest sessions first.

Run it from Prefect's page, or with `prefect deployment run backfill/backfill -p start=… -p end=…`; without a server
there is `spsetl backfill`. Settings come from the worker's environment and `spsetl.toml`.
"""

from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow, get_run_logger

from flows.appliances import load_chosen, name_all, name_of
from flows.outcomes import describe_gaps, key_of, show_failure, show_sync
from flows.progress import ShownProgress
from flows.stopping import ended_soon
from flows.tasks import Tasks, run_all
from spsetl.analysis.times import read_range, read_start
from spsetl.errors import IncompleteError, SpsetlError
from spsetl.settings import Settings
from spsetl.sync import SyncReport, run_backfill


def backfill_one(settings: Settings, *, start: datetime, end: datetime) -> SyncReport:
    """Read the range of one appliance; the outcome is kept as artifacts."""
    appliance = name_of(settings)
    progress = ShownProgress(get_run_logger(), key_of("progress", appliance))
    try:
        report = run_backfill(settings, start=start, end=end, runner=Tasks(), progress=progress)
    except SpsetlError as error:
        show_failure(settings, error, "backfill")
        raise
    progress.end()
    show_sync(settings, report, "backfill")
    if not report.is_complete:
        raise IncompleteError(describe_gaps(report))
    return report


@flow(name="backfill", flow_run_name=name_all)
def backfill(start: datetime, end: datetime, appliances: list[str] | None = None) -> list[dict[str, Any]]:
    """Read all sessions that started in a range, the newest first, with their details, and publish them.

    A run that was stopped is gone on with when the same range is asked for again.

    Args:
        start: Sessions that started at or after this; UTC if it says no time zone.
        end: Sessions that started before this; UTC if it says no time zone.
        appliances: Names of the appliances to read; all of spsetl.toml by default.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole; the run ends Failed.
    """
    first, last = read_start(start), read_start(end)
    read_range(first, last)
    with ended_soon():
        return run_all(load_chosen(appliances), partial(backfill_one, start=first, end=last))
