"""`spsetl doctor`: whether this set-up can work, and what the appliance can do."""

import orjson

from spsetl.cli.options import SyncOptions
from spsetl.cli.terminal import print_table
from spsetl.sync.doctor import Finding, examine

DEFAULTS = SyncOptions()


def doctor(*, options: SyncOptions = DEFAULTS, json: bool = False) -> int:
    """Check the settings, the data directory, the way to the appliance, the login and its rights; writes nothing.

    Args:
        options: Which appliance, and where the copy is.
        json: One JSON object on stdout.
    """
    found: dict[str, list[Finding]] = {}
    for settings in options.load_all():
        found[settings.appliance or str(settings.url)] = list(examine(settings))
    if json:
        print(orjson.dumps({name: [one.as_json() for one in some] for name, some in found.items()}).decode())
    else:
        for name, some in found.items():
            print_table([name, "", "found", "next step"], [(f.check, f.state, f.found, f.next_step) for f in some])
    return next((one.exit_code for some in found.values() for one in some if one.exit_code), 0)
