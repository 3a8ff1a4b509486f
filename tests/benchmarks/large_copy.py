"""A large copy made by SQL: millions of sessions in the tables that a sync would fill, with marts built from them."""

from pathlib import Path
from typing import Final

from spsetl import schema
from spsetl.hours import OfficeHours
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.work import WorkDatabase

DAYS: Final = 730
# Wheels with numbers that have no factor in common with each other, so that every mixture of values comes.
_VALUES: Final = {
    "appliance": "'sps'",
    "session_key": "'s' || i",
    "revision": "i % 9 + 1",
    "active": "i % 5003 = 0",
    "origin": "'RECORDING'",
    "protocol": "['SSH', 'RDP', 'SSH', 'ICA', 'SSH', 'RDP', 'TELNET'][i % 7 + 1]",
    "start_time": f"timestamp '2024-01-01' + to_seconds((i * 7919) % ({DAYS} * 86400))",
    "end_time": "case when i % 5003 <> 0 then timestamp '2024-01-01' + "
    f"to_seconds((i * 7919) % ({DAYS} * 86400) + i % 7200) end",
    "duration": "case when i % 5003 <> 0 then i % 7200 end",
    "creation_time": f"timestamp '2024-01-01' + to_seconds((i * 7919) % ({DAYS} * 86400) + 60)",
    "verdict": "['ACCEPT', 'ACCEPT', 'ACCEPT', 'ACCEPT', 'DENY', 'ACCEPT', 'AUTH_FAIL'][i % 11 % 7 + 1]",
    "user_name": "case when i % 37 <> 0 then 'user' || (i * 31) % 2003 end",
    "user_server_username": "['root', 'admin', 'oracle'][i % 3 + 1]",
    "client_ip": "'10.1.' || (i * 17) % 251 || '.' || (i * 13) % 239",
    "server_ip": "'10.2.' || (i * 19) % 31 || '.' || (i * 23) % 97",
    "server_name": "'host' || (i * 19) % 31 || '-' || (i * 23) % 97",
    "server_port": "22",
    "recording_connection_policy": "'policy ' || i % 53",
    "recording_connection_policy_id": "'p' || i % 53",
    "recording_index_status": "['INDEXED', 'NOT_INDEXED', 'INDEXED', 'NO_TRAIL', 'INDEXED'][i % 5 + 1]",
    "recording_verdict": "'Accepted'",
    "analytics_score_aggregated": "case when i % 3 = 0 then (i * 11) % 101 end",
    "row_hash": "'h' || i",
    "extracted_at": "timestamp '2026-01-01'",
    "run_id": "'run'",
}
_DETAILS: Final = """
insert into session_lists by name select 'sps' as appliance, 's' || i as session_key, 'user.server_username' as field,
    0 as position, ['root', 'admin', 'oracle'][i % 3 + 1] as value from range($n) r(i);
insert into session_lists by name select 'sps' as appliance, 's' || i as session_key, 'analytics.tags' as field,
    0 as position, ['pci', 'night', 'review'][i % 3 + 1] as value from range(0, $n, 10) r(i);
insert into session_scores by name select 'sps' as appliance, 's' || i as session_key, 'keystroke' as algorithm,
    ((i * 7) % 101)::double as score from range(0, $n, 3) r(i);
insert into events by name select 'sps' as appliance, 's' || i // $events as session_key, i % $events as record_id,
    'c1' as channel_id, timestamp '2024-06-01' as time, ['command', 'window_title'][i % 2 + 1] as type,
    ['ls -la', 'sudo -i', 'cat /etc/passwd', 'Server Manager'][i % 4 + 1] as content from range($n * $events) r(i);
insert into alerts by name select 'sps' as appliance, 's' || i as session_key, 1 as record_id,
    timestamp '2024-06-01' as time, 'rule ' || i % 7 as rule_name, 'adp.event.command' as alert_type
    from range(0, $n, 20) r(i);
insert into channels by name select 'sps' as appliance, 's' || i as session_key, 'c1' as channel_key,
    'c1' as channel_id, 'session shell' as type from range($n) r(i);
insert into detail_fetches by name select 'sps' as appliance, 's' || i as session_key, kind, 'fetched' as status,
    timestamp '2026-01-01' as extracted_at, 'run' as run_id
    from range($n) r(i) cross join (select unnest(['channels', 'events', 'alerts']) as kind)
"""


def make_large_copy(path: Path, sessions: int, *, events: int = 2) -> None:
    """Make the file, with marts; a file that is there already is taken as it is.

    Args:
        path: The file.
        sessions: How many.
        events: How many each has.
    """
    if path.exists():
        return
    partial = path.with_suffix(".making")
    with WorkDatabase(partial, published=path.with_suffix(".none")) as work:
        run = work.connection.execute
        names = ", ".join(f'{value} as "{name}"' for name, value in _VALUES.items())
        run(f"insert into {schema.SESSIONS.name} by name select {names} from range($n) r(i)", {"n": sessions})
        for statement in _DETAILS.split(";"):
            values = {"n": sessions, "events": events}
            run(statement, {name: value for name, value in values.items() if f"${name}" in statement})
        build_marts(work, OfficeHours.parse("Mon-Fri 07:00-19:00 UTC"))
        work.checkpoint()
    partial.rename(path)
