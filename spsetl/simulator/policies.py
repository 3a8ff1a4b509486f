"""The policies in the configuration of the simulated appliance ("SSH connections", "VNC settings policies", …).

The connections are those that the world's sessions name. One settings policy changes each night, and one connection
policy is there every other night.
"""

from copy import deepcopy
from typing import Any, Final

from spsetl.simulator import vocabulary as words

Document = dict[str, Any]

KINDS: Final = ("connections", "channel_policies", "settings_policies")
OPTIONS: Final = "options"
# Days that the metadata of each protocol's sessions live; None: for ever.
RETENTION_DAYS: Final[dict[str, int | None]] = {
    "ssh": 365,
    "rdp": 365,
    "ica": 90,
    "telnet": 90,
    "vnc": None,
    "http": 30,
    "mssql": None,
}
# What no copy must ever hold.
SECRET: Final = "s3cret of a simulated appliance"  # noqa: S105 - stands in for one
_CONNECTIONS: Final = 3
_TIMEOUT: Final = 600
_VISITOR: Final = ("ssh", "2f6d0b7c1e58a94d3c00")


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
        "network": {
            "clients": ["0.0.0.0/0"],
            "ports": [port],
            "targets": [f"10.110.100.{10 * number}/28"],
        },
        "policies": {
            "channel_policy": _channel_key(protocol, number),
            "settings_policy": f"-{port}1",
        },
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
