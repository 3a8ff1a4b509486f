"""A small copy made by hand, for the report: two appliances, gaps, ties, and names that mean harm."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from spsetl import schema
from spsetl.hours import OfficeHours
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.work import WorkDatabase
from tests.fetches import fetches_of

Row = dict[str, Any]

HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><svg onload=alert(2)>',
    "]]></text><script>alert(3)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(4)",
    "\x1b[31mred\x00\r\n\u202eright to left",
    "名前 ümlaut 😀 " * 40,
    "</style><img src=x onerror=alert(5)>",
)
NAMES: Final = ("ann", "bob", "ann", "eve", None, "bob", "zoe")
VERDICTS: Final = ("ACCEPT", "accept-terminated", "AUTH_FAIL", "ACCEPT", "deny", None, "ACCEPT")
START: Final = datetime.fromisoformat("2026-10-03T00:00:00")
END: Final = datetime.fromisoformat("2026-10-31T00:00:00")
NOW: Final = datetime.fromisoformat("2026-11-02T12:00:00")
SYNCED: Final = datetime.fromisoformat("2026-11-01T02:30:00")
SINCE: Final = datetime.fromisoformat("2026-10-20T00:00:00")
DAY: Final = timedelta(days=1)
SIZE: Final = 4
_WANTED: Final = {schema.FETCHED, schema.PENDING}
OFFICE_HOURS: Final = "Mon-Fri 07:00-19:00 UTC"


def make_sessions(count: int = 120, names: Sequence[str | None] = NAMES) -> list[Row]:
    """Sessions of 48 days on two appliances; every remainder gives another mix."""
    return [
        {
            "appliance": "west" if number % 3 else "east",
            "session_key": f"key-{number}",
            "user_name": names[number % len(names)],
            "server_ip": None if number % 11 == 0 else f"10.0.0.{number % 6}",
            "server_name": f"host{number % 12}" if number % 4 else None,
            "recording_connection_policy": None if number % 9 == 0 else f"policy-{number % 4}",
            "protocol": ("SSH", "rdp", "ssh")[number % 3],
            "verdict": VERDICTS[number % len(VERDICTS)],
            "start_time": END - timedelta(minutes=577 * number + 13),
            "duration": None if number % 10 == 0 else 60 * number,
            "active": number % 10 == 0,
            "analytics_score_aggregated": None if number % 5 == 0 else float(number * 7 % 101),
            "channels_status": schema.FETCHED,
            "events_status": "not_indexed" if number % 8 == 0 else schema.FETCHED,
            "alerts_status": schema.PENDING if number % 13 == 0 else schema.FETCHED,
            "recording_index_status": "NOT_INDEXED" if number % 8 == 0 else "INDEXED",
            "missing_since": SYNCED if number % 17 == 0 else None,
            "extracted_at": SYNCED - number % 25 * DAY,
        }
        for number in range(count)
    ]


def make_alerts(sessions: Iterable[Row]) -> list[Row]:
    """Some alerts of each seventh session that has them fetched."""
    return [
        {
            "appliance": session["appliance"],
            "session_key": session["session_key"],
            "record_id": position,
            "rule_name": (None, "Cards", "Commands")[(place + position) % 3],
            "time": session["start_time"] + timedelta(minutes=position),
            "extracted_at": session["extracted_at"],
        }
        for place, session in enumerate(sessions)
        if place % 7 == 0 and session["alerts_status"] == schema.FETCHED
        for position in range(place % 4 + 1)
    ]


def make_runs() -> list[Row]:
    """East was synced twice and compared once; west once; of north only a failed sync is known."""
    run = {"status": "done", "kind": "sync", "sessions_new": 5, "sessions_changed": 3, "sessions_missing": 1}
    return [
        run | {"run_id": "e1", "appliance": "east", **_times(SYNCED - 3 * DAY), "watermark": END - 4 * DAY},
        run | {"run_id": "e2", "appliance": "east", **_times(SYNCED), "watermark": END - 1 * DAY},
        run | {"run_id": "w1", "appliance": "west", **_times(SYNCED - 2 * DAY), "watermark": END - 3 * DAY},
        run | {"run_id": "n1", "appliance": "north", **_times(SYNCED), "status": "failed"},
        run
        | {"run_id": "e3", "appliance": "east", **_times(SYNCED), "kind": "reconcile"}
        | {"range_start": START, "range_end": START + 10 * DAY},
    ]


def _times(at: datetime) -> Row:
    return {"started_at": at, "finished_at": at + timedelta(minutes=5)}


def make_windows() -> list[Row]:
    """Verdicts of all kinds; those of east's first sync are history."""
    verdicts = [("e1", "differs"), ("e2", "equal"), ("e2", "uncounted"), ("w1", "equal"), ("w1", "differs")]
    return [
        {
            "appliance": "east" if run[0] == "e" else "west",
            "run_id": run,
            "kind": "list",
            "window_start": START + number * DAY,
            "verdict": verdict,
        }
        for number, (run, verdict) in enumerate([*verdicts, ("e3", "differs"), ("e3", "equal")])
    ]


def make_rows(**changed: list[Row]) -> dict[str, list[Row]]:
    """The rows of the copy by table."""
    sessions = changed.get("sessions", make_sessions())
    quarantine = [
        {"appliance": "west", "table_name": "events", "reason": "no time", "raw": "{}", "row_hash": f"{number}"}
        | {"extracted_at": SYNCED - number * 20 * DAY}
        for number in range(2)
    ]
    wanted = {kind for kind in schema.DETAIL_KINDS if any(one.get(f"{kind}_status") in _WANTED for one in sessions)}
    runs = [row | {"details": ",".join(wanted)} for row in make_runs()]
    rows = {
        "sessions": sessions,
        "detail_fetches": fetches_of(sessions),
        "alerts": make_alerts(sessions),
        "sync_runs": runs,
        "sync_windows": make_windows(),
        "quarantine": quarantine,
    }
    return rows | changed


def write_copy(folder: Path, rows: Mapping[str, list[Row]]) -> Path:
    """A data directory with these rows published, marts and all."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "warehouse.duckdb"
    with WorkDatabase(file, published=folder / "none.duckdb") as work:
        for table in schema.TABLES:
            work.connection.register(
                "incoming", pa.Table.from_pylist(rows.get(table.name, []), schema=table.arrow_schema)
            )
            work.connection.execute(f"insert into {table.name} from incoming")
        work.connection.unregister("incoming")
        build_marts(work, OfficeHours.parse(OFFICE_HOURS))
        work.checkpoint()
    return folder
