"""`spsetl reconcile`: the appliance's counts beside the copy's."""

from spsetl.analysis.times import read_end, read_start
from spsetl.cli.options import SyncOptions
from spsetl.cli.output import print_table
from spsetl.cli.sync import run_and_show
from spsetl.events import Teller
from spsetl.runs import Run
from spsetl.settings import Settings
from spsetl.sync import ThreadRunner, run_reconcile

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

    def run(settings: Settings, teller: Teller) -> Run:
        return run_reconcile(settings, start=first, end=last, runner=ThreadRunner(), teller=teller)

    return run_and_show(options.load_all(), run, print_rows=_print_counts, summarize=_summarize, json=json)


def _print_counts(run: Run) -> None:
    rows = [(one.what, one.source, one.copy, one.verdict) for one in (*run.days, *run.protocols)]
    print_table(["day, or protocol", run.appliance, "copy", "verdict"], rows)


def _summarize(run: Run) -> str:
    uncounted = sum(one.verdict == "uncounted" for one in run.days)
    return (
        f"{run.appliance}: {len(run.days)} days compared, {len(run.differing)} differences stay, {uncounted} days that "
        f"the appliance does not count; {sum(run.requests.values()):,} requests in {run.seconds:,.1f} s"
    )
