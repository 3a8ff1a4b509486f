"""`spsetl sync` and `spsetl backfill`."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from spsetl.analysis.times import read_end, read_start
from spsetl.cli.options import SyncOptions
from spsetl.cli.output import print_table
from spsetl.cli.terminal import progress_of
from spsetl.errors import UsageError
from spsetl.events import Teller, complain
from spsetl.runs import Run, exit_code_of
from spsetl.settings import Settings
from spsetl.sync import ThreadRunner, plan_sync, run_backfill, run_each, run_sync

DEFAULTS = SyncOptions()


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

        def plan(settings: Settings, _: Teller) -> Run:
            return plan_sync(settings, new_appliance=new_appliance)

        return run_and_show(options.load_all(), plan, print_rows=_print_plan, json=json)

    def run(settings: Settings, teller: Teller) -> Run:
        return run_sync(
            settings, runner=ThreadRunner(), teller=teller, accept_missing=accept_missing, new_appliance=new_appliance
        )

    return run_and_show(options.load_all(), run, summarize=summarize, json=json)


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

    def run(settings: Settings, teller: Teller) -> Run:
        return run_backfill(
            settings,
            start=first,
            end=last,
            runner=ThreadRunner(),
            teller=teller,
            new_appliance=new_appliance,
        )

    return run_and_show(options.load_all(), run, summarize=summarize, json=json)


def _range(start: str, end: str) -> tuple[datetime, datetime]:
    first, last = read_start(start), read_end(end)
    if first >= last:
        raise UsageError("--start must be before --end")
    return first, last


def run_and_show(
    all_settings: Sequence[Settings],
    run: Callable[[Settings, Teller], Run],
    *,
    summarize: Callable[[Run], str] | None = None,
    print_rows: Callable[[Run], None] | None = None,
    json: bool,
) -> int:
    """Run for each appliance and show how it ended, as JSON in one object; the exit code.

    Args:
        all_settings: Of each appliance.
        run: Does it for one.
        summarize: The outcome in a few lines, for a person, on stderr; where lines are events, the last has it all.
        print_rows: Prints what was found.
        json: Print one object in place of both.
    """

    def run_one(settings: Settings) -> Run:
        with progress_of(settings) as teller:
            done = run(settings, teller)
        if print_rows and not json:
            print_rows(done)
        if summarize and not json and settings.log_format == "text":
            print(summarize(done), file=sys.stderr)
        return done

    done = run_each(all_settings, run_one, complain=complain)
    failed = {one.appliance: {"error": one.error, "exit_code": one.exit_code} for one in done if one.error}
    if json and len(all_settings) == 1:
        print(orjson.dumps(done[0].as_json()).decode())
    elif json:
        print(orjson.dumps({"runs": [one.as_json() for one in done if not one.error], "failed": failed}).decode())
    return exit_code_of(done)


def _print_plan(plan: Run) -> None:
    """The windows that would be walked."""
    rows = [(start.isoformat(), end.isoformat() if end else "no end") for start, end in plan.planned]
    print_table([f"{plan.appliance}: sessions started from", "to"], rows)


def summarize(run: Run) -> str:
    """The outcome in a few lines, for a person."""
    requests = sum(run.requests.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(run.requests.items()))
    lines = [
        (
            f"{run.appliance}: {run.sessions_seen:,} sessions looked at, {run.sessions_new:,} new, "
            f"{run.sessions_changed:,} changed, {run.sessions_missing:,} gone"
        ),
        "rows written: " + (", ".join(f"{n:,} {table}" for table, n in sorted(run.rows.items()) if n) or "none"),
        f"{requests:,} requests in {run.seconds:,.1f} s ({kinds})",
    ]
    if run.details_pending:
        lines.append(f"{run.details_pending:,} sessions have details that are not fetched yet")
    if run.details_failed:
        lines.append(f"the details of {run.details_failed:,} sessions could not be fetched: see detail_failures")
    if run.details_gone:
        lines.append(f"{run.details_gone:,} details were gone from the appliance before they were fetched")
    if run.quarantined:
        lines.append(f"{run.quarantined:,} rows could not be read: see the table quarantine")
    return "\n".join(lines)
