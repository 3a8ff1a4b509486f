"""`spsetl reconcile`: the appliance's counts beside the copy's."""

import sys

from spsetl.analysis.times import read_end, read_start
from spsetl.cli.options import SyncOptions
from spsetl.cli.output import print_table
from spsetl.cli.sync import run_and_show
from spsetl.seeing import is_told_as_events
from spsetl.settings import Settings
from spsetl.sync import Progress, ReconcileReport, ThreadRunner, run_reconcile

DEFAULTS = SyncOptions()


def reconcile(
    *, start: str | None = None, end: str | None = None, options: SyncOptions = DEFAULTS, json: bool = False
) -> int:
    """Compare the appliance's own counts with the copy, day by day; what differs is read again and compared again.

    Ends with exit code 3 if a difference stays.

    Args:
        start: Sessions that started at or after this: 2026-11-01, or with a time; all by default.
        end: Sessions that started before this; a date without a time is the end of that day.
        options: Which appliance, and where the copy is.
        json: One JSON object on stdout.
    """
    first, last = read_start(start) if start else None, read_end(end) if end else None

    def run(settings: Settings, progress: Progress) -> ReconcileReport:
        return run_reconcile(settings, start=first, end=last, runner=ThreadRunner(), progress=progress)

    return run_and_show(options.load_all(), run, _show, json=json)


def _show(report: ReconcileReport) -> None:
    rows = [(one.what, one.source, one.copy, one.verdict) for one in (*report.days, *report.protocols)]
    print_table(["day, or protocol", report.appliance, "copy", "verdict"], rows)
    if is_told_as_events():
        return  # the run has told it
    differing = sum(one.verdict == "differs" for one in (*report.days, *report.protocols))
    uncounted = sum(one.verdict == "uncounted" for one in report.days)
    print(
        f"{report.appliance}: {len(report.days)} days compared, {differing} differences stay, {uncounted} days that "
        f"the appliance does not count; {sum(report.requests.values()):,} requests in {report.seconds:,.1f} s",
        file=sys.stderr,
    )
