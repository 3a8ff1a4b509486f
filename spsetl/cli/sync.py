"""`spsetl sync` and `spsetl backfill`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from spsetl.analysis.times import read_end, read_start
from spsetl.cli.complaint import complain
from spsetl.cli.options import SyncOptions
from spsetl.cli.output import print_table
from spsetl.cli.terminal import show_progress
from spsetl.errors import UsageError
from spsetl.extract.plan import Window
from spsetl.seeing import is_told_as_events
from spsetl.settings import Settings
from spsetl.sync import (
    AppliancesRun,
    Progress,
    SyncReport,
    ThreadRunner,
    exit_code_of,
    plan_sync,
    run_backfill,
    run_each,
    run_sync,
)
from spsetl.sync.several import AnyReport

DEFAULTS = SyncOptions()


@dataclass(frozen=True)
class _Plan:
    """What a dry run found."""

    appliance: str
    windows: list[Window]
    warnings: Sequence[str] = ()
    is_complete: bool = True

    def as_json(self) -> dict[str, Any]:
        windows = [{"start": w.start.isoformat(), "end": w.end and w.end.isoformat()} for w in self.windows]
        return {"appliance": self.appliance, "windows": windows}


def sync(
    *,
    options: SyncOptions = DEFAULTS,
    dry_run: bool = False,
    accept_missing: bool = False,
    new_appliance: bool = False,
    json: bool = False,
) -> int:
    """Fetch everything new or changed since the last time; the first time, everything.

    Where spsetl.toml has several [appliances.NAME], one after the other, or the one named by --appliance.

    Args:
        options: What to sync, and how.
        dry_run: Only show what would be listed: asks the appliance a few questions and fetches nothing.
        accept_missing: Publish although more sessions are gone from the appliance than SPSETL_MOST_MISSING allows.
        new_appliance: It is another appliance, though the copy has sessions with the same keys under another name.
        json: End with one JSON object on stdout.
    """
    if dry_run:

        def plan(settings: Settings, _: Progress) -> _Plan:
            return _Plan(settings.for_appliance().appliance, plan_sync(settings, new_appliance=new_appliance))

        return run_and_show(options.load_all(), plan, _show_plan, json=json)

    def run(settings: Settings, progress: Progress) -> SyncReport:
        return run_sync(
            settings,
            runner=ThreadRunner(),
            progress=progress,
            accept_missing=accept_missing,
            new_appliance=new_appliance,
        )

    return run_and_show(options.load_all(), run, show_report, json=json)


def backfill(
    *, start: str, end: str, options: SyncOptions = DEFAULTS, new_appliance: bool = False, json: bool = False
) -> int:
    """Fetch one range of start_time, the newest sessions first, with their details.

    It can be stopped at any moment with Ctrl-C, and goes on when it is run again.

    Args:
        start: Sessions that started at or after this: 2026-11-01, or 2026-11-01T08:00:00Z; UTC if it says no zone.
        end: Sessions that started before this; a date without a time is the end of that day.
        options: What to fetch, and how.
        new_appliance: As for sync.
        json: End with one JSON object on stdout.
    """
    first, last = _range(start, end)

    def run(settings: Settings, progress: Progress) -> SyncReport:
        return run_backfill(
            settings,
            start=first,
            end=last,
            runner=ThreadRunner(),
            progress=progress,
            new_appliance=new_appliance,
        )

    return run_and_show(options.load_all(), run, show_report, json=json)


def _range(start: str, end: str) -> tuple[datetime, datetime]:
    first, last = read_start(start), read_end(end)
    if first >= last:
        raise UsageError("--start must be before --end")
    return first, last


def run_and_show(
    all_settings: Sequence[Settings],
    run: Callable[[Settings, Progress], AnyReport],
    show: Callable[[AnyReport], None],
    *,
    json: bool,
) -> int:
    """Run for each appliance and show how it ended, as JSON in one object; the exit code."""

    def run_one(settings: Settings) -> AnyReport:
        report = with_progress(settings, run)
        if not json:
            show(report)
        return report

    if len(all_settings) == 1:
        report = run_one(all_settings[0])
        done, answer = [AppliancesRun(report.appliance, report, None)], report.as_json()
    else:
        done = run_each(all_settings, run_one, complain=complain)
        answer = {
            "runs": [one.report.as_json() for one in done if one.report],
            "failed": {
                one.appliance: {"error": str(one.error), "exit_code": one.exit_code} for one in done if one.error
            },
        }
    if json:
        print(orjson.dumps(answer).decode())
    return exit_code_of(done)


def sync_with_progress(settings: Settings) -> SyncReport:
    """Run a sync with bars or lines on stderr."""
    return with_progress(settings, lambda s, progress: run_sync(s, runner=ThreadRunner(), progress=progress))


def with_progress(settings: Settings, run: Callable[[Settings, Progress], AnyReport]) -> AnyReport:
    """Run with bars or lines on stderr."""
    with show_progress() as progress:
        if is_told_as_events():
            return run(settings, progress)  # which tells its warnings itself
        for remark in settings.remarks:
            progress.say(f"warning: {remark}")
        report = run(settings, progress)
        for warning in report.warnings:
            progress.say(f"warning: {warning}")
    return report


def _show_plan(plan: _Plan) -> None:
    """The windows that would be walked."""
    rows = [(w.start.isoformat(), w.end.isoformat() if w.end else "no end") for w in plan.windows]
    print_table([f"{plan.appliance}: sessions started from", "to"], rows)


def show_report(report: SyncReport) -> None:
    """The outcome in a few lines, for a person."""
    if is_told_as_events():
        return  # the last event of the run has it all
    requests = sum(report.requests.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.requests.items()))
    lines = [
        (
            f"{report.appliance}: {report.sessions_seen:,} sessions looked at, {report.sessions_new:,} new, "
            f"{report.sessions_changed:,} changed, {report.sessions_missing:,} gone"
        ),
        "rows written: " + (", ".join(f"{n:,} {table}" for table, n in sorted(report.rows.items()) if n) or "none"),
        f"{requests:,} requests in {report.seconds:,.1f} s ({kinds})",
    ]
    if report.details_pending:
        lines.append(f"{report.details_pending:,} sessions have details that are not fetched yet")
    if report.details_failed:
        lines.append(f"the details of {report.details_failed:,} sessions could not be fetched: see detail_failures")
    if report.details_gone:
        lines.append(f"{report.details_gone:,} details were gone from the appliance before they were fetched")
    if report.quarantined:
        lines.append(f"{report.quarantined:,} rows could not be read: see the table quarantine")
    print("\n".join(lines), file=sys.stderr)
