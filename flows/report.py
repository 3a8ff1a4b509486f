"""The report as a Prefect flow: one HTML page of the state of things, and a link to it.

Run by hand with `python -m flows.report`. It reads what is published, and asks no appliance.
"""

from datetime import UTC, date, datetime, timedelta

from prefect import flow, tags
from prefect.artifacts import create_link_artifact
from prefect.runtime import flow_run

from flows.outcomes import plain
from spsetl.report import write_report
from spsetl.settings import load_appliances


def name_report() -> str:
    """The run's name: of which days."""
    first, last = period_of(flow_run.parameters.get("start"), flow_run.parameters.get("end"), today())
    return f"all appliances from {first} to {last}"


@flow(name="report", flow_run_name=name_report)
def report(start: date | None = None, end: date | None = None) -> str:
    """Write one HTML page about a period, in reports/ of the data directory, and link to it.

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
    hours = settings.office_hours
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
    with tags("spsetl", "report"):
        report()
