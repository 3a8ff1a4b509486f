"""A copy made by hand, for what a simulated appliance does not have: two appliances with the same keys, gaps, ties."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from spsetl import schema
from spsetl.hours import OfficeHours
from spsetl.simulator.spec import Dice
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.work import WorkDatabase
from tests.fetches import fetches_of

Row = dict[str, Any]

OFFICE_HOURS: Final = "Mon-Fri 08:00-17:30 Europe/Budapest"
SYNCED: Final = datetime.fromisoformat("2026-11-01T02:30:00")
SESSIONS: Final = 160
# Of west no configuration is known; north was never synced completely.
APPLIANCES: Final = ("east", "west", "north")
USERS: Final = ("ann", "bob", "Ärne", "zoe", "Zoe", None)
GATEWAY_USERS: Final = ("ann", "gate", None)
SERVERS: Final = (("10.0.0.1", "db"), ("10.0.0.1", "db.new"), ("10.0.0.2", None), (None, "jump"), (None, None))
CLIENTS: Final = (("10.1.0.1", "desk"), ("10.1.0.2", None), (None, "laptop"), (None, None))
POLICIES: Final = (("p1", "ssh-all"), ("p3", "rdp"), (None, "by name"), (None, None))
OLD_POLICIES: Final = (("p2", "ssh-old"), ("p7", "ssh-gone"), (None, "by old name"))
INDEX_STATUSES: Final = (*schema.INDEX_STATUS, None)
VERDICTS: Final = ("ACCEPT", "accept", "accept-terminated", "auth-fail", "GW_AUTH_FAIL", "key-error", "DENY", None)
STATUSES: Final = (schema.FETCHED, schema.PENDING, schema.GONE)
CHANNEL_TYPES: Final = ("session shell", "session exec scp", "clipboard", "disk redirect", None)
CHANNEL_VERDICTS: Final = ("accept", "accept-terminated", "deny", "four-eyes-reject", "four-eyes-timeout", None)
ACTIONS: Final = (
    "sudo -i", "sudo systemctl stop auditd", "  /usr/bin/sudo /sbin/iptables -F", "sudo sudo su", "man sudo", "rm",
    "rmdir x", "PASSWD ann", "passwd-check", "su - root", "ls /bin/rm", "/usr/sbin/", "", None, "sudo su -", "SUDO dd",
    "/bin/dd if=a",
)  # fmt: skip
SCORES: Final = (None, 0.0, 0.5, 1.5, 77.4, 77.5, 99.9, 100.0)


def write_handmade_copy(file: Path) -> None:
    """The copy as a file that can be opened as a published one is."""
    rows = handmade_rows()
    with WorkDatabase(file, published=file.with_name("none.duckdb")) as work:
        for table in schema.TABLES:
            incoming = pa.Table.from_pylist(rows.get(table.name, []), schema=table.arrow_schema)
            work.connection.register("incoming", incoming)
            work.connection.execute(f"insert into {table.name} from incoming")
        work.connection.unregister("incoming")
        build_marts(work, OfficeHours.parse(OFFICE_HOURS))
        work.checkpoint()


def handmade_rows() -> Mapping[str, Sequence[Row]]:
    """The rows by table; what is not named is NULL."""
    keys = [(appliance, number) for appliance in APPLIANCES for number in range(SESSIONS)]
    parts = {"channels": _channels, "events": _events, "alerts": _alerts, "session_scores": _scores}
    made = {
        name: [
            {"appliance": appliance, "session_key": f"key-{number}", **row}
            for appliance, number in keys
            for row in make(Dice(1, name, appliance, number))
        ]
        for name, make in parts.items()
    }
    sessions = [_session(Dice(1, "session", appliance, number), appliance, number) for appliance, number in keys]
    fetches = {"detail_fetches": fetches_of(sessions)}
    return {"sessions": [*sessions, *_newcomers()], "policies": _policies(), "sync_runs": _runs(), **fetches, **made}


def _session(dice: Dice, appliance: str, number: int) -> Row:
    # On the half hour: some begin at the same moment, and all at the edges of office hours and of days.
    start = SYNCED - timedelta(days=dice.below(200), minutes=30 * dice.below(48))
    active, ended = dice.share(0.1), start + timedelta(seconds=90 * dice.below(100), milliseconds=dice.below(1000))
    server, client, policy = dice.pick(SERVERS), dice.pick(CLIENTS), dice.pick((*POLICIES, *OLD_POLICIES))
    if policy in OLD_POLICIES:
        start -= timedelta(days=120)
    return {
        "appliance": appliance,
        "session_key": f"key-{number}",
        "user_name": f"guest-{dice.below(14)}" if dice.share(0.06) else dice.pick(USERS),
        "user_gateway_username": dice.pick(GATEWAY_USERS),
        "server_ip": server[0],
        "server_name": server[1],
        "client_ip": client[0],
        "client_name": client[1],
        "recording_connection_policy_id": policy[0],
        "recording_connection_policy": policy[1],
        "recording_index_status": dice.pick(INDEX_STATUSES),
        "recording_deny_reason": dice.pick((None, None, "Access time", "Four eyes rejected")),
        "origin": dice.pick(("RECORDING", "LOG", "VAULT", "PSM", None)),
        "protocol": dice.pick(("SSH", "ssh", "rdp", None)),
        "verdict": dice.pick(VERDICTS),
        "active": dice.pick((True, None)) if active else False,
        "start_time": start,
        "end_time": None if active or dice.share(0.1) else ended,
        "duration": dice.pick((None, 180, 900, 5400)),
        "analytics_score_aggregated": dice.pick(SCORES),
        "channels_status": dice.pick(STATUSES),
        "events_status": dice.pick(STATUSES),
        "alerts_status": dice.pick(STATUSES),
        "missing_since": SYNCED if dice.share(0.2) else None,
    }


def _newcomers() -> list[Row]:
    """Two users who came to two servers within one moment of the last seven days, and the newest session."""
    moment = SYNCED - timedelta(days=6, hours=12)
    visits = [(user, server, moment) for user in ("yan", "xia") for server in ("10.0.0.9", "10.0.0.8")]
    return [
        {
            "appliance": "east",
            "session_key": f"visit-{number}",
            "user_name": user,
            "server_ip": server,
            "start_time": start,
            "active": False,
        }
        for number, (user, server, start) in enumerate([*visits, ("yan", "10.0.0.9", SYNCED)])
    ]


def _channels(dice: Dice) -> list[Row]:
    return [
        {
            "channel_key": str(number),
            "type": dice.pick(CHANNEL_TYPES),
            "verdict": dice.pick(CHANNEL_VERDICTS),
            "start_time": dice.pick((SYNCED - timedelta(days=dice.below(200)), None)),
            "four_eyes_authorizer": dice.pick((None, "auditor")),
            "four_eyes_description": dice.pick((None, 'change 4711, "urgent"')),
        }
        for number in range(dice.below(3))
    ]


def _events(dice: Dice) -> list[Row]:
    return [
        {
            "record_id": number,
            "type": dice.pick(("command", "command", "file_transfer", "window_title")),
            "action": dice.pick(ACTIONS),
            "time": SYNCED - timedelta(hours=dice.below(1000)),
        }
        for number in range(dice.below(6))
    ]


def _alerts(dice: Dice) -> list[Row]:
    return [
        {"record_id": n, "rule_name": dice.pick(("r1", "r2", None)), "time": SYNCED - timedelta(hours=dice.below(99))}
        for n in range(dice.below(3))
    ]


def _scores(dice: Dice) -> list[Row]:
    algorithms = [name for name in ("keystroke", "command", "fis") if dice.share(0.5)]
    return [{"algorithm": name, "score": dice.pick((None, 0.5, 77.4, 77.5))} for name in algorithms]


def _policies() -> list[Row]:
    """Of east and north: one in use, one out of use, one never used, one gone, and what is no connection policy."""
    first, second = SYNCED - timedelta(days=300), SYNCED - timedelta(days=10)
    versions = (
        ("connections", "p1", "ssh-all", first, None),
        ("connections", "p2", "ssh-older", first, second),
        ("connections", "p2", "ssh-old", second, None),
        ("connections", "p3", "rdp", first, second),
        ("connections", "p4", "never used", second, None),
        ("connections", "p5", "never used, and gone", first, second),
        ("channel_policies", "p6", "shell-only", first, None),
        ("channel_policies", "p4", "shell-only", first, None),
        ("connections", "p7", "ssh-gone", first, second),
        ("options", "options", None, first, None),
    )
    return [
        {
            "appliance": appliance,
            "protocol": "ssh",
            "kind": kind,
            "policy_key": key,
            "name": name,
            "retention_days": 365 if kind == "options" else None,
            "valid_from": valid_from,
            "valid_to": valid_to,
        }
        for appliance in ("east", "north")
        for kind, key, name, valid_from, valid_to in versions
    ]


def _runs() -> list[Row]:
    """The last complete sync of east was yesterday's."""
    runs = (
        ("east", "sync", "done", SYNCED - timedelta(days=2)),
        ("east", "sync", "done", SYNCED - timedelta(days=1)),
        ("east", "sync", "failed", SYNCED),
        ("west", "sync", "done", SYNCED),
        ("north", "backfill", "done", SYNCED),
        ("north", "sync", "running", None),
    )
    return [
        {"run_id": f"run-{n}", "appliance": appliance, "kind": kind, "status": status, "finished_at": finished_at}
        for n, (appliance, kind, status, finished_at) in enumerate(runs)
    ]
