"""`spsetl sync`."""

import sys

import orjson

from spsetl.cli.options import SyncOptions
from spsetl.cli.terminal import print_table, show_progress
from spsetl.errors import IncompleteError
from spsetl.settings import Settings
from spsetl.sync import SyncReport, ThreadRunner, plan_sync, run_sync

DEFAULTS = SyncOptions()


def sync(*, options: SyncOptions = DEFAULTS, dry_run: bool = False, json: bool = False) -> int:
    """Fetch everything new or changed since the last time; the first time, everything.

    Args:
        options: What to sync, and how.
        dry_run: Only show what would be listed: asks the appliance a few questions and fetches nothing.
        json: End with one JSON object on stdout.
    """
    settings = options.load()
    if dry_run:
        show_plan(settings, json=json)
        return 0
    report = sync_with_progress(settings)
    if json:
        print(orjson.dumps(report.as_json()).decode())
    else:
        show_report(report)
    return IncompleteError.exit_code if report.details_failed else 0


def sync_with_progress(settings: Settings) -> SyncReport:
    """Run a sync with bars or lines on stderr."""
    with show_progress() as progress:
        for remark in settings.remarks:
            progress.say(f"warning: {remark}")
        report = run_sync(settings, runner=ThreadRunner(), progress=progress)
        for warning in report.warnings:
            progress.say(f"warning: {warning}")
    return report


def show_plan(settings: Settings, *, json: bool) -> None:
    """The windows that would be walked."""
    windows = plan_sync(settings)
    rows = [(w.start.isoformat(), w.end.isoformat() if w.end else None) for w in windows]
    if json:
        print(orjson.dumps({"windows": [{"start": start, "end": end} for start, end in rows]}).decode())
    else:
        print_table(["sessions started from", "to"], [(start, end or "no end") for start, end in rows])


def show_report(report: SyncReport) -> None:
    """The outcome in a few lines."""
    requests = sum(report.requests.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.requests.items()))
    lines = [
        (
            f"{report.appliance}: {report.sessions_seen:,} sessions listed, {report.sessions_new:,} new, "
            f"{report.sessions_changed:,} changed"
        ),
        "rows written: " + (", ".join(f"{n:,} {table}" for table, n in sorted(report.rows.items()) if n) or "none"),
        f"{requests:,} requests in {report.seconds:,.1f} s ({kinds})",
    ]
    if report.details_pending:
        lines.append(f"{report.details_pending:,} sessions have details that are not fetched yet")
    if report.details_failed:
        lines.append(f"{report.details_failed:,} details could not be fetched whole; they are tried again next time")
    if report.quarantined:
        lines.append(f"{report.quarantined:,} rows could not be read: see the table quarantine")
    print("\n".join(lines), file=sys.stderr)
