"""The page: asked, drawn, filled in, and put in its place by one rename."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from spsetl import __version__
from spsetl.analysis.reader import open_warehouse
from spsetl.analysis.times import Moment
from spsetl.errors import StorageError, UsageError
from spsetl.files import replacing, sync_path
from spsetl.report.contents import Contents, read_contents
from spsetl.report.earlier import META, find_earlier, write_figures
from spsetl.report.figures import draw_figures
from spsetl.report.findings import find_all, level_of
from spsetl.report.wording import FILTERS, NOTHING, as_period, one_or_many, percent_of, visible

FOLDER: Final = "reports"
_TEMPLATES: Final = Path(__file__).parent / "templates"
WORDS: Final = {
    "session_count": "Sessions",
    "user_count": "Users",
    "server_count": "Servers",
    "alert_count": "Alerts",
    "active_count": "Active sessions",
    "missing_count": "Gone at the source",
    "pending_count": "Waiting for details",
    "quarantined_count": "Rows in quarantine",
}
"""The figures of `earlier.FIGURES` as the page calls them."""


def make_report(
    data_dir: Path,
    *,
    output: Path | None,
    start: Moment | None,
    end: Moment | None,
    office_hours: str | None,
    now: datetime | None,
) -> Path:
    """Write the report and tell where, see `spsetl.report.write_report`."""
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    if output is not None:
        _check_output(output)
    folder = data_dir / FOLDER
    path = output or folder / f"spsetl-report-{moment:%Y%m%dT%H%M%SZ}.html"
    with open_warehouse(data_dir) as warehouse:
        earlier = find_earlier(folder, before=moment, replaced=output)
        contents = read_contents(warehouse, start=start, end=end, now=moment, earlier=earlier)
    write_page(path, render(contents, office_hours=office_hours))
    return path


def render(contents: Contents, *, office_hours: str | None = None) -> str:
    """The page as text. Whatever came from a session is escaped by the template, or by the drawing."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    environment.filters["visible"] = visible
    findings = find_all(contents)
    values: dict[str, Any] = {
        "c": contents,
        "figures": draw_figures(contents),
        "findings": findings,
        "level": level_of(findings),
        "levels": {
            row["appliance"]: level_of(f for f in findings if f.appliance == row["appliance"])
            for row in contents.freshness
        },
        "office_hours": office_hours,
        "period": as_period(contents.period.start, contents.period.end),
        "said": write_figures(contents.now, contents.copy["newest_started_at"], contents.copy),
        "meta": META,
        "changes": _changes(contents),
        "version": __version__,
        "nothing": NOTHING,
        "many": one_or_many,
        "percent_of": percent_of,
    }
    return environment.get_template("report.html.j2").render(values)


def _changes(contents: Contents) -> list[dict[str, Any]]:
    """Each figure of the copy beside that of the last report."""
    before = contents.earlier.figures if contents.earlier else {}
    rows = [(what, before.get(name), contents.copy[name]) for name, what in WORDS.items()]
    return [
        {"what": what, "before": then, "now": now, "change": None if None in {then, now} else now - then}
        for what, then, now in rows
    ]


def _check_output(output: Path) -> None:
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name the file to write, for example {output / 'report.html'}")
    # Nothing may take the place of a device or a pipe.
    if (output.exists() and not output.is_file()) or Path("/dev") in output.absolute().parents:
        raise UsageError(f"{output} is no file: name the file to write")


def write_page(path: Path, text: str) -> None:
    """Put the page in its place, whole: an earlier one of that name stays until then.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(text.encode())
        sync_path(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}: free some space, or name another file with -o"
        ) from error
