"""The part of the configuration that a copy reads: the global options of each protocol ("Global … options")."""

from typing import Any, Final

from spsetl.simulator.answers import not_found
from spsetl.simulator.quirks import Quirks

CONFIGURATION_PATH: Final = "/api/configuration/"
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


def options(path: str, quirks: Quirks, remaining_seconds: int) -> dict[str, Any]:
    """The answer for `/api/configuration/<protocol>/options`.

    Raises:
        ApiError: 404 for every other path.
    """
    protocol, _, rest = path.removeprefix(CONFIGURATION_PATH).partition("/")
    if rest != "options" or protocol not in RETENTION_DAYS:
        raise not_found(path)
    parent = f"{CONFIGURATION_PATH}{protocol}"
    meta = {
        "first": f"{parent}/channel_policies",
        "href": path,
        "last": path,
        "next": None,
        "parent": parent,
        "previous": f"{parent}/channel_policies",
        "remaining_seconds": remaining_seconds,
        "transaction": "/api/transaction",
    }
    return {"body": _body(RETENTION_DAYS[protocol], quirks), "key": "options", "meta": meta}


def _body(days: int | None, quirks: Quirks) -> dict[str, Any]:
    service = {"enabled": True, "log_level": 4}
    if quirks.options_shape == "channel_database_cleanup":
        cleanup = {"enabled": False} if days is None else {"enabled": True, "days": days}
        return {"channel_database_cleanup": cleanup, "service": service}
    cleanup = {"enabled": False} if days is None else {"enabled": True, "channel_database_cleanup_days": days}
    timestamping = {"selection": "local", "signing_interval": 30}
    return {"audit": {"cleanup": cleanup, "timestamping": timestamping}, "service": service}
