"""All of a session's details, from any appliance: what an answer does not say of its end is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from spsetl.appliance.limits import ANSWER, Limits
from spsetl.errors import IncompleteError
from spsetl.extract.details import fetch_details
from spsetl.extract.policies import fetch_configuration
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, sync

DETAIL_KINDS = "channels,events,alerts,trail_downloads,indexing"


@dataclass
class Pages:
    """An appliance with these events of one session.

    Attributes:
        items: What it has.
        page: The most that one page holds, whatever `limit` says.
        meta: What a page tells of the others: `next`, `match_count`, `limit`; all else is left out.
        knows_limit: Whether it looks at `limit` at all.
        last_offset: An offset above this is ignored; None: none is.
        announced: What it says is the number of items, if that is not true.
        between: What happens to the items after each request.
    """

    items: list[Any]
    page: int = 500
    meta: tuple[str, ...] = ()
    knows_limit: bool = True
    last_offset: int | None = None
    announced: int | None = None
    between: Any = None
    requests: list[tuple[int, int]] = field(default_factory=list)
    limits: Limits = ANSWER

    def get(self, _path: str, params: dict[str, int], *, kind: str, decode: Callable[[bytes], Any]) -> Any:
        """One page."""
        assert kind == "events"
        asked, limit = params["offset"], min(params["limit"], self.page) if self.knows_limit else self.page
        offset = 0 if self.last_offset is not None and asked > self.last_offset else asked
        self.requests.append((asked, params["limit"]))
        end = min(offset + limit, len(self.items))
        told = {
            "next": f"?offset={end}" if end < len(self.items) else None,
            "match_count": len(self.items) if self.announced is None else self.announced,
            "limit": limit,
        }
        answer: dict[str, Any] = {"items": self.items[offset:end]}
        if self.meta:
            answer["meta"] = {name: told[name] for name in self.meta}
        body = orjson.dumps(answer)
        if self.between:
            self.between(self.items)
        return decode(body)


def events(number: int, first: int = 0) -> list[Any]:
    """So many events."""
    return [{"record_id": n} for n in range(first, first + number)]


def fetch(pages: Pages) -> list[Any]:
    """What comes, of 20 requests at most."""
    items = fetch_details(pages, "key", "events")  # type: ignore[arg-type]
    assert len(pages.requests) <= 20
    return items


@pytest.mark.parametrize(
    "meta", [(), ("limit",), ("match_count",), ("next",), ("next", "limit"), ("next", "match_count")]
)
@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 200, 250])
def test_pages_shorter_than_asked_are_not_the_end(number: int, meta: tuple[str, ...]) -> None:
    """Whatever the pages tell of each other."""
    assert fetch(Pages(events(number), page=100, meta=meta)) == events(number)


@pytest.mark.parametrize("meta", [("match_count",), ("next",), ("next", "match_count"), ("next", "limit")])
@pytest.mark.parametrize("number", [1, 99, 499])
def test_what_proves_its_end_costs_one_request(number: int, meta: tuple[str, ...]) -> None:
    """A count that is reached, or a page that is not full and says that none follows."""
    pages = Pages(events(number), meta=meta)
    assert fetch(pages) == events(number)
    assert len(pages.requests) == 1


def test_no_items_are_none() -> None:
    """An empty answer is the end, whatever it does not say."""
    pages = Pages([])
    assert fetch(pages) == []
    assert len(pages.requests) == 1


def test_what_says_nothing_costs_one_request_more() -> None:
    """The one behind the last item."""
    pages = Pages(events(3))
    assert fetch(pages) == events(3)
    assert [offset for offset, _ in pages.requests] == [0, 3]


@pytest.mark.parametrize("number", [1, 3, 82])
def test_an_appliance_that_knows_no_pages_gives_all_at_once(number: int) -> None:
    """It takes neither an offset nor a limit, and so has cut nothing."""
    pages = Pages(events(number), knows_limit=False, last_offset=0)
    assert fetch(pages) == events(number)
    assert len(pages.requests) <= 3


@pytest.mark.parametrize(
    "pages",
    [
        Pages(events(250), page=100, last_offset=0),
        Pages(events(250), page=100, last_offset=100),
        Pages(events(250), page=100, last_offset=0, knows_limit=False),
        Pages(events(501), page=501, last_offset=0, knows_limit=False),
        Pages(events(250), page=100, last_offset=0, meta=("next",)),
        Pages(events(250), page=100, last_offset=100, meta=("match_count",)),
        Pages(events(40), meta=("match_count",), announced=41),
    ],
    ids=[
        "no offset",
        "no offset above 100",
        "cut, no pages",
        "many, no pages",
        "next leads back",
        "count, no offset",
        "more announced",
    ],
)
def test_what_is_not_proved_whole_is_refused(pages: Pages) -> None:
    """A page that repeats what is known is recognised, and not taken for the end."""
    with pytest.raises(IncompleteError):
        fetch(pages)


@pytest.mark.parametrize("meta", [(), ("next",), ("next", "match_count")])
def test_items_that_shift_between_pages_come_once(meta: tuple[str, ...]) -> None:
    """New ones arrive in front while it is paged: the last of a page comes again on the next."""
    items = events(25, first=100)

    def arrive(all_items: list[Any]) -> None:
        if len(all_items) < 28:
            all_items.insert(0, {"record_id": len(all_items)})

    pages = Pages(items, page=10, meta=meta, between=arrive)
    if "match_count" in meta:
        with pytest.raises(IncompleteError):  # those in front were not given, and are announced
            fetch(pages)
        return
    assert [item["record_id"] for item in fetch(pages)] == list(range(100, 125))


def test_items_without_an_identity_are_known_by_what_they_say() -> None:
    """And two that say the same on one page are both kept, for the one who reads them."""
    items: list[Any] = [{"username": "a"}, {"username": "a"}, {"username": "b"}, 7, None, [1]]
    assert fetch(Pages(items, page=2)) == items


def test_a_count_that_stops_is_not_believed() -> None:
    """As that of sessions does at 10000."""
    pages = Pages(events(10_050), page=1000, meta=("match_count",), announced=10_000)
    assert len(fetch(pages)) == 10_050


@pytest.mark.parametrize("meta", ["none", "count", "whole"])
def test_a_copy_of_short_bare_pages_is_whole(meta: str, tmp_path: Path) -> None:
    """Of every session and kind."""
    world = World(WorldSpec(sessions=60, days=12))
    with Simulator(world, Quirks(detail_limit=2, detail_meta=meta)) as simulator:  # type: ignore[arg-type]
        report = sync(simulator, tmp_path, details=DETAIL_KINDS)
    assert (report.details_pending, report.details_failed) == (0, 0)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance=NAME)


def configuration(pages: list[dict[str, Any]]) -> Any:
    """A client that gives these pages of one list of policies, and empty lists for all others."""

    class Configured:
        def get(self, path: str, *, kind: str) -> dict[str, Any]:
            assert kind == "configuration"
            name, _, number = path.partition("?page=")
            if name.endswith("/options"):
                return {"body": {}}
            return pages[int(number or 0)] if "ssh/connections" in name else {"items": []}

    return Configured()


def page_of(*keys: str, then: int | None = None) -> dict[str, Any]:
    """A page of policies."""
    link = None if then is None else f"/api/configuration/ssh/connections?page={then}"
    return {"items": [{"key": key, "body": {"name": key}} for key in keys], "meta": {"next": link}}


def test_lists_of_policies_are_read_to_their_end() -> None:
    """Should they come in pages, of which no guide speaks."""
    found = fetch_configuration(configuration([page_of("a", "b", then=1), page_of("c")]), concurrency=2, seal=bytes(32))
    assert [policy.key for policy in found.read["ssh", "connections"]] == ["a", "b", "c"]
    assert found.failures == []


def test_a_list_of_policies_that_never_ends_is_as_it_was() -> None:
    """No policy seems to be gone."""
    found = fetch_configuration(
        configuration([page_of("a", then=1), page_of("a", then=1)]), concurrency=2, seal=bytes(32)
    )
    assert ("ssh", "connections") not in found.read
    assert ["connections" in line for line in found.failures] == [True]
