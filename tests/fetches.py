"""How far details are, as rows by hand say it: `<kind>_status` of a session, told by detail_fetches."""

from collections.abc import Iterable, Mapping
from typing import Any

from spsetl import schema

Row = dict[str, Any]


def fetches_of(sessions: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows of detail_fetches by which each session has the statuses that it names; of the others there are none."""
    return [
        {
            "appliance": one["appliance"],
            "session_key": one["session_key"],
            "kind": kind,
            "status": one[f"{kind}_status"],
        }
        for one in sessions
        for kind in schema.DETAIL_KINDS
        if one.get(f"{kind}_status") in {schema.FETCHED, schema.GONE}
    ]


def columns_of(row: Mapping[str, Any]) -> Row:
    """What of a session made by hand stands in its own table."""
    return {name: value for name, value in row.items() if name in schema.SESSIONS.names}
