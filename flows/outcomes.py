"""What a run leaves to look at, as artifacts: figures, counts and times, and nothing of what a session holds."""

import re
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean
from typing import Any, Final, Literal

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.appliances import name_of
from spsetl import open_warehouse
from spsetl.errors import SpsetlError
from spsetl.queries import read_statement
from spsetl.settings import Settings
from spsetl.sync import ReconcileReport, SyncReport

Kind = Literal["sync", "backfill"]
Row = dict[str, Any]

LAST_RUNS: Final = 7
MOST_WINDOWS: Final = 500  # a first sync may read thousands, and a page shows them all
_COMPARED: Final = ("new", "changed", "missing", "quarantined", "requests", "minutes")
# What Markdown, or HTML within it, makes more of than text: where it stands, or wherever that is.
_STRUCTURE: Final = re.compile(r"[\\`*_{}\[\]<>()#|~&!@$^=+]|^-|\.(?=\s|$)|:(?=//)|(?<=www)\.", re.IGNORECASE)


def plain(text: object) -> str:
    """A text of somebody else, as Markdown that shows it as it is, in one line."""
    return _STRUCTURE.sub(r"\\\g<0>", " ".join(str(text).split()))


def key_of(what: str, appliance: str) -> str:
    """An artifact's key: Prefect allows lower-case letters, digits and dashes."""
    return f"spsetl-{what}-{re.sub('[^a-z0-9]+', '-', appliance.lower()).strip('-')}"


def show_sync(settings: Settings, report: SyncReport, kind: Kind) -> None:
    """The figures of a sync or backfill beside those of the last ones, and its windows."""
    asked = {"appliance": report.appliance, "run_id": report.run_id}
    last = ask(settings, "last_runs", **asked, kind=kind, size=LAST_RUNS)
    create_markdown_artifact(
        key=key_of(kind, report.appliance),
        markdown=describe_sync(report, last, kind),
        description=f"Outcome of the last {kind} of {plain(report.appliance)}",
    )
    windows = ask(settings, "windows_of_run", **asked, size=MOST_WINDOWS)
    create_table_artifact(
        key=key_of("windows", report.appliance),
        table=[{name: _as_text(value) for name, value in row.items()} for row in windows],
        description=f"Windows that run {report.run_id} read, times in UTC; {MOST_WINDOWS} at most",
    )


def show_failure(settings: Settings, error: SpsetlError, kind: str) -> None:
    """Why there are no figures."""
    appliance = name_of(settings)
    create_markdown_artifact(
        key=key_of(kind, appliance),
        markdown=f"## The {kind} of {plain(appliance)} failed\n\n{plain(error)}\n\n"
        "The published file is as it was; what was merged is kept, and the next run goes on from there.\n",
        description=f"Outcome of the last {kind} of {plain(appliance)}",
    )


def ask(settings: Settings, name: str, **parameters: Any) -> list[Row]:
    """The rows that answer a question of `sql/flows/` to what is published."""
    with open_warehouse(settings.data_dir) as warehouse:
        names, rows = warehouse.rows(read_statement("flows", name), parameters)
    return [dict(zip(names, row, strict=True)) for row in rows]


def describe_sync(report: SyncReport, last: Sequence[Row], kind: Kind) -> str:
    """The outcome as markdown."""
    facts = [
        ("sessions looked at", f"{report.sessions_seen:,}"),
        ("details pending", f"{report.details_pending:,}"),
        ("details failed", f"{report.details_failed:,}"),
        ("details gone", f"{report.details_gone:,}"),
        ("windows that differ", f"{report.windows_differing:,}"),
        ("requests by kind", ", ".join(f"{name} {count:,}" for name, count in sorted(report.requests.items()))),
        ("listed by", report.strategy),
        ("published", "yes" if report.published else "no"),
    ]
    verdict = "complete" if report.is_complete else "not complete"
    warnings = "".join(f"- {plain(warning)}\n" for warning in report.warnings)
    return "\n\n".join(
        [
            f"## The {kind} of {plain(report.appliance)} is {verdict}",
            f"Run {report.run_id}",
            _table(("", "this run", f"mean of the last {len(last)}", "least", "most"), _compare(report, last)),
            _table(("", ""), facts),
            *([f"### Warnings\n\n{warnings}"] if warnings else []),
        ]
    )


def describe_gaps(report: SyncReport) -> str:
    """What is incomplete, in a line."""
    return (
        f"{report.details_failed} sessions have details that could not be fetched, "
        f"{report.windows_differing} windows differ from the appliance's count, "
        f"{report.quarantined} rows could not be read; the rest is published"
    )


def describe_differences(report: ReconcileReport) -> str:
    """What differs, in a line."""
    differing = [one.what for one in (*report.days, *report.protocols) if one.verdict == "differs"]
    return f"the copy differs from the appliance's count: {', '.join(differing[:LAST_RUNS])}" + (
        f" and {len(differing) - LAST_RUNS} more" if len(differing) > LAST_RUNS else ""
    )


def describe_reconcile(report: ReconcileReport) -> str:
    """The outcome as markdown."""
    compared = [*report.days, *report.protocols]
    facts = [
        ("from", f"{report.start:%Y-%m-%d %H:%M:%S} UTC"),
        ("to", f"{report.end:%Y-%m-%d %H:%M:%S} UTC"),
        *((verdict, str(sum(one.verdict == verdict for one in compared))) for verdict in ("equal", "drift", "mended")),
        *((verdict, str(sum(one.verdict == verdict for one in compared))) for verdict in ("differs", "uncounted")),
        ("requests", f"{sum(report.requests.values()):,}"),
        ("minutes", f"{report.seconds / 60:,.1f}"),
    ]
    verdict = "equal" if report.is_complete else "not equal"
    return f"## {plain(report.appliance)}: the copy is {verdict}\n\nRun {report.run_id}\n\n{_table(('', ''), facts)}"


def show_reconcile(report: ReconcileReport) -> None:
    """The verdicts, and the counts of each day and protocol."""
    create_markdown_artifact(
        key=key_of("reconcile", report.appliance),
        markdown=describe_reconcile(report),
        description=f"Outcome of the last reconciliation of {plain(report.appliance)}",
    )
    create_table_artifact(
        key=key_of("reconcile-days", report.appliance),
        table=[  # the UI shows a cell as Markdown, too
            {"day": plain(one.what), "appliance": one.source, "copy": one.copy, "verdict": one.verdict}
            for one in (*report.days, *report.protocols)
        ],
        description="Sessions that the appliance counts, and that the copy has, by day and by protocol",
    )


def _compare(report: SyncReport, last: Sequence[Row]) -> list[tuple[str, ...]]:
    now = {
        "new": report.sessions_new,
        "changed": report.sessions_changed,
        "missing": report.sessions_missing,
        "quarantined": report.quarantined,
        "requests": sum(report.requests.values()),
        "minutes": report.seconds / 60,
    }
    rows = []
    for name in _COMPARED:
        earlier = [row[name] for row in last]
        figures = (fmean(earlier), min(earlier), max(earlier)) if earlier else ()
        digits = 1 if name == "minutes" else 0
        rows.append((name, f"{now[name]:,.{digits}f}", *(f"{figure:,.{digits}f}" for figure in figures)))
    return rows


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in markdown; a short row is filled up."""
    lines = [head, ["---"] * len(head), *([*row, *[""] * (len(head) - len(row))] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _as_text(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
