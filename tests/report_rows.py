"""The plain tables of a copy as dictionaries, and what a session's marts must say of it, in boring Python."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from spsetl import schema
from spsetl.analysis.reader import Warehouse

Row = dict[str, Any]
Group = TypeVar("Group", bound=Hashable)

FAILED_LOGINS: Final = {"AUTH_FAIL", "GW_AUTH_FAIL", "USER_MAPPING_FAIL", "KEY_ERROR"}


@dataclass(frozen=True)
class Office:
    """Office hours of one kind: Monday to Friday, from one time of the day to a later one."""

    begin: time
    end: time
    zone: ZoneInfo

    def local(self, moment: datetime) -> datetime:
        """A moment of the copy by the office's clock."""
        return moment.replace(tzinfo=UTC).astimezone(self.zone)

    def is_outside(self, moment: datetime) -> bool:
        """Whether nobody is expected to work then."""
        local = self.local(moment)
        return local.isoweekday() > 5 or not self.begin <= local.time() < self.end


@dataclass(frozen=True)
class Copied:
    """All rows of the plain tables, by table."""

    rows: Mapping[str, list[Row]]
    office: Office

    @classmethod
    def read(cls, warehouse: Warehouse, office: Office) -> "Copied":
        """Everything that is published."""
        tables = {}
        for table in schema.TABLES:
            names, rows = warehouse.rows(f"select * from {table.name}")
            tables[table.name] = [dict(zip(names, row, strict=True)) for row in rows]
        return cls(tables, office)

    @property
    def sessions(self) -> list[Row]:
        """Those that the appliance has no more among them."""
        return self.rows["sessions"]

    def with_sessions(self, table: str) -> list[tuple[Row, Row]]:
        """Each row of a table of details with its session."""
        by_key = {key(session): session for session in self.sessions}
        return [(row, by_key[key(row)]) for row in self.rows[table]]


def key(row: Row) -> tuple[str, str]:
    """Which session it is of."""
    return row["appliance"], row["session_key"]


def user(session: Row) -> str | None:
    """Who worked."""
    name: str | None = session["user_name"]
    return session["user_gateway_username"] if name is None else name


def server(session: Row) -> str | None:
    """What tells the server apart."""
    ip: str | None = session["server_ip"]
    return session["server_name"] if ip is None else ip


def server_name(session: Row) -> str | None:
    """What a person calls the server."""
    name: str | None = session["server_name"]
    return session["server_ip"] if name is None else name


def client(session: Row) -> str | None:
    """What tells the client apart."""
    ip: str | None = session["client_ip"]
    return session["client_name"] if ip is None else ip


def protocol(session: Row) -> str | None:
    """In capital letters."""
    return None if session["protocol"] is None else session["protocol"].upper()


def verdict(row: Row) -> str | None:
    """In one spelling."""
    return None if row["verdict"] is None else row["verdict"].replace("-", "_").upper()


def is_accepted(row: Row) -> bool:
    """Whether it was let in, terminated later or not."""
    return (verdict(row) or "").startswith("ACCEPT")


def seconds(session: Row) -> int | None:
    """How long it lasted; not known while it is active."""
    if session["active"]:
        return None
    if session["duration"] is not None:
        return int(session["duration"])
    return None if session["end_time"] is None else int((session["end_time"] - session["start_time"]).total_seconds())


def hours(found: Iterable[int | None]) -> float | None:
    """The sum of what is known, to a tenth of an hour."""
    known = [one for one in found if one is not None]
    return tenths(sum(known) / 3600) if known else None


def tenths(value: float) -> float:
    """To one decimal, halves up, as SQL rounds."""
    return math.floor(value * 10 + 0.5) / 10


def grouped(rows: Iterable[Any], of: Callable[[Any], Group]) -> dict[Group, list[Any]]:
    """The rows by what they have in common."""
    groups: dict[Group, list[Any]] = {}
    for row in rows:
        groups.setdefault(of(row), []).append(row)
    return groups


def known(values: Iterable[Any]) -> set[Any]:
    """The distinct values that are not NULL."""
    return {value for value in values if value is not None}


def highest(values: Iterable[Any]) -> Any:
    """The highest that is known, None if none is."""
    return max(known(values), default=None)


def nulls_last(*values: Any) -> tuple[tuple[bool, Any], ...]:
    """To sort by, ascending."""
    return tuple((value is None, "" if value is None else value) for value in values)


def newest_first(moment: datetime | None) -> float:
    """To sort by: the newest first, what has no time last."""
    return math.inf if moment is None else -moment.replace(tzinfo=UTC).timestamp()


def most_frequent(values: Iterable[Any]) -> Any:
    """The most frequent value that is known; of several, the first."""
    counts = {value: len(found) for value, found in grouped(values, lambda value: value).items() if value is not None}
    return min(counts, key=lambda value: (-counts[value], value), default=None)
