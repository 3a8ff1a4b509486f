"""The nightly sync as a Prefect flow: the same steps as `spsetl sync`, a task a window or batch, its outcome to see.

Run by hand with `python -m flows.nightly_sync`. Settings come from the worker's environment and `spsetl.toml`, as for
the command line: parameters of a flow are shown to everybody, so there is no place for a password here.
"""

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.tasks import THREADS, LoggedProgress, Tasks
from spsetl.errors import IncompleteError
from spsetl.settings import Settings, load_appliances
from spsetl.sync import AppliancesRun, SyncReport, exit_code_of, run_each, run_sync


def describe(report: SyncReport) -> str:
    """The outcome as markdown."""
    facts = [
        ("appliance", report.appliance),
        ("sessions seen", f"{report.sessions_seen:,}"),
        ("new", f"{report.sessions_new:,}"),
        ("changed", f"{report.sessions_changed:,}"),
        ("gone", f"{report.sessions_missing:,}"),
        ("windows that differ", f"{report.windows_differing:,}"),
        ("details pending", f"{report.details_pending:,}"),
        ("quarantined rows", f"{report.quarantined:,}"),
        ("requests", ", ".join(f"{kind} {count:,}" for kind, count in sorted(report.requests.items()))),
        ("seconds", f"{report.seconds:,.1f}"),
        ("published", "yes" if report.published else "no"),
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    return f"## Sync {report.run_id}\n\n| | |\n|---|---|\n{rows}\n"


def sync_one(settings: Settings) -> SyncReport:
    """Bring the copy of one appliance up to date and publish it; the outcome is kept as an artifact."""
    report = run_sync(settings, runner=Tasks(), progress=LoggedProgress(get_run_logger()))
    create_markdown_artifact(key="spsetl-sync", markdown=describe(report), description="Outcome of the last sync")
    return report


@flow(name="nightly-sync", task_runner=THREADS)
def nightly_sync() -> list[dict[str, Any]]:
    """Bring the copy of each appliance up to date, one after the other; one that fails does not stop the others.

    Raises:
        SpsetlError: Why it failed, or what could not be fetched whole; the run ends Failed.
    """
    logger = get_run_logger()
    done = run_each(load_appliances(), sync_one, complain=logger.error)
    if len(done) == 1 and done[0].error:
        raise done[0].error
    if exit_code_of(done):
        raise IncompleteError("; ".join(failure_of(one) for one in done if one.exit_code))
    return [one.report.as_json() for one in done if one.report]


def failure_of(one: AppliancesRun[SyncReport]) -> str:
    """What went wrong, in a line."""
    if one.report is None:
        return f"{one.appliance}: {one.error}"
    return (
        f"{one.appliance}: {one.report.details_failed} sessions have details that could not be fetched whole, "
        f"{one.report.windows_differing} windows differ from the appliance's count; the rest is published"
    )


if __name__ == "__main__":
    nightly_sync()
