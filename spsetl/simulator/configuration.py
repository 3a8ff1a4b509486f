"""The part of the configuration that a copy reads: each protocol's options and policies ("Global … options")."""

from typing import Any, Final

from spsetl.simulator.answers import not_found, unauthorized
from spsetl.simulator.policies import KINDS, OPTIONS, RETENTION_DAYS
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.times import DAY, to_ms
from spsetl.simulator.world import World

CONFIGURATION_PATH: Final = "/api/configuration/"
_PLACES: Final = (*KINDS, OPTIONS)
_BEFORE: Final = {"connections": "channel_policies", OPTIONS: "channel_policies", "settings_policies": OPTIONS}


def configuration(path: str, world: World, quirks: Quirks, remaining_seconds: int) -> dict[str, Any]:
    """The answer for `/api/configuration/<protocol>/` with `options`, a kind of policies, or one policy below it.

    Raises:
        ApiError: 403 without the right; 404 for every other path.
    """
    protocol, _, rest = path.removeprefix(CONFIGURATION_PATH).partition("/")
    kind, slash, key = rest.rstrip("/").partition("/")
    if protocol not in quirks.configured_protocols or (kind not in KINDS and (kind != OPTIONS or slash)):
        raise not_found(path)
    if not quirks.configuration_right or protocol in quirks.forbidden_protocols:
        raise unauthorized(path)
    parent = f"{CONFIGURATION_PATH}{protocol}"
    here = f"{parent}/{kind}"
    night = (world.now_ms - to_ms(world.spec.now)) // DAY
    found = {item["key"]: item["body"] for item in world.policies.items(protocol, kind, night)}
    if kind == OPTIONS:
        body = found.get(OPTIONS) or _options(RETENTION_DAYS[protocol], quirks)
        return {"body": body, "key": OPTIONS, "meta": _meta(here, parent, remaining_seconds)}
    if not slash:
        items = [{"body": body, "key": key, "meta": {"href": f"{here}/{key}"}} for key, body in found.items()]
        return {"items": items, "meta": _meta(here, parent, remaining_seconds)}
    if key not in found:
        raise not_found(path)
    return {"body": found[key], "key": key, "meta": _meta(f"{here}/{key}", here, remaining_seconds)}


def _meta(here: str, parent: str, remaining_seconds: int) -> dict[str, Any]:
    """The guide's links lead from one end point of a protocol to another: they are no pages."""
    place = here.rpartition("/")[2]
    before = _BEFORE.get(place)
    return {
        "first": f"{parent}/channel_policies" if place in _PLACES else here,
        "href": here,
        "last": here,
        "next": None,
        "parent": parent,
        "previous": before and f"{parent}/{before}",
        "remaining_seconds": remaining_seconds,
        "transaction": "/api/transaction",
    }


def _options(days: int | None, quirks: Quirks) -> dict[str, Any]:
    service = {"enabled": True, "log_level": 4}
    if quirks.options_shape == "channel_database_cleanup":
        cleanup = {"enabled": False} if days is None else {"enabled": True, "days": days}
        return {"channel_database_cleanup": cleanup, "service": service}
    cleanup = {"enabled": False} if days is None else {"enabled": True, "channel_database_cleanup_days": days}
    timestamping = {"selection": "local", "signing_interval": 30}
    return {"audit": {"cleanup": cleanup, "timestamping": timestamping}, "service": service}
