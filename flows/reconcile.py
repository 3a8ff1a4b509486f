"""The reconciliation as a Prefect flow: the appliance's counts beside the copy's, as an artifact to look at.

Run by hand with `python -m flows.reconcile`. Settings come from the worker's environment and `spsetl.toml`.
"""

from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.tasks import THREADS, LoggedProgress, Tasks
from spsetl.errors import IncompleteError
from spsetl.settings import Settings, load_appliances
from spsetl.sync import ReconcileReport, exit_code_of, run_each, run_reconcile


def describe(report: ReconcileReport) -> str:
    """The outcome as markdown."""
    compared = [*report.days, *report.protocols]
    facts = [
        ("appliance", report.appliance),
        ("from", f"{report.start:%Y-%m-%d %H:%M:%S} UTC"),
        ("to", f"{report.end:%Y-%m-%d %H:%M:%S} UTC"),
        *((verdict, sum(one.verdict == verdict for one in compared)) for verdict in ("equal", "drift", "mended")),
        *((verdict, sum(one.verdict == verdict for one in compared)) for verdict in ("differs", "uncounted")),
        ("requests", sum(report.requests.values())),
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    verdict = "equal" if report.is_complete else "not equal"
    return f"## Reconciliation {report.run_id}: {verdict}\n\n| | |\n|---|---|\n{rows}\n"


def reconcile_one(settings: Settings, *, start: datetime | None, end: datetime | None) -> ReconcileReport:
    """Compare one appliance with its copy; the counts are kept as artifacts."""
    progress = LoggedProgress(get_run_logger())
    report = run_reconcile(settings, start=start, end=end, runner=Tasks(), progress=progress)
    create_markdown_artifact(key="spsetl-reconcile", markdown=describe(report), description="Outcome of the last one")
    rows = [
        {"day": one.what, "source": one.source, "copy": one.copy, "verdict": one.verdict}
        for one in (*report.days, *report.protocols)
    ]
    create_table_artifact(key="spsetl-reconcile-days", table=rows, description="Counts of the appliance and the copy")
    return report


@flow(name="reconcile", task_runner=THREADS)
def reconcile(start: datetime | None = None, end: datetime | None = None) -> list[dict[str, Any]]:
    """Compare each appliance's own counts with the copy, day by day, and fetch what it lacks.

    Args:
        start: Sessions that started at or after this, with a time zone; all by default.
        end: Sessions that started before this, with a time zone; the last sync's watermark by default.

    Raises:
        SpsetlError: Why it failed, or which appliances differ; the run ends Failed.
    """
    logger = get_run_logger()
    done = run_each(load_appliances(), partial(reconcile_one, start=start, end=end), complain=logger.error)
    if len(done) == 1 and done[0].error:
        raise done[0].error
    if exit_code_of(done):
        raise IncompleteError(
            "; ".join(f"{one.appliance}: {one.error or 'the copy differs'}" for one in done if one.exit_code)
        )
    return [one.report.as_json() for one in done if one.report]


if __name__ == "__main__":
    reconcile()
