"""What keeps a copy in order: `spsetl rebuild`, `compact`, `quarantine` and `appliances`."""

import sys
from dataclasses import asdict
from typing import Final, Literal

from spsetl.analysis.question import Question
from spsetl.analysis.reader import open_warehouse
from spsetl.cli.options import DataOptions
from spsetl.cli.output import FormatOptions, OutputOptions, print_json, write_question, write_rows
from spsetl.cli.questions import ask_yes, has_terminal
from spsetl.errors import UsageError
from spsetl.lake import Lake, compact_lake
from spsetl.settings import Settings
from spsetl.sync.data_dir import DataDir
from spsetl.sync.names import forget_appliance, hold_copy, list_appliances, rename_appliance
from spsetl.sync.quarantine import run_replay
from spsetl.sync.rebuild import run_rebuild

DEFAULTS: Final = DataOptions()
DEFAULT_FORMAT: Final = FormatOptions()
DEFAULT_OUTPUT: Final = OutputOptions()
_IN_QUARANTINE: Final = ("appliance", "table_name", "session_key", "reason", "extracted_at")
_OF_AN_APPLIANCE: Final = ("appliance", "sessions", "first_start", "last_start", "last_complete_sync", "address")
_NAMES: Final = {"list": 0, "rename": 2, "forget": 1}


def rebuild(*, options: DataOptions = DEFAULTS, json: bool = False) -> int:
    """Make the warehouse anew from the lake alone, where the work database or the published file is lost or damaged.

    It asks no appliance; readers keep the old file until the new one is whole and checked.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout.
    """
    report = run_rebuild(options.load())
    for warning in report.warnings:
        _say(f"warning: {warning}")
    if json:
        print_json(report.as_json())
        return 0
    rows = ", ".join(f"{count:,} {table}" for table, count in report.rows.items() if count)
    _say(f"rebuilt from {report.files:,} files in {report.seconds:,.1f} s, and published\nrows: {rows or 'none'}")
    return 0


def compact(*, options: DataOptions = DEFAULTS, json: bool = False) -> int:
    """Make one file of the lake's many small ones, by table, appliance and ended month; no row is lost or changed.

    It can be stopped at any moment and run again. The warehouse stays as it is.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout.
    """
    settings = options.load()
    places = DataDir.of(settings.data_dir)
    if not places.lake.is_dir():
        raise UsageError(f"there is no lake at {places.lake}: see SPSETL_DATA_DIR, or run spsetl sync")
    places.prepare()
    with hold_copy(settings, places):
        report = compact_lake(Lake(places.lake))
    if json:
        print_json(asdict(report))
        return 0
    _say(
        f"{report.files_before:,} files of {report.bytes_before:,} bytes became "
        f"{report.files_after:,} files of {report.bytes_after:,} bytes, {report.rows:,} rows"
    )
    return 0


def quarantine(
    action: Literal["list", "replay"] = "list",
    /,
    *,
    raw: bool = False,
    json: bool = False,
    options: DataOptions = DEFAULTS,
    output: FormatOptions = DEFAULT_FORMAT,
) -> int:
    """Show which rows could not be read, and why; or, after an update of spsetl, read them once more.

    Args:
        action: list shows them, from the published warehouse; replay takes what can be read now into the copy.
        raw: Show the rows as they came, too: they hold what people did.
        json: One JSON object on stdout.
        options: Where the copy is.
        output: How the list is written.
    """
    settings = options.load()
    if action == "replay":
        _replay(settings, json=json)
    else:
        _list_quarantine(settings, output, raw=raw, json=json)
    return 0


def _list_quarantine(settings: Settings, output: FormatOptions, *, raw: bool, json: bool) -> None:
    shown = ", ".join((*_IN_QUARANTINE, "raw") if raw else _IN_QUARANTINE)
    order = "appliance, table_name, extracted_at, session_key, row_hash"
    question = Question(f"select {shown} from quarantine order by {order}")  # noqa: S608 our names
    with open_warehouse(settings.data_dir) as warehouse, warehouse.hold() as published:
        if json:
            columns, rows = published.rows(*question)
            print_json({"quarantine": [dict(zip(columns, row, strict=True)) for row in rows]})
            return
        [(count,)] = published.rows("select count(*) from quarantine")[1]
        if count or not output.is_for_a_person:
            write_question(published, question, output, settings.data_dir)
    if not count:
        _say("nothing is in quarantine: all rows could be read")


def _replay(settings: Settings, *, json: bool) -> None:
    report = run_replay(settings)
    if json:
        print_json(asdict(report))
        return
    _say(f"{report.replayed:,} rows could be read now, {report.kept:,} stay in quarantine")
    if not report.published:
        _say("not published: the last sync did not finish, the next one publishes")


def appliances(
    action: Literal["list", "rename", "forget"] = "list",
    *names: str,
    yes: bool = False,
    json: bool = False,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Show the appliances of the copy; rename one, OLD NEW; or forget one, NAME, with all that was fetched of it.

    Both can be killed at any moment and run again; readers keep the old file until the new one is whole.

    Args:
        action: list, rename or forget.
        names: rename: its name, and the one it gets; forget: its name.
        yes: Forget without asking.
        json: One JSON object on stdout, for list.
        options: Where the copy is.
        output: How the list is written.
    """
    settings = options.load()
    if len(names) != _NAMES[action]:
        raise UsageError("say spsetl appliances, spsetl appliances rename OLD NEW, or spsetl appliances forget NAME")
    if action == "rename":
        old, new = names
        rename_appliance(settings, old, new)
        _say(f"{old} is {new} now, in lake and warehouse: sync it by that name (--appliance, or its section's name)")
    elif action == "forget":
        _forget(settings, *names, yes=yes)
    else:
        _list_appliances(settings, output, json=json)
    return 0


def _forget(settings: Settings, name: str, *, yes: bool) -> None:
    held = next((row["sessions"] for row in list_appliances(settings.data_dir) if row["appliance"] == name), 0)
    if not yes:
        if not has_terminal():
            raise UsageError(f"forget removes {name} and its {held:,} sessions for good: say --yes")
        if not ask_yes(f"Remove {name} and its {held:,} sessions from lake and warehouse, for good?", default=False):
            raise UsageError("nothing was removed")
    forget_appliance(settings, name)
    _say(f"{name} is forgotten, in lake and warehouse")


def _list_appliances(settings: Settings, output: OutputOptions, *, json: bool) -> None:
    rows = [{name: one.get(name) for name in _OF_AN_APPLIANCE} for one in list_appliances(settings.data_dir)]
    if json:
        print_json({"appliances": rows})
        return
    if rows or not output.is_for_a_person:
        write_rows(_OF_AN_APPLIANCE, [tuple(row.values()) for row in rows], output, settings.data_dir)
    if not rows:
        _say(f"there is no appliance in {settings.data_dir}: see SPSETL_DATA_DIR, or run spsetl sync")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
