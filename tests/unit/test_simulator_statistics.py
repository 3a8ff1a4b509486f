from typing import Any

import pytest

from spsetl.simulator import Quirks, World, WorldSpec
from spsetl.simulator.messages import ApiError
from spsetl.simulator.search import Search
from spsetl.simulator.statistics import count_values

EMPTY = WorldSpec(sessions=0, late=0)


def count(world: World, **params: str) -> dict[str, Any]:
    """The statistics of a world, with start and end read as overlap."""
    return count_values(Search(world, Quirks(reading="overlap")), params)


def world_of(*bodies: dict[str, Any]) -> World:
    """A world of just these sessions."""
    world = World(EMPTY)
    for body in bodies:
        world.add(None, body)
    return world


def test_the_smallest_values_are_cut_by_size() -> None:
    """The guide's example of ?size: ties by value, and one session in others."""
    protocols = ("http", "ssh", "rdp", "rdp", "rdp", "http", "http")
    answer = count(world_of(*({"protocol": name} for name in protocols)), field="protocol", size="2")
    assert answer["items"] == [{"count": 3, "value": "http"}, {"count": 3, "value": "rdp"}]
    assert answer["meta"] == {"field": "protocol", "others": 1, "size": 2}


def test_values_are_ordered_by_count() -> None:
    """The guide's example 1."""
    protocols = ("ssh", "ssh", "rdp", "rdp", "rdp", "ssh", "ssh")
    answer = count(world_of(*({"protocol": name} for name in protocols)), field="protocol")
    assert answer["items"] == [{"count": 4, "value": "ssh"}, {"count": 3, "value": "rdp"}]
    assert answer["meta"]["others"] == 0


def test_a_range_means_overlap_in_the_example() -> None:
    """The guide's example 2 without its content search, which would leave out Echo: the three sessions of rdp."""
    rows = (
        ("ssh", "2017-01-01", "2017-01-02", 1), ("ssh", "2017-01-01", "2017-01-02", 2),
        ("rdp", "2017-01-01", "2017-01-02", 3), ("rdp", "2017-01-03", "2017-01-04", 4),
        ("rdp", "2017-01-03", "2017-01-04", 5), ("ssh", "2017-01-04", "2017-01-06", 6),
        ("ssh", "2017-01-02", "2017-01-10", 7),
    )  # fmt: skip
    world = world_of(*(
        {"protocol": p, "start_time": s, "end_time": e, "recording.content_reference_id": n} for p, s, e, n in rows
    ))  # fmt: skip
    asked = {"field": "protocol", "start": "2017-01-02", "end": "2017-01-03"}
    answer = count(world, q="psm.content_reference_id:[3 TO 6]", **asked)
    assert answer["items"] == [{"count": 3, "value": "rdp"}]
    assert count(world, **asked)["items"] == [{"count": 3, "value": "rdp"}, {"count": 3, "value": "ssh"}]


def test_sub_fields_have_buckets_and_others_of_their_own() -> None:
    """The guide's example 3: others is a number of sessions, in the item and in meta."""
    rows = (
        ("ssh", "Alpha"), ("ssh", "Bravo"), ("rdp", "Charlie"), ("rdp", "Alpha"), ("rdp", "Alpha"), ("ssh", "Alpha"),
        ("ssh", "Alpha"), ("ssh", "Delta"),
    )  # fmt: skip
    world = world_of(*({"protocol": p, "user.gateway_username": f"user-{name}"} for p, name in rows))
    answer = count(world, field="user.gateway_username", sub_fields="protocol,verdict", size="1")
    item = {"buckets": [{"count": 3, "value": "ssh"}], "count": 5, "others": 2, "value": "user-Alpha"}
    assert answer["items"] == [item]
    assert answer["meta"]["others"] == 3
    assert answer["meta"]["sub_fields"] == "protocol"


def test_lists_count_once_per_value_and_null_nowhere() -> None:
    """A value that a session has twice counts once."""
    values = (["root", "admin", "root"], "root", None, [])
    world = world_of(*({"user.server_username": value} for value in values))
    items = count(world, field="server_username")["items"]
    assert items == [{"count": 2, "value": "root"}, {"count": 1, "value": "admin"}]


def test_values_are_texts() -> None:
    """Booleans are true and false, whole numbers have no decimals, an index status has its name."""
    world = world_of(
        {"analytics.score.aggregated": 21.0, "recording.archived": True, "recording.index_status": 3},
        {"analytics.score.aggregated": 21, "recording.archived": False, "recording.index_status": "INDEXED"},
        {"analytics.score.aggregated": 20.5},
    )
    scores = count(world, field="analytics.score.aggregated", q="_exists_:recording.index_status")["items"]
    assert {"count": 2, "value": "21"} in scores
    archived = {item["value"] for item in count(world, field="recording.archived")["items"]}
    assert archived == {"true", "false"}
    statuses = {item["value"]: item["count"] for item in count(world, field="psm.index_status")["items"]}
    assert statuses["INDEXED"] >= 2
    assert not any(value.isdigit() for value in statuses)


@pytest.mark.parametrize(
    "params", [{}, {"field": "no.such.field"}, {"field": "protocol", "size": "0"}, {"field": "protocol", "end": "x"}]
)
def test_what_cannot_be_counted_is_refused(params: dict[str, str]) -> None:
    """400 InvalidQueryValue: no field, an unknown one, a size or a time that is none."""
    with pytest.raises(ApiError) as refused:
        count(World(EMPTY), **params)
    assert (refused.value.status, refused.value.type) == (400, "InvalidQueryValue")
