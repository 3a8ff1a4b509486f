"""The appliances of a copy: their names, and what was found out about each, the table appliances."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from spsetl import schema
from spsetl.appliance.probe import Capabilities
from spsetl.queries import read_statement
from spsetl.warehouse.marts import forget_marts
from spsetl.warehouse.tables import dress_tables
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import aware_utc, naive_utc

# Keys are random: so many equal ones are no chance.
_PROOF: Final = 3

_NAMES = (
    "firmware_version",
    "has_snapshots",
    "has_counts",
    "has_revision",
    "has_date_ranges",
    "reading",
    "bin_size_parameter",
)


def keep_capabilities(
    work: WorkDatabase, appliance: str, found: Capabilities, *, address: str | None, now: datetime
) -> None:
    """Keep what an appliance can do, in place of what was known."""
    row = {"appliance": appliance, "address": address, "probed_at": naive_utc(now)}
    row |= {name: getattr(found, name) for name in _NAMES}
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


def keep_address(work: WorkDatabase, appliance: str, address: str | None) -> None:
    """Keep where an appliance that is known was asked last."""
    with work.transaction() as connection:
        connection.execute(
            "update appliances set address = $address "
            "where appliance = $appliance and address is distinct from $address",
            {"appliance": appliance, "address": address},
        )


def fetch_names(work: WorkDatabase) -> set[str]:
    """The names of the appliances that the copy has anything of."""
    tables = " union ".join(f"select appliance from {table.name}" for table in _tables())  # noqa: S608 our names
    return {name for (name,) in work.connection.execute(tables).fetchall()}


def fetch_overlap_start(work: WorkDatabase, appliance: str) -> datetime | None:
    """From when on the copy has sessions of all other appliances (aware UTC); None where it has any of this one's.

    None, too, where there is no other.
    """
    [(own, start)] = work.connection.execute(
        "select coalesce(bool_or(appliance = $appliance), false), max(first) "
        "from (select appliance, min(start_time) as first from sessions group by appliance)",
        {"appliance": appliance},
    ).fetchall()
    return aware_utc(start) if start and not own else None


class Known(NamedTuple):
    """An appliance of the copy, and how many of some sessions it has."""

    appliance: str
    sessions: int


def find_known(work: WorkDatabase, keys: Collection[str]) -> Known | None:
    """The appliance whose sessions these are, if they are rather than have some key in common by chance."""
    row = work.connection.execute(
        read_statement("plan", "appliance_of_keys"),
        {"keys": list(keys)},
    ).fetchone()
    if row is None or row[1] < min(_PROOF, len(keys), row[2]):
        return None
    return Known(row[0], row[1])


def change_appliance(work: WorkDatabase, old: str, new: str | None) -> None:
    """Give an appliance another name in all tables; or forget it, where that is None.

    The tables are written anew: to change or delete many rows in place takes memory for each.
    """
    run = work.connection.execute
    name = "case when appliance = $old then $new else appliance end"
    with work.transaction() as connection:
        for table in _tables():
            run(
                f"create table changed as select * replace ({name} as appliance) from {table.name} "  # noqa: S608 our names
                "where $new is not null or appliance <> $old",
                {"old": old, "new": new},
            )
            run(f"drop table {table.name}")
            run(f"alter table changed rename to {table.name}")
        forget_marts(connection)
        dress_tables(connection)


def _tables() -> list[schema.Table]:
    return [table for table in schema.TABLES if "appliance" in table.names]
