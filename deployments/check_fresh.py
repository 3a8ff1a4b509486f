"""Whether every appliance of the settings was synced whole of late: `check_fresh.py [HOURS]`, 26 by default.

It finds what no failed unit tells of: a timer that was switched off, a sync that hangs, or one that is tried for ever.
Exit code 3 names those that were not.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spsetl import open_warehouse
from spsetl.errors import IncompleteError, SpsetlError
from spsetl.settings import load_appliances

HOURS = 26.0
CLOCKS_DIFFER = timedelta(minutes=5)
LAST_SYNCS = """
select
    appliance,
    max(finished_at) filter (where kind = 'sync' and status = 'done')::timestamp as last_sync_at
from sync_runs
group by appliance
"""


def check_fresh(hours: float, now: datetime) -> None:
    """Look into the published warehouse.

    Raises:
        IncompleteError: Some appliance has no sync within these hours.
        SpsetlError: The settings are wrong, nothing is published, or it cannot be read.
    """
    every = load_appliances()
    last_syncs = read_last_syncs(every[0].data_dir)
    # Where no appliance is set, those of the copy.
    names = [name for each in every if (name := each.name)] or sorted(last_syncs)
    stale = list(find_stale(names, last_syncs, hours, now))
    if stale:
        raise IncompleteError(f"{'; '.join(stale)}. See spsetl status, and the log of the last sync")


def read_last_syncs(data_dir: Path) -> dict[str, datetime | None]:
    """When the last whole sync of each appliance of the copy ended; None where no sync did."""
    with open_warehouse(data_dir) as warehouse:
        _, rows = warehouse.rows(LAST_SYNCS)
    return {appliance: at and at.replace(tzinfo=UTC) for appliance, at in rows}


def find_stale(
    appliances: list[str], last_syncs: Mapping[str, datetime | None], hours: float, now: datetime
) -> Iterator[str]:
    """A line for each appliance whose last whole sync is older, or that has none."""
    for appliance in appliances:
        at = last_syncs.get(appliance)
        if at is None:
            yield f"{appliance}: never synced whole"
        elif at - now > CLOCKS_DIFFER:
            yield f"{appliance}: last synced whole in the future: a clock was wrong"
        elif now - at > timedelta(hours=hours):
            yield f"{appliance}: not synced whole for {(now - at) / timedelta(hours=1):,.0f} hours"


if __name__ == "__main__":
    try:
        check_fresh(float(sys.argv[1]) if sys.argv[1:] else HOURS, datetime.now(UTC))
    except SpsetlError as error:
        print(f"spsetl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
