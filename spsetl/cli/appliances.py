"""`spsetl appliances`: which appliances the copy has, and another name for one, or none."""

import sys
from typing import Literal

import orjson

from spsetl.cli.options import DataOptions
from spsetl.cli.questions import ask_yes, has_terminal
from spsetl.cli.terminal import print_table
from spsetl.errors import UsageError
from spsetl.settings import Settings
from spsetl.sync.names import forget_appliance, list_appliances, rename_appliance

DEFAULTS = DataOptions()
_SHOWN = ("appliance", "sessions", "first_start", "last_start", "last_complete_sync", "address")
_NAMES = {"list": 0, "rename": 2, "forget": 1}


def appliances(
    action: Literal["list", "rename", "forget"] = "list",
    *names: str,
    options: DataOptions = DEFAULTS,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Show the appliances of the copy; rename one, OLD NEW; or forget one, NAME, with all that was fetched of it.

    Both can be killed at any moment and run again; readers keep the old file until the new one is whole.

    Args:
        action: list, rename or forget.
        names: rename: its name, and the one it gets; forget: its name.
        options: Where the copy is.
        yes: Forget without asking.
        json: One JSON object on stdout, for list.
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
        _list(settings, json=json)
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


def _list(settings: Settings, *, json: bool) -> None:
    found = list_appliances(settings.data_dir)
    rows = [{name: one.get(name) for name in _SHOWN} for one in found]
    if json:
        print(orjson.dumps({"appliances": rows}, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode())
    elif rows:
        print_table(_SHOWN, [tuple(row.values()) for row in rows])
    else:
        _say(f"there is no appliance in {settings.data_dir}: see SPSETL_DATA_DIR, or run spsetl sync")


def _say(message: str) -> None:
    print(message, file=sys.stderr)
