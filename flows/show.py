"""What a run shows on Prefect's pages: a bar while it works, and what it did, as artifacts.

Figures, counts and times, and nothing of what a session holds.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from statistics import fmean
from typing import Any, Final, cast
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException

from spsetl import open_warehouse
from spsetl.errors import SpsetlError
from spsetl.events import Listener
from spsetl.queries import read_statement
from spsetl.runs import Run
from spsetl.settings import Settings

Row = dict[str, Any]

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]

_EVERY: Final = 5.0  # seconds; oftener than a person looks
LAST_RUNS: Final = 7
MOST_WINDOWS: Final = 500  # a first sync may read thousands, and a page shows them all
_COMPARED: Final = ("new", "changed", "missing", "quarantined", "requests", "minutes")
# What Markdown, or HTML within it, makes more of than text: where it stands, or wherever that is.
_STRUCTURE: Final = re.compile(r"[\\`*_{}\[\]<>()#|~&!@$^=+]|^-|\.(?=\s|$)|:(?=//)|(?<=www)\.", re.IGNORECASE)


class Shown(Listener):
    """Tells the stages of a run to its log, and the share that is done to a progress artifact.

    A server that is away costs the bar, not the sync.

    Args:
        logger: The run's.
        key: Of the artifact.
        clock: Seconds since any fixed moment.
    """

    def __init__(self, logger: Logger, key: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._totals: dict[str, int | None] = {}
        self._done: dict[str, int] = {}
        self._artifact: UUID | None = None
        self._shown_at = float("-inf")

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins."""
        with self._lock:
            self._totals[stage], self._done[stage] = total, 0
        self._logger.info("%s: %s to do", stage, "unknown" if total is None else f"{total:,}")
        if total:
            self._show(stage)

    def advance(self, stage: str, amount: int) -> None:
        """Some of the stage is done; shown every few seconds. Called from many threads."""
        with self._lock:
            self._done[stage] = self._done.get(stage, 0) + amount
            is_due = self._totals.get(stage) and self._clock() - self._shown_at >= _EVERY
            if is_due:
                self._shown_at = self._clock()
        if is_due:
            self._show(stage)

    def finish(self, stage: str) -> None:
        """A stage is done."""
        self._logger.info("%s: %s done", stage, f"{self._done.get(stage, 0):,}")
        if self._totals.get(stage):
            self._show(stage)

    def end(self, run: Run) -> None:
        """All is done."""
        if run.error is None:
            self._send(100.0, "done")

    def _show(self, stage: str) -> None:
        done, total = self._done[stage], self._totals[stage] or 1
        self._send(min(100.0, 100 * done / total), f"{stage}: {done:,} of {total:,}")

    def _send(self, percent: float, description: str) -> None:
        try:
            if self._artifact is None:
                self._artifact = cast("UUID", create_progress_artifact(percent, self._key, description))
            else:
                update_progress_artifact(self._artifact, percent, description=description)
        except (httpx.HTTPError, PrefectException) as error:
            self._logger.warning("the progress cannot be shown: %s", type(error).__name__)


def plain(text: object) -> str:
    """A text of somebody else, as Markdown that shows it as it is, in one line."""
    return _STRUCTURE.sub(r"\\\g<0>", " ".join(str(text).split()))


def key_of(what: str, appliance: str) -> str:
    """An artifact's key: Prefect allows lower-case letters, digits and dashes."""
    return f"spsetl-{what}-{re.sub('[^a-z0-9]+', '-', appliance.lower()).strip('-')}"


def show_run(settings: Settings, run: Run) -> None:
    """The figures of a run beside those of the last ones, and its windows; or what it compared."""
    asked = {"appliance": run.appliance, "run_id": run.run_id}
    last = [] if run.kind == "reconcile" else ask(settings, "last_runs", **asked, kind=run.kind, size=LAST_RUNS)
    create_markdown_artifact(
        key=key_of(run.kind, run.appliance),
        markdown=describe_reconcile(run) if run.kind == "reconcile" else describe_sync(run, last),
        description=f"Outcome of the last {run.kind} of {plain(run.appliance)}",
    )
    if run.kind == "reconcile":
        create_table_artifact(
            key=key_of("reconcile-days", run.appliance),
            table=[  # the UI shows a cell as Markdown, too
                {"day": plain(one.what), "appliance": one.source, "copy": one.copy, "verdict": one.verdict}
                for one in (*run.days, *run.protocols)
            ],
            description="Sessions that the appliance counts, and that the copy has, by day and by protocol",
        )
        return
    windows = ask(settings, "windows_of_run", **asked, size=MOST_WINDOWS)
    create_table_artifact(
        key=key_of("windows", run.appliance),
        table=[{name: _as_text(value) for name, value in row.items()} for row in windows],
        description=f"Windows that run {run.run_id} read, times in UTC; {MOST_WINDOWS} at most",
    )


def show_failure(appliance: str, error: SpsetlError, kind: str) -> None:
    """Why there are no figures."""
    create_markdown_artifact(
        key=key_of(kind, appliance),
        markdown=f"## The {kind} of {plain(appliance)} failed\n\n{plain(error)}\n\n"
        "The published file is as it was; what was merged is kept, and the next run goes on from there.\n",
        description=f"Outcome of the last {kind} of {plain(appliance)}",
    )


def ask(settings: Settings, name: str, **parameters: Any) -> list[Row]:
    """The rows that answer a question of `sql/status/` to what is published."""
    with open_warehouse(settings.data_dir) as warehouse:
        names, rows = warehouse.rows(read_statement("status", name), parameters)
    return [dict(zip(names, row, strict=True)) for row in rows]


def describe_sync(report: Run, last: Sequence[Row]) -> str:
    """The outcome as markdown, beside the last runs of its kind."""
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
            f"## The {report.kind} of {plain(report.appliance)} is {verdict}",
            f"Run {report.run_id}",
            _table(("", "this run", f"mean of the last {len(last)}", "least", "most"), _compare(report, last)),
            _table(("", ""), facts),
            *([f"### Warnings\n\n{warnings}"] if warnings else []),
        ]
    )


def describe_gaps(run: Run) -> str:
    """What is incomplete, in a line."""
    if run.differing:
        shown = ", ".join(one.what for one in run.differing[:LAST_RUNS])
        more = f" and {len(run.differing) - LAST_RUNS} more" if len(run.differing) > LAST_RUNS else ""
        return f"the copy differs from the appliance's count: {shown}{more}"
    return (
        f"{run.details_failed} sessions have details that could not be fetched, "
        f"{run.windows_differing} windows differ from the appliance's count, "
        f"{run.quarantined} rows could not be read; the rest is published"
    )


def describe_reconcile(report: Run) -> str:
    """The outcome as markdown."""
    compared = [*report.days, *report.protocols]
    facts = [
        ("from", f"{report.range_start:%Y-%m-%d %H:%M:%S} UTC"),
        ("to", f"{report.range_end:%Y-%m-%d %H:%M:%S} UTC"),
        *((verdict, str(sum(one.verdict == verdict for one in compared))) for verdict in ("equal", "drift", "mended")),
        *((verdict, str(sum(one.verdict == verdict for one in compared))) for verdict in ("differs", "uncounted")),
        ("requests", f"{sum(report.requests.values()):,}"),
        ("minutes", f"{report.seconds / 60:,.1f}"),
    ]
    verdict = "equal" if not report.differing else "not equal"
    return f"## {plain(report.appliance)}: the copy is {verdict}\n\nRun {report.run_id}\n\n{_table(('', ''), facts)}"


def _compare(report: Run, last: Sequence[Row]) -> list[tuple[str, ...]]:
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
