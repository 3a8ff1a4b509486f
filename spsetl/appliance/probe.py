"""What this appliance can do and holds, asked and not assumed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import INFO_PATH, ListQuery, SessionPage, decode_info, decode_list, decode_time
from spsetl.errors import BadAnswerError


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a sync must know beforehand.

    `has_revision` tells whether `fields=*,revision` really brings the revision; None while there is no session.
    `first_start` and `last_start` are the earliest and latest start_time that the user sees (UTC), None if there is no
    session or its start_time cannot be read. `match_count` is their number, at most `RESULT_CAP`.
    """

    firmware_version: str
    has_revision: bool | None
    first_start: datetime | None
    last_start: datetime | None
    match_count: int | None


def probe(client: Client) -> Capabilities:
    """Ask an appliance three questions: its version, its first session and its last.

    Raises:
        BadAnswerError: An answer is not as documented, or the appliance does not sort by start_time, on which every
            window relies.
        SpsetlError: As `Client.get`.
    """
    version = decode_info(client.get(INFO_PATH, kind="info"))
    first = _ask_one(client, sort="start_time")
    last = _ask_one(client, sort="-start_time")
    first_start, last_start = _start(first), _start(last)
    if first_start and last_start and first_start > last_start:
        raise BadAnswerError("the appliance does not sort sessions by start_time; without that no window is whole")
    return Capabilities(
        firmware_version=version,
        has_revision=_has_revision([*first.items, *last.items]),
        first_start=first_start,
        last_start=last_start,
        match_count=last.match_count,
    )


def _ask_one(client: Client, *, sort: str) -> SessionPage:
    query = ListQuery(sort=sort, limit=1)
    return decode_list(client.get(query.path, query.params, kind="sessions"))


def _bodies(items: list[Any]) -> list[dict[str, Any]]:
    return [item["body"] for item in items if isinstance(item, dict) and isinstance(item.get("body"), dict)]


def _start(page: SessionPage) -> datetime | None:
    return next((decode_time(body.get("start_time")) for body in _bodies(list(page.items))), None)


def _has_revision(items: list[Any]) -> bool | None:
    return all(isinstance(body.get("revision"), int) for body in _bodies(items)) if items else None
