"""The fields of a session: their kinds, their older spellings, and how to get at them by dotted path."""

from collections.abc import Iterator
from typing import Any, Final

DATES: Final = frozenset({
    "start_time", "end_time", "creation_time", "recording.archive.date", "recording.audit_trail.archive.date",
    "log.syslog_time", "vault.auto_approved", "vault.available", "vault.created.timestamp", "vault.expired",
})  # fmt: skip
NUMBERS: Final = frozenset({
    "duration", "revision", "client.port", "server.port", "recording.server_local.port", "recording.target.port",
    "recording.content_reference_id", "analytics.score.aggregated", "carbon_grams", "ticketing.approver.level",
    "ticketing.ids", "record_id", "channels_id",
})  # fmt: skip
BOOLEANS: Final = frozenset({
    "active", "hidden", "phantom", "recording.archived", "recording.command_extracted",
    "recording.has_accepted_channel", "recording.window_title_extracted", "analytics.scripted",
    "vault.is_emergency", "vault.offline_workflow",
})  # fmt: skip
TEXTS: Final = frozenset({
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
_PATTERNS: Final = ("analytics.score.details.",)
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
_MISSING: Final = object()


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
    known = path in TEXTS or path in NUMBERS or path in BOOLEANS or path in DATES
    return known or path.startswith(_PATTERNS)


def is_number(path: str) -> bool:
    """True for a field whose values are numbers."""
    return path in NUMBERS or path.startswith(_PATTERNS)


def is_address(path: str) -> bool:
    """True for a field whose values are IP addresses."""
    return path.endswith((".ip", ".client_ip_address"))


def value_at(document: dict[str, Any], path: str, missing: Any = None) -> Any:
    """The value at a dotted path; `missing` where there is none."""
    place: Any = document
    for name in path.split("."):
        if not isinstance(place, dict):
            return missing
        place = place.get(name, _MISSING)
        if place is _MISSING:
            return missing
    return place


def scalars(value: Any) -> Iterator[Any]:
    """All scalars below a value, except null."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif value is not None:
        yield value
