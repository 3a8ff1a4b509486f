"""What was found out about each appliance: the table appliances."""

from datetime import datetime

from spsetl.appliance.probe import Capabilities
from spsetl.warehouse.work import WorkDatabase, aware_utc, naive_utc

_NAMES = (
    "firmware_version",
    "has_snapshots",
    "has_counts",
    "has_revision",
    "has_date_ranges",
    "reading",
    "bin_size_parameter",
)


def keep_capabilities(work: WorkDatabase, appliance: str, found: Capabilities, *, now: datetime) -> None:
    """Keep what an appliance can do, in place of what was known."""
    row = {"appliance": appliance, "probed_at": naive_utc(now), **{name: getattr(found, name) for name in _NAMES}}
    with work.transaction() as connection:
        connection.execute("delete from appliances where appliance = $appliance", {"appliance": appliance})
        connection.execute(
            f"insert into appliances ({', '.join(row)}) values ({', '.join(f'${name}' for name in row)})",  # noqa: S608 ours
            row,
        )


def fetch_capabilities(work: WorkDatabase, appliance: str) -> tuple[Capabilities, datetime] | None:
    """What is known of an appliance, and since when (aware UTC); None before it was first asked."""
    row = work.connection.execute(
        f"select {', '.join(_NAMES)}, probed_at from appliances where appliance = $appliance",  # noqa: S608 our names
        {"appliance": appliance},
    ).fetchone()
    if row is None:
        return None
    *values, probed_at = row
    known = dict(zip(_NAMES, values, strict=True))
    return Capabilities(**known, first_start=None, last_start=None, match_count=None), aware_utc(probed_at)
