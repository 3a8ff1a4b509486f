"""`spsetl quarantine`: what could not be read, and reading it once more."""

import sys
from dataclasses import asdict
from typing import Literal

import orjson

from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_table
from spsetl.settings import Settings
from spsetl.sync.quarantine import run_replay
from spsetl.warehouse.quarantine import list_quarantine
from spsetl.warehouse.reader import open_warehouse

DEFAULTS = DataOptions()


def quarantine(
    action: Literal["list", "replay"] = "list",
    /,
    *,
    options: DataOptions = DEFAULTS,
    raw: bool = False,
    json: bool = False,
) -> int:
    """Show which rows could not be read, and why; or, after an update of spsetl, read them once more.

    Args:
        action: list shows them, from the published warehouse; replay takes what can be read now into the copy.
        options: Where the copy is.
        raw: Show the rows as they came, too: they hold what people did.
        json: One JSON object on stdout.
    """
    settings = options.load()
    if action == "replay":
        _replay(settings, json=json)
    else:
        _list(settings, raw=raw, json=json)
    return 0


def _list(settings: Settings, *, raw: bool, json: bool) -> None:
    with open_warehouse(settings.data_dir) as warehouse:
        columns, rows = list_quarantine(warehouse, raw=raw)
    if json:
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        print(orjson.dumps({"quarantine": found}, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode())
    elif rows:
        print_table(columns, rows)
    else:
        print("nothing is in quarantine: all rows could be read", file=sys.stderr)


def _replay(settings: Settings, *, json: bool) -> None:
    report = run_replay(settings)
    if json:
        print(orjson.dumps(asdict(report)).decode())
        return
    print(f"{report.replayed:,} rows could be read now, {report.kept:,} stay in quarantine", file=sys.stderr)
    if not report.published:
        print("not published: the last sync did not finish, the next one publishes", file=sys.stderr)
