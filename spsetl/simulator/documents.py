"""A session's document, as its own address answers it ("Audited sessions", Response), and its fields."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from spsetl.simulator import vocabulary as words
from spsetl.simulator.messages import SESSIONS_PATH
from spsetl.simulator.policies import connection_key, connection_name
from spsetl.simulator.sessions import ARCHIVED, INDEXED, PROGRESS, RESCORED, SCORED, Facts, Session, facts_of
from spsetl.simulator.spec import Dice, WorldSpec, spread
from spsetl.simulator.times import DAY, HOUR, MINUTE, SECOND, iso, to_datetime

Document = dict[str, Any]

INDEX_STATUS = (
    "CHANNEL_OPEN", "NOT_INDEXED", "INDEXING_IN_PROGRESS", "INDEXED", "INDEXING_NOT_REQUIRED", "INDEXING_FAILED",
    "NO_TRAIL",
)  # fmt: skip
# What a session's own answer has and a list with `fields=*` lacks.
NOT_DISPLAYED = ("alerts", "channels", "events", "hidden", "indexing", "phantom", "revision", "trail_downloads")
_OFFSET_MINUTES = 300
_ACCOUNT_COUNTS = spread((1, 88), (2, 8), (0, 4))
_SIMILAR_COUNTS = spread((0, 9), (2, 1))

DATES: Final = frozenset({
    "start_time", "end_time", "creation_time", "recording.archive.date", "recording.audit_trail.archive.date",
    "log.syslog_time", "vault.auto_approved", "vault.available", "vault.created.timestamp", "vault.expired",
})  # fmt: skip
_NUMBERS: Final = frozenset({
    "duration", "revision", "client.port", "server.port", "recording.server_local.port", "recording.target.port",
    "recording.content_reference_id", "analytics.score.aggregated", "carbon_grams", "ticketing.approver.level",
    "ticketing.ids", "record_id", "channels_id",
})  # fmt: skip
BOOLEANS: Final = frozenset({
    "active", "hidden", "phantom", "recording.archived", "recording.command_extracted",
    "recording.has_accepted_channel", "recording.window_title_extracted", "analytics.scripted",
    "vault.is_emergency", "vault.offline_workflow",
})  # fmt: skip
_TEXTS: Final = frozenset({
    "origin", "protocol", "verdict", "node_id", "trail_download_link", "client.ip", "client.name", "server.id",
    "server.ip", "server.name", "user.id", "user.name", "user.name_domain", "user.gateway_username",
    "user.gateway_username_domain", "user.server_username", "user.server_username_domain", "recording.auth_method",
    "recording.archive.path", "recording.archive.policy", "recording.archive.server",
    "recording.audit_trail.archive.path", "recording.audit_trail.archive.policy",
    "recording.audit_trail.archive.server", "recording.channel_policy", "recording.connection_policy",
    "recording.connection_policy_id", "recording.deny_reason", "recording.index_status", "recording.network_id",
    "recording.server_local.ip", "recording.server_local.name", "recording.session_id", "recording.target.ip",
    "recording.target.name", "recording.verdict", "recording.codec", "log.adapter_name", "log.auth_method",
    "analytics.interesting_events", "analytics.similar_sessions", "analytics.tags", "analytics.bucketed_duration",
    "analytics.bucketed_starting_hour", "vault.access_request_type", "vault.account_id", "vault.account_name",
    "vault.appliance_id", "vault.appliance_name", "vault.asset_partition_id", "vault.asset_partition_name",
    "vault.broker_id", "vault.created.user.client_ip_address", "vault.created.user.user_display_name",
    "vault.created.user.user_id", "vault.created.user.user_name", "vault.system_id", "vault.system_name", "labels",
    "ticketing.approver.name",
})  # fmt: skip
_SCORES: Final = "analytics.score.details."
# Bare names of the guides' older chapters ("Searching in the session database").
_BARE: Final = {
    "name": "user.name",
    "server_username": "user.server_username",
    "gateway_username": "user.gateway_username",
    "port": "server.port",
    "score": "analytics.score.aggregated",
    "session_key": "key",
    **{name: f"recording.{name}" for name in ("archived", "auth_method", "channel_policy", "connection_policy",
        "connection_policy_id", "content_reference_id", "index_status", "network_id", "session_id")},
}  # fmt: skip
_MOVED: Final = {
    "recording.gateway_username": "user.gateway_username",
    "recording.server_username": "user.server_username",
}


def canonical(path: str) -> str:
    """The current spelling of a field."""
    path = _BARE.get(path, path)
    if path.startswith("psm."):
        path = "recording." + path.removeprefix("psm.")
    if path.startswith(("target.", "server_local.")):
        path = "recording." + path
    if path.endswith(".address"):
        path = path.removesuffix("address") + "ip"
    return _MOVED.get(path, path)


def is_known(path: str) -> bool:
    """True for a field that some session can have."""
    return path in _TEXTS or path in BOOLEANS or path in DATES or is_number(path)


def is_number(path: str) -> bool:
    """True for a field whose values are numbers."""
    return path in _NUMBERS or path.startswith(_SCORES)


def is_address(path: str) -> bool:
    """True for a field whose values are IP addresses."""
    return path.endswith((".ip", ".client_ip_address"))


def value_at(document: dict[str, Any], path: str, missing: Any = None) -> Any:
    """The value at a dotted path; `missing` where there is none."""
    place: Any = document
    for name in path.split("."):
        if not isinstance(place, dict) or name not in place:
            return missing
        place = place[name]
    return place


def scalars(value: Any) -> Iterator[Any]:
    """All scalars below a value, except null."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from scalars(inner)
    elif value is not None:
        yield value


def href(key: str) -> str:
    """Where the session is; the key is quoted whole."""
    return f"{SESSIONS_PATH}/{quote(key, safe='')}"


def index_status(session: Session, facts: Facts) -> str:
    """How far the recording is indexed, by name; tests may have set it."""
    for path, value in reversed(session.overrides):
        if path == "recording.index_status":
            return INDEX_STATUS[value] if isinstance(value, int) else str(value)
    if session.end is None:
        return "CHANNEL_OPEN"
    if facts.fate not in {"INDEXED", "INDEXING_FAILED"} or session.has(INDEXED):
        return facts.fate
    return "INDEXING_IN_PROGRESS" if session.has(PROGRESS) else "NOT_INDEXED"


def document_of(spec: WorldSpec, session: Session) -> Document:
    """The full body, as it is now: ISO times, current spelling."""
    facts = facts_of(spec, session.number)
    dice = Dice(spec.seed, "document", session.number)
    body = _outline(spec, session, facts, dice)
    body["user"] = _user(spec, facts, dice)
    if facts.recorded:
        body["recording"] = _recording(spec, session, facts, dice)
    if session.has(SCORED):
        body["analytics"] = _analytics(session, facts, Dice(spec.seed, "analytics", session.number))
    if facts.origin == "LOG":
        adapter, method = dice.pick(("sshd", "winlogon")), dice.pick(words.AUTH_METHODS)
        body["log"] = {"adapter_name": adapter, "auth_method": method, "syslog_time": iso(session.start + 200)}
    if facts.origin == "VAULT":
        body["vault"] = _vault(session, facts, dice)
    if facts.part == "unknown fields" or dice.share(spec.unknown_fields):
        _add_unknown(body, dice)
    for path, value in session.overrides:
        set_path(body, path, value)
    return body


def set_path(document: Document, path: str, value: Any) -> None:
    """Puts a value at a dotted path, making the objects on the way."""
    *parents, last = path.split(".")
    for name in parents:
        if not isinstance(document.get(name), dict):
            document[name] = {}
        document = document[name]
    document[last] = value


def _outline(spec: WorldSpec, session: Session, facts: Facts, dice: Dice) -> Document:
    offset = _OFFSET_MINUTES if facts.part == "offset" or dice.share(spec.offsets) else 0
    end = session.end
    link = href(session.key)
    has_link = facts.recorded and facts.fate != "NO_TRAIL" and dice.share(0.5)
    body: Document = {
        "active": end is None,
        "alerts": {"href": f"{link}/alerts"},
        "channels": {"href": f"{link}/channels"},
        "client": _endpoint(f"10.{dice.pick(words.SUBNETS)}.7.{facts.client}", "", dice.between(1025, 65_535)),
        "creation_time": iso(session.created),
        "duration": None if end is None else (end - session.start) // SECOND,
        "end_time": None if end is None else iso(end, offset),
        "events": {"href": f"{link}/events"},
        "hidden": facts.part == "hidden" or dice.share(0.01),
        "indexing": {"href": f"{link}/indexing"},
        "node_id": dice.pick(words.NODES),
        "origin": facts.origin,
        "phantom": dice.share(0.01),
        "protocol": facts.protocol,
        "revision": session.revision,
        "server": _server(facts),
        "start_time": iso(session.start, offset),
        "trail_download_link": f"https://sps.example.com{link}/audit_trail" if has_link else None,
        "trail_downloads": {"href": f"{link}/trail_downloads"},
        "verdict": "ACCEPT" if facts.accepted else dice.pick(words.REFUSALS),
    }
    # Every number is drawn whatever the session's state: else a change would shift all that is drawn after it.
    way = dice.below(3)
    # The duration of an active session is null, absent or as it was when the record was made.
    if end is None and way == 0:
        del body["duration"]
    elif end is None and way == 1:
        body["duration"] = (session.created - session.start) // SECOND
    return body


def _endpoint(ip: str, name: str, port: int) -> Document:
    return {"ip": ip, "name": name or ip, "port": port}


def _server(facts: Facts) -> Document:
    ip = f"10.110.100.{facts.server + 1}"
    name = f"{words.SERVER_NAMES[facts.server % len(words.SERVER_NAMES)]}{facts.server:02d}.example.com"
    named = facts.server % 3 != 0
    return {"id": name if named else ip, **_endpoint(ip, name if named else "", words.PORTS[facts.protocol])}


def _user(spec: WorldSpec, facts: Facts, dice: Dice) -> Document:
    accounts = [dice.pick(words.ACCOUNTS), dice.pick(words.ACCOUNTS), facts.user][: dice.pick(_ACCOUNT_COUNTS)]
    scalar = facts.part == "scalar" or dice.share(spec.scalar_server_username)
    domain = dice.pick((None, *words.DOMAINS))
    user: Document = {"id": facts.user, "name": facts.user}
    if dice.share(0.5):
        user |= {"gateway_username": facts.user, "gateway_username_domain": domain, "name_domain": domain}
    if facts.part == "two accounts":
        accounts = ["root", "admin"]
    user["server_username"] = next(iter(accounts), None) if scalar else accounts
    if facts.protocol == "RDP":
        user["server_username_domain"] = dice.pick(words.DOMAINS)
    return user


def _recording(spec: WorldSpec, session: Session, facts: Facts, dice: Dice) -> Document:
    policy = connection_name(facts.protocol, facts.policy)
    status = index_status(session, facts)
    extracted = status == "INDEXED"
    as_number = facts.part == "status number" or dice.share(spec.index_status_numbers)
    terminal = facts.protocol in words.TERMINAL_PROTOCOLS
    recording: Document = {
        "archived": session.has(ARCHIVED),
        "auth_method": dice.pick(words.AUTH_METHODS),
        "channel_policy": dice.pick(words.CHANNEL_POLICIES),
        "command_extracted": extracted and terminal,
        "connection_policy": policy,
        "connection_policy_id": connection_key(facts.protocol, facts.policy),
        "content_reference_id": session.number + 1,
        "has_accepted_channel": facts.accepted,
        "index_status": INDEX_STATUS.index(status) if as_number else status,
        "network_id": dice.pick(words.NETWORKS),
        "server_local": _endpoint("10.110.0.1", "", dice.between(30_000, 60_000)),
        "session_id": f"svc/{session.key[:20]}/{policy}:{session.number}",
        "target": _endpoint(f"10.110.100.{facts.server + 1}", "", words.PORTS[facts.protocol]),
        "verdict": dice.pick(words.ACCEPTANCES) if facts.accepted else dice.pick(words.REFUSALS),
        "window_title_extracted": extracted and not terminal,
    }
    if not facts.accepted:
        recording["deny_reason"] = dice.pick((None, *words.DENY_REASONS))
    elsewhere = dice.share(0.5)
    if status != "NO_TRAIL":
        _add_trail(recording, session, elsewhere=elsewhere)
    return recording


def _add_trail(recording: Document, session: Session, *, elsewhere: bool) -> None:
    archive = None
    if session.has(ARCHIVED):
        archive = {
            "date": iso(session.milestones[ARCHIVED] // DAY * DAY + 5 * SECOND),
            "path": f"{to_datetime(session.start).date()}/",
            "policy": "8106930065bf7eb4c3cf59",
            "server": "\\\\10.20.30.40\\archive\\abc123 (user: archiver)",
        }
    if elsewhere and archive:
        recording["archive"], archive = archive, None
    recording["audit_trail"] = {"archive": archive, "download": {"href": f"{href(session.key)}/audit_trail"}}


def _analytics(session: Session, facts: Facts, dice: Dice) -> Document:
    first, second = dice.below(101), dice.below(101)
    score = second if session.has(RESCORED) else first
    details = {name: {"score": round(dice.below(1001) / 10, 1)} for name in words.ALGORITHMS if dice.share(0.5)}
    events = dict.fromkeys(dice.pick(words.INTERESTING) for _ in range(dice.below(4)))
    scripted = dice.share(0.05)
    analytics: Document = {
        "bucketed_duration": str(((session.end or session.start) - session.start) // (600 * SECOND)),
        "bucketed_starting_hour": str(to_datetime(session.start).hour),
        "interesting_events": list(events),
        "score": {"aggregated": score, "details": details} if dice.share(0.7) else {"aggregated": score},
        "scripted": scripted,
        "similar_sessions": [dice.text(20, words.ALPHABET) for _ in range(dice.pick(_SIMILAR_COUNTS))],
        "tags": [dice.pick(words.TAGS)] if dice.share(0.2) else [],
    }
    if dice.share(0.5):
        reason = {"result": scripted, "reason": "regular intervals" if scripted else "baseline not built yet"}
        analytics["scripted_results"] = {"clockmaster": reason} if facts.accepted else {}
    return analytics


def _vault(session: Session, facts: Facts, dice: Dice) -> Document:
    return {
        "access_request_type": dice.pick(("Ssh", "RemoteDesktop")),
        "account_id": str(dice.below(500)),
        "account_name": dice.pick(words.ACCOUNTS),
        "appliance_id": "0050568A",
        "appliance_name": "vault-1",
        "asset_partition_id": -1,
        "asset_partition_name": "Default Partition",
        "auto_approved": iso(session.start - HOUR) if dice.share(0.6) else None,
        "available": iso(session.start - MINUTE),
        "broker_id": 0,
        "created": {
            "timestamp": iso(session.start - dice.below(DAY)),
            "user": {
                "client_ip_address": f"10.20.0.{facts.client}",
                "user_display_name": facts.user.title(),
                "user_id": facts.client,
                "user_name": facts.user,
            },
        },
        "expired": iso(session.start + DAY) if dice.share(0.1) else None,
        "is_emergency": dice.share(0.02),
        "offline_workflow": False,
        "system_id": facts.server + 1,
        "system_name": _server(facts)["name"],
    }


def _add_unknown(body: Document, dice: Dice) -> None:
    """Fields that no document names: a nested object, a list of scalars, a scalar."""
    approver = {"name": dice.pick(words.USERS), "level": dice.below(4)}
    body["ticketing"] = {"approver": approver, "ids": [dice.below(9999)]}
    body["labels"] = [dice.pick(words.TAGS), "ünknown, label"]
    body["carbon_grams"] = dice.below(1000) / 8
    if "recording" in body:
        body["recording"]["codec"] = dice.pick(("h264", None))
