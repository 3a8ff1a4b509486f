"""What the walks look at of a listed session."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from spsetl.appliance.protocol import decode_time
from spsetl.flatten import read_key


class Asks(Protocol):
    """Whoever asks the appliance: `Client`, or what stands before it."""

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, kind: str) -> Any:
        """See `Client.get`."""
        ...


def key_of(item: Any) -> str | None:
    """The key of a listed session; None where it has none that can be used."""
    return read_key(item)


def start_of(item: Any) -> datetime | None:
    """When it started; None where that cannot be read."""
    return decode_time(value_of(item, "start_time"))


def value_of(item: Any, path: str) -> Any:
    """What its body says at a path; None where that is nothing."""
    value = item.get("body") if isinstance(item, Mapping) else None
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def mark_of(item: Any) -> Any:
    """What tells a row from its neighbours: its key, or the row itself where there is none."""
    return item.get("key") if isinstance(item, Mapping) else item
