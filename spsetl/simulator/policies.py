"""The policies in the configuration of the simulated appliance ("SSH connections", "Global … options", …).

The connections are those that the world's sessions name. One settings policy changes each night, and one connection
policy is there every other night.
"""

from copy import deepcopy
from typing import Any, Final

from spsetl.simulator import vocabulary as words
from spsetl.simulator.messages import CONFIGURATION_PATH, not_found, unauthorized
from spsetl.simulator.quirks import Quirks

Document = dict[str, Any]

KINDS: Final = ("connections", "channel_policies", "settings_policies")
OPTIONS: Final = "options"
# Days that the metadata of each protocol's sessions live; None: for ever.
RETENTION_DAYS: Final[dict[str, int | None]] = {
    "ssh": 365, "rdp": 365, "ica": 90, "telnet": 90, "vnc": None, "http": 30, "mssql": None,
}  # fmt: skip
# What no copy must ever hold.
SECRET: Final = "s3cret of a simulated appliance"  # noqa: S105 - stands in for one
_CONNECTIONS: Final = 3
_TIMEOUT: Final = 600
_VISITOR: Final = ("ssh", "2f6d0b7c1e58a94d3c00")
_BEFORE: Final = {"connections": "channel_policies", OPTIONS: "channel_policies", "settings_policies": OPTIONS}


def connection_name(protocol: str, number: int) -> str:
    """The name of a connection policy; the protocol in any case of letters."""
    return f"{protocol.lower()}-policy-{number}"


def connection_key(protocol: str, number: int) -> str:
    """The key of a connection policy; the protocol in any case of letters."""
    return f"15682863055beac3c8d2{number}{words.PORTS[protocol.upper()]}"


class Policies:
    """The policies of a world: what follows from the number of nights that have passed, and what tests put there."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], dict[str, Document | None]] = {}

    def items(self, protocol: str, kind: str, night: int) -> list[Document]:
        """`{"key", "body"}` of each policy of one kind, after so many nights; of kind options, what tests put there."""
        found: dict[str, Document | None] = {} if kind == OPTIONS else _made(protocol, kind, night)
        found |= self._given.get((protocol, kind), {})
        return [{"key": key, "body": deepcopy(body)} for key, body in found.items() if body is not None]

    def put(self, protocol: str, kind: str, key: str, body: Document) -> None:
        """Adds a policy or replaces it; kind and key `options` for a protocol's options."""
        self._given.setdefault((protocol, kind), {})[key] = deepcopy(body)

    def delete(self, protocol: str, kind: str, key: str) -> None:
        """Makes a policy vanish."""
        self._given.setdefault((protocol, kind), {})[key] = None


def _made(protocol: str, kind: str, night: int) -> dict[str, Document | None]:
    if kind == "channel_policies":
        return {_channel_key(protocol, n): _channel_policy(name) for n, name in enumerate(words.CHANNEL_POLICIES)}
    if kind == "settings_policies":
        return {f"-{words.PORTS[protocol.upper()]}1": _settings_policy(protocol, night)}
    found: dict[str, Document | None] = {
        connection_key(protocol, n): _connection(protocol, n) for n in range(_CONNECTIONS)
    }
    visitor_of, key = _VISITOR
    if protocol == visitor_of and night % 2:
        found[key] = _connection(protocol, _CONNECTIONS)
    return found


def _connection(protocol: str, number: int) -> Document:
    port = words.PORTS[protocol.upper()]
    return {
        "active": True,
        "name": connection_name(protocol, number),
        "network": {"clients": ["0.0.0.0/0"], "ports": [port], "targets": [f"10.110.100.{10 * number}/28"]},
        "policies": {"channel_policy": _channel_key(protocol, number), "settings_policy": f"-{port}1"},
        "server_address": {"selection": "original"},
        "web_gateway": {"enabled": number == 0, "proxy": {"username": "gateway", "password": SECRET}},
    }


def _channel_key(protocol: str, number: int) -> str:
    return f"-{words.PORTS[protocol.upper()]}{number}0"


def _channel_policy(name: str) -> Document:
    channels = [{"type": "session-shell", "actions": {"audit": True, "four_eyes": name == "shell-only"}}]
    return {"name": name, "channels": channels}


def _settings_policy(protocol: str, night: int) -> Document:
    """Each night, another protocol's changes."""
    place = list(RETENTION_DAYS).index(protocol)
    changes = (night + len(RETENTION_DAYS) - 1 - place) // len(RETENTION_DAYS)
    return {
        "inactivity_timeout": {"enabled": False},
        "name": "default",
        "preconnect_channel_check": False,
        "timeout": _TIMEOUT + 60 * changes,
    }


def configuration(path: str, policies: Policies, night: int, quirks: Quirks) -> Document:
    """The answer for `/api/configuration/<protocol>/` with `options`, a kind of policies, or one policy below it."""
    protocol, _, rest = path.removeprefix(CONFIGURATION_PATH).partition("/")
    kind, slash, key = rest.rstrip("/").partition("/")
    if protocol not in quirks.configured_protocols or (kind not in KINDS and (kind != OPTIONS or slash)):
        raise not_found(path)
    if not quirks.configuration_right or protocol in quirks.forbidden_protocols:
        raise unauthorized(path)
    parent = f"{CONFIGURATION_PATH}{protocol}"
    here = f"{parent}/{kind}"
    found = {item["key"]: item["body"] for item in policies.items(protocol, kind, night)}
    if kind == OPTIONS:
        body = found.get(OPTIONS) or _options(RETENTION_DAYS[protocol], quirks)
        return {"body": body, "key": OPTIONS, "meta": _meta(here, parent, quirks)}
    if not slash:
        items = [{"body": body, "key": key, "meta": {"href": f"{here}/{key}"}} for key, body in found.items()]
        return {"items": items, "meta": _meta(here, parent, quirks)}
    if key not in found:
        raise not_found(path)
    return {"body": found[key], "key": key, "meta": _meta(f"{here}/{key}", here, quirks)}


def _meta(here: str, parent: str, quirks: Quirks) -> Document:
    """The guide's links lead from one end point of a protocol to another: they are no pages."""
    place = here.rpartition("/")[2]
    before = _BEFORE.get(place)
    return {
        "first": f"{parent}/channel_policies" if place in {*KINDS, OPTIONS} else here,
        "href": here,
        "last": here,
        "next": None,
        "parent": parent,
        "previous": before and f"{parent}/{before}",
        "remaining_seconds": int(quirks.login_seconds),
        "transaction": "/api/transaction",
    }


def _options(days: int | None, quirks: Quirks) -> Document:
    service = {"enabled": True, "log_level": 4}
    if quirks.options_shape == "channel_database_cleanup":
        cleanup = {"enabled": False} if days is None else {"enabled": True, "days": days}
        return {"channel_database_cleanup": cleanup, "service": service}
    cleanup = {"enabled": False} if days is None else {"enabled": True, "channel_database_cleanup_days": days}
    timestamping = {"selection": "local", "signing_interval": 30}
    return {"audit": {"cleanup": cleanup, "timestamping": timestamping}, "service": service}
