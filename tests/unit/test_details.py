"""All pages of a session's details, however the appliance tells of more; a cut is never taken for the end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from spsetl.appliance.limits import ANSWER, Limits
from spsetl.errors import IncompleteError
from spsetl.extract.details import fetch_details


@dataclass
class Details:
    """An appliance with so many events of one session, which tells of them in its own way."""

    number: int
    limit: int = 500
    tells_next: bool = True
    tells_count: bool = False
    ignores_offset: bool = False
    ignores_offset_above: int | None = None
    announced: int | None = None
    requests: int = 0
    limits: Limits = ANSWER

    def get(self, path: str, params: dict[str, int], *, kind: str, decode: Callable[[bytes], Any]) -> Any:
        """One page."""
        assert (path, kind) == ("/api/audit/sessions/key/events", "events")
        self.requests += 1
        limit = -1 if self.ignores_offset else self.ignores_offset_above
        offset = 0 if limit is not None and params["offset"] > limit else params["offset"]
        end = min(offset + self.limit, self.number)
        meta: dict[str, Any] = {}
        if self.tells_next:
            meta["next"] = f"{path}?offset={end}" if end < self.number else None
        if self.tells_count:
            meta["match_count"] = self.announced or self.number
        return decode(orjson.dumps({"items": [{"record_id": n} for n in range(offset, end)], "meta": meta}))


def fetch(details: Details) -> list[int]:
    """The record_ids that come."""
    return [item["record_id"] for item in fetch_details(details, "key", "events")]  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0, 1, 499, 500, 501, 1000, 1700, 25_000])
@pytest.mark.parametrize("tells_next", [True, False])
def test_every_page_is_fetched(number: int, tells_next: bool) -> None:
    """By `next`, or, where the answer says nothing of more, until nothing comes."""
    details = Details(number, tells_next=tells_next)
    assert fetch(details) == list(range(number))
    assert details.requests == (number // 500 + 1 if tells_next else -(-number // 500) + 1)


def test_a_count_saves_the_look_behind_the_last_page() -> None:
    """Where the answer announces how many there are, a full last page is the last."""
    details = Details(1000, tells_count=True)
    assert fetch(details) == list(range(1000))
    assert details.requests == 2


@pytest.mark.parametrize(
    "details",
    [
        Details(700, ignores_offset=True),
        Details(500, tells_next=False, ignores_offset=True),
        Details(400, tells_count=True, announced=401),
        Details(10_500, ignores_offset_above=10_000),
    ],
    ids=["offset ignored", "offset ignored, no next", "fewer than announced", "offset ignored above 10000"],
)
def test_what_is_not_given_whole_is_refused(details: Details) -> None:
    """The session's details stay pending: an error of this session, not of the sync."""
    with pytest.raises(IncompleteError):
        fetch(details)
