"""What each question in sql/questions/ has to answer, in boring Python over the rows of the plain tables."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from tests import report_rows as plain
from tests.oracle import WITHOUT_EVENTS
from tests.report_rows import Copied, Row, grouped, highest, known, newest_first, nulls_last

Answer = list[tuple[Any, ...]]

TOP: Final = 20
PATTERNS: Final = {
    "acts as another user": "sudo su doas runas",
    "changes accounts": "passwd chpasswd useradd usermod userdel groupadd groupdel visudo",
    "changes permissions": "chmod chown chgrp setfacl icacls",
    "changes services": "systemctl service sc shutdown reboot",
    "changes the firewall": "iptables nft ufw firewall-cmd netsh",
    "changes what is scheduled": "crontab at schtasks",
    "changes what is logged": "auditctl journalctl logrotate wevtutil",
    "deletes files": "rm shred dd",
}
PATTERN_OF: Final = {command: name for name, commands in PATTERNS.items() for command in commands.split()}
FILE_CHANNELS: Final = {"session exec scp", "session subsystem sftp", "disk redirect", "clipboard"}
WAITING: Final = {"NOT_INDEXED", "INDEXING_IN_PROGRESS"}
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def top_users(copy: Copied) -> Answer:
    """By the number of their sessions."""
    rows = []
    for name, own in grouped(copy.sessions, plain.user).items():
        if name is not None:
            servers = known(plain.server(one) for one in own)
            hours = plain.hours(plain.seconds(one) for one in own)
            rows.append((name, len(own), len(servers), hours, max(one["start_time"] for one in own)))
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:TOP]


def _top_hosts(copy: Copied, host: Callable[[Row], str | None], name_column: str) -> Answer:
    rows = []
    for address, own in grouped(copy.sessions, host).items():
        if address is not None:
            own.sort(key=lambda one: (one["start_time"], *plain.key(one)))
            names = [one[name_column] for one in own if one[name_column] is not None]
            users = known(plain.user(one) for one in own)
            risk = highest(one["analytics_score_aggregated"] for one in own)
            times = own[0]["start_time"], own[-1]["start_time"]
            rows.append((address, names[-1] if names else None, len(own), len(users), risk, *times))
    return sorted(rows, key=lambda row: (-row[2], row[0]))[:TOP]


def top_servers(copy: Copied) -> Answer:
    """By the number of their sessions, under the newest name."""
    return _top_hosts(copy, plain.server, "server_name")


def top_clients(copy: Copied) -> Answer:
    """By the number of their sessions, under the newest name."""
    return _top_hosts(copy, plain.client, "client_name")


def failed_logins(copy: Copied) -> Answer:
    """By the number of failures."""
    failed = [one for one in copy.sessions if plain.verdict(one) in plain.FAILED_LOGINS]
    rows = []
    for who, own in grouped(failed, lambda one: (plain.user(one), plain.client(one))).items():
        verdicts = ", ".join(sorted(known(plain.verdict(one) for one in own)))
        times = [one["start_time"] for one in own]
        servers = known(plain.server(one) for one in own)
        rows.append((*who, len(own), verdicts, len(servers), min(times), max(times)))
    return sorted(rows, key=lambda row: (-row[2], nulls_last(row[0], row[1])))[:TOP]


def sessions_outside_hours(copy: Copied) -> Answer:
    """By the number of sessions that began outside office hours."""
    rows = []
    for name, own in grouped(copy.sessions, plain.user).items():
        outside = [one["start_time"] for one in own if copy.office.is_outside(one["start_time"])]
        if name is not None and outside:
            rows.append((name, len(own), len(outside), plain.tenths(100 * len(outside) / len(own)), max(outside)))
    return sorted(rows, key=lambda row: (-row[2], row[0]))[:TOP]


def riskiest_sessions(copy: Copied) -> Answer:
    """By score, with the scores of the algorithms."""
    scores = grouped(copy.rows["session_scores"], plain.key)
    rows = []
    for one in copy.sessions:
        if one["analytics_score_aggregated"] is not None:
            own = [score for score in scores.get(plain.key(one), []) if score["score"] is not None]
            own.sort(key=lambda score: (-score["score"], score["algorithm"]))
            reasons = ", ".join(f"{score['algorithm']} {math.floor(score['score'] + 0.5)}" for score in own) or None
            server = plain.server_name(one)
            risk = one["analytics_score_aggregated"], reasons
            rows.append((one["start_time"], plain.user(one), server, plain.protocol(one), *risk, *plain.key(one)))
    return sorted(rows, key=lambda row: (-row[4], newest_first(row[0]), row[6:]))[:TOP]


def _privileged(copy: Copied) -> list[tuple[str, Row, Row]]:
    """Each privileged command that an event has, with the event and its session."""
    found = []
    for event, session in copy.with_sessions("events"):
        if event["type"] == "command" and event["action"] is not None:
            words = [word.rpartition("/")[2] for word in event["action"].lower().split()]
            first = words[:2] if words[:1] == ["sudo"] else words[:1]
            found += [(command, event, session) for command in set(first) if command in PATTERN_OF]
    return found


def _events_and_sessions(own: list[tuple[str, Row, Row]]) -> tuple[int, int]:
    events = {(*plain.key(event), event["record_id"]) for _, event, _ in own}
    return len(events), len({plain.key(session) for _, _, session in own})


def _last_time(own: list[tuple[str, Row, Row]]) -> Any:
    return highest(event["time"] for _, event, _ in own)


def privileged_commands(copy: Copied) -> Answer:
    """By user and command."""
    rows = [
        (who, command, PATTERN_OF[command], *_events_and_sessions(own), _last_time(own))
        for (who, command), own in grouped(_privileged(copy), lambda one: (plain.user(one[2]), one[0])).items()
    ]
    return sorted(rows, key=lambda row: (-row[3], nulls_last(row[0]), row[1]))[:TOP]


def privileged_commands_by_pattern(copy: Copied) -> Answer:
    """By pattern; an event that has two commands of one pattern counts once."""
    rows = []
    for pattern, own in grouped(_privileged(copy), lambda one: PATTERN_OF[one[0]]).items():
        once = {(*plain.key(event), event["record_id"]): plain.user(session) for _, event, session in own}
        users = len(known(once.values())), plain.most_frequent(once.values())
        rows.append((pattern, *_events_and_sessions(own), *users, _last_time(own)))
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def privileged_commands_by_user(copy: Copied) -> Answer:
    """By user; an event with two commands counts once."""
    rows = []
    for who, own in grouped(_privileged(copy), lambda one: plain.user(one[2])).items():
        servers = known(plain.server(session) for _, _, session in own)
        patterns = ", ".join(sorted({PATTERN_OF[command] for command, _, _ in own}))
        rows.append((who, *_events_and_sessions(own), len(servers), patterns, _last_time(own)))
    return sorted(rows, key=lambda row: (-row[1], nulls_last(row[0])))[:TOP]


def alerts_by_rule(copy: Copied) -> Answer:
    """By the number of alerts."""
    rows = []
    for rule, own in grouped(copy.with_sessions("alerts"), lambda pair: pair[0]["rule_name"]).items():
        users = [plain.user(session) for _, session in own]
        sessions = {plain.key(session) for _, session in own}
        last = highest(alert["time"] for alert, _ in own)
        rows.append((rule, len(own), len(sessions), len(known(users)), plain.most_frequent(users), last))
    return sorted(rows, key=lambda row: (-row[1], nulls_last(row[0])))


def file_transfers(copy: Copied) -> Answer:
    """Channels that can move files, and events of files that moved."""
    transfers = [
        (plain.user(session), plain.server_name(session), channel["type"], channel["start_time"], channel)
        for channel, session in copy.with_sessions("channels")
        if channel["type"] in FILE_CHANNELS
    ] + [
        (plain.user(session), plain.server_name(session), event["type"], event["time"], None)
        for event, session in copy.with_sessions("events")
        if event["type"] == "file_transfer"
    ]
    rows = []
    for what, own in grouped(transfers, lambda one: one[:3]).items():
        refused = [c for *_, c in own if c is not None and c["verdict"] is not None and not plain.is_accepted(c)]
        rows.append((*what, len(own), len(refused), highest(one[3] for one in own)))
    return sorted(rows, key=lambda row: (-row[3], nulls_last(*row[:3])))[:TOP]


def four_eyes_rejections(copy: Copied) -> Answer:
    """The newest first: channels, and denied sessions without such a channel."""
    rejected = [
        (channel["start_time"], session, channel["type"], plain.verdict(channel), channel)
        for channel, session in copy.with_sessions("channels")
        if (plain.verdict(channel) or "").startswith("FOUR_EYES_")
    ]
    told = {plain.key(session) for _, session, *_ in rejected}
    none = {"four_eyes_authorizer": None, "four_eyes_description": None, "channel_key": None}
    rejected += [
        (session["start_time"], session, None, session["recording_deny_reason"], none)
        for session in copy.sessions
        if "four eyes" in (session["recording_deny_reason"] or "").lower() and plain.key(session) not in told
    ]
    rows = [
        (
            when, plain.user(session), plain.server_name(session), plain.protocol(session), kind, outcome,
            channel["four_eyes_authorizer"], channel["four_eyes_description"], *plain.key(session),
            channel["channel_key"],
        )
        for when, session, kind, outcome, channel in rejected
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (newest_first(row[0]), row[8:10], nulls_last(row[10])))[:TOP]


def new_user_server_pairs(copy: Copied) -> Answer:
    """First visits of the last seven days."""
    newest = max(one["start_time"] for one in copy.sessions)
    rows = []
    for (who, server), own in grouped(copy.sessions, lambda one: (plain.user(one), plain.server(one))).items():
        first = min(own, key=lambda one: (one["start_time"], *plain.key(one)))
        if who is not None and server is not None and first["start_time"] >= newest - timedelta(days=7):
            details = plain.protocol(first), plain.verdict(first), plain.client(first)
            rows.append((who, server, first["server_name"], first["start_time"], *details))
    return sorted(rows, key=lambda row: (newest_first(row[3]), row[0], row[1]))[:TOP]


def longest_and_open_sessions(copy: Copied) -> Answer:
    """Ten of each, the open ones first."""
    rows: list[tuple[Any, ...]] = []
    for one in copy.sessions:
        lasted = plain.seconds(one)
        is_open = bool(one["active"])
        if not is_open or one["missing_since"] is None:
            place = (-1 if lasted is None else -2 - lasted, one["start_time"], *plain.key(one))
            times = one["start_time"], one["end_time"], plain.hours([lasted])
            what = plain.user(one), plain.server_name(one), plain.protocol(one)
            rows.append((place, (is_open, *times, *what, *plain.key(one))))
    ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    return [row for row in ordered if row[0]][:10] + [row for row in ordered if not row[0]][:10]


def indexing_backlog(copy: Copied) -> Answer:
    """What waits first."""
    there = [one for one in copy.sessions if one["missing_since"] is None]
    found = {
        (row["appliance"], row["session_key"]): row["status"]
        for row in copy.rows["detail_fetches"]
        if row["kind"] == "events"
    }
    rows = []
    for status, own in grouped(there, lambda one: one["recording_index_status"]).items():
        otherwise = "not_indexed" if status in WITHOUT_EVENTS else "pending"
        events = [found.get((one["appliance"], one["session_key"]), otherwise) for one in own]
        times = [one["start_time"] for one in own]
        name = "no recording" if status is None else status
        counts = len(own), events.count("fetched"), events.count("pending")
        rows.append((name, status in WAITING, *counts, min(times), max(times)))
    return sorted(rows, key=lambda row: (not row[1], -row[2], row[0]))


def sessions_without_recording(copy: Copied) -> Answer:
    """What was let in and not recorded first."""
    unrecorded = [one for one in copy.sessions if one["recording_index_status"] in {None, "NO_TRAIL"}]
    rows = []
    for what, own in grouped(unrecorded, _why_unrecorded).items():
        accepted = sum(plain.is_accepted(one) for one in own)
        people = len(known(plain.user(one) for one in own)), len(known(plain.server(one) for one in own))
        rows.append((*what, len(own), accepted, *people, max(one["start_time"] for one in own)))
    return sorted(rows, key=lambda row: (-row[4], -row[3], nulls_last(*row[:3])))[:TOP]


def _why_unrecorded(session: Row) -> tuple[str, str | None, str | None]:
    reason = {"LOG": "known from logs only", "VAULT": "known from the vault only"}.get(
        session["origin"], "the appliance does not say"
    )
    if session["recording_index_status"] == "NO_TRAIL":
        reason = "no audit trail was made"
    return reason, session["recording_connection_policy"], plain.protocol(session)


def activity_by_hour_and_weekday(copy: Copied) -> Answer:
    """Each hour of the week by the office's clock."""
    rows = []
    for weekday in range(1, 8):
        for hour in range(24):
            own = []
            for one in copy.sessions:
                local = copy.office.local(one["start_time"])
                if (local.isoweekday(), local.hour) == (weekday, hour):
                    own.append(one)
            failed = sum(plain.verdict(one) in plain.FAILED_LOGINS for one in own)
            people = len(known(plain.user(one) for one in own)), len(known(plain.server(one) for one in own))
            rows.append((weekday, DAYS[weekday - 1], hour, len(own), *people, failed))
    return rows


def unused_policies(copy: Copied) -> Answer:
    """As of the last complete sync of each appliance; those that were never used first."""
    complete = [run for run in copy.rows["sync_runs"] if (run["kind"], run["status"]) == ("sync", "done")]
    answer = []
    for appliance, runs in grouped(complete, lambda run: run["appliance"]).items():
        synced = max(run["finished_at"] for run in runs)
        sessions = [one for one in copy.sessions if one["appliance"] == appliance]
        policies = [p for p in copy.rows["policies"] if (p["appliance"], p["kind"]) == (appliance, "connections")]
        since = min((one["start_time"] for one in sessions), default=None)
        answer += [
            (place, (appliance, *row, since)) for place, row in _unused(sessions, policies, synced - timedelta(days=90))
        ]
    return [row for _, row in sorted(answer, key=lambda pair: (pair[0][:1], pair[1][0], pair[0][1]))]


def _unused(sessions: list[Row], policies: list[Row], limit: Any) -> Any:
    """The rows of one appliance, each with what it is sorted by: when it was last used, its key."""
    used = grouped(sessions, lambda one: one["recording_connection_policy_id"] or one["recording_connection_policy"])
    used.pop(None, None)
    ids = known(one["recording_connection_policy_id"] for one in sessions)
    valid = {policy["policy_key"]: policy for policy in policies if policy["valid_to"] is None}
    for policy_key in sorted(used.keys() | valid.keys()):
        own = sorted(used.get(policy_key, []), key=lambda one: (one["start_time"], one["session_key"]))
        is_configured = True if policy_key in valid else False if policy_key in ids and policies else None
        last = own[-1]["start_time"] if own else None
        if is_configured is not False and (last is None or last < limit):
            versions = [policy["valid_from"] for policy in policies if policy["policy_key"] == policy_key]
            name, protocol = _name_and_protocol(own, valid.get(policy_key))
            policy_id = policy_key if policy_key in ids or policy_key in valid else None
            days = None if last is None else (limit + timedelta(days=90) - last).days
            row = (name, policy_id, protocol, is_configured, min(versions, default=None), len(own), last, days)
            yield (0.0 if last is None else -newest_first(last), policy_key), row


def _name_and_protocol(own: list[Row], policy: Row | None) -> tuple[Any, Any]:
    names = [one["recording_connection_policy"] for one in own if one["recording_connection_policy"] is not None]
    protocols = [plain.protocol(one) for one in own if one["protocol"] is not None]
    if policy is not None:
        names.insert(0, policy["name"])
        protocols.insert(0, plain.protocol(policy))
    return (names[-1] if names else None), (protocols[-1] if protocols else None)


ANSWERS: Final[dict[str, Callable[[Copied], Answer]]] = {
    answer.__name__: answer
    for answer in (
        activity_by_hour_and_weekday, alerts_by_rule, failed_logins, file_transfers, four_eyes_rejections,
        indexing_backlog, longest_and_open_sessions, new_user_server_pairs, privileged_commands,
        privileged_commands_by_pattern, privileged_commands_by_user, riskiest_sessions, sessions_outside_hours,
        sessions_without_recording, top_clients, top_servers, top_users, unused_policies,
    )
}  # fmt: skip
