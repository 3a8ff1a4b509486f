"""A request as the appliance sees it, and what kind it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from spsetl.simulator import configuration
from spsetl.simulator.documents import SESSIONS_PATH
from spsetl.simulator.logins import AUTHENTICATION_PATH

Params = Mapping[str, str]

INFO_PATH: Final = "/api/info"
DETAILS: Final = ("channels", "events", "alerts", "trail_downloads", "indexing")
TRAIL: Final = "audit_trail"
_KINDS: Final = {
    AUTHENTICATION_PATH: "authentication",
    INFO_PATH: "info",
    SESSIONS_PATH: "list",
    f"{SESSIONS_PATH}/_snapshot": "snapshot",
    f"{SESSIONS_PATH}/_count": "count",
    f"{SESSIONS_PATH}/stats": "stats",
    f"{SESSIONS_PATH}/histogram": "histogram",
}


@dataclass(frozen=True)
class Request:
    """A request as the appliance sees it; `key` is the session's, unquoted."""

    kind: str
    path: str
    params: Params
    headers: Mapping[bytes, bytes]
    key: str = ""
    address: str = ""
    certificate: str | None = None


def classify(path: str) -> tuple[str, str]:
    """The kind of a request and the session's key, from the path as it was sent: a quoted slash belongs to the key."""
    if path in _KINDS:
        return _KINDS[path], ""
    if path.startswith(configuration.CONFIGURATION_PATH):
        return "configuration", ""
    below, _, rest = path.partition(SESSIONS_PATH + "/")
    key, slash, detail = rest.partition("/")
    if below or not key or (slash and detail not in (*DETAILS, TRAIL)):
        return "unknown", ""
    return detail or "session", unquote(key)
