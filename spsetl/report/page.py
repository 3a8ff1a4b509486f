"""The page as text: what was asked, drawn and filled in."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from spsetl import __version__
from spsetl.report.contents import Contents
from spsetl.report.figures import draw_figures
from spsetl.report.findings import find_all, level_of
from spsetl.report.wording import FILTERS, NOTHING, as_period, one_or_many, percent_of

_TEMPLATES: Final = Path(__file__).parent / "templates"
# The figures of the whole copy as the page calls them.
_WORDS: Final = {
    "session_count": "Sessions",
    "user_count": "Users",
    "server_count": "Servers",
    "alert_count": "Alerts",
    "active_count": "Active sessions",
    "missing_count": "Gone at the source",
    "pending_count": "Waiting for details",
    "quarantined_count": "Rows in quarantine",
}


def render(contents: Contents, *, office_hours: str | None = None) -> str:
    """Whatever came from a session is escaped by the template, or by the drawing."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    findings = find_all(contents)
    names = [row["appliance"] for row in contents.freshness]
    return environment.get_template("report.html.j2").render(
        c=contents,
        figures=draw_figures(contents),
        findings=findings,
        level=level_of(findings),
        levels={name: level_of(one for one in findings if one.appliance == name) for name in names},
        office_hours=office_hours,
        period=as_period(contents.period.start, contents.period.end),
        changes=[
            {"what": what, "since": contents.changes.get(name), "now": contents.copy[name]}
            for name, what in _WORDS.items()
        ],
        version=__version__,
        nothing=NOTHING,
        many=one_or_many,
        percent_of=percent_of,
    )
