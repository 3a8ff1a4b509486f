from typing import Any

import pytest

from spsetl.simulator import Quirks, World, WorldSpec
from spsetl.simulator.messages import ApiError
from spsetl.simulator.search import Search
from spsetl.simulator.statistics import count_bins

EMPTY = WorldSpec(sessions=0, late=0)


def count(world: World, quirks: Quirks | None = None, **params: str) -> dict[str, Any]:
    """The histogram of a world over the field protocol; start and end mean overlap."""
    quirks = quirks or Quirks(reading="overlap")
    return count_bins(Search(world, quirks), quirks, world.now_ms, {"field": "protocol", **params})


def rows(answer: dict[str, Any]) -> list[tuple[str, int, int]]:
    """The bins: id, start_count, active_count."""
    return [(b["id"], b["start_count"], b["active_count"]) for b in answer["body"]["buckets"]]


def world_of(*spans: tuple[str, str | None]) -> World:
    """A world of sessions with these starts and ends."""
    world = World(EMPTY)
    for start, end in spans:
        world.add(start_time=start, end_time=end)
    return world


def test_a_session_is_active_in_each_bin_that_it_touches() -> None:
    """It starts in one; empty bins are there with zeros."""
    world = world_of(("2026-10-05T23:30:00Z", "2026-10-07T00:00:00Z"), ("2026-10-06T10:00:00Z", "2026-10-06T11:00:00Z"))
    answer = count(world, bin_size="day", start="2026-10-05", end="2026-10-08")
    assert rows(answer) == [
        ("2026-10-05T00:00:00.000Z", 1, 1),
        ("2026-10-06T00:00:00.000Z", 1, 2),
        ("2026-10-07T00:00:00.000Z", 0, 1),
        ("2026-10-08T00:00:00.000Z", 0, 0),
    ]


def test_active_sessions_count_to_now() -> None:
    """The world's now is the default end, and a month before it the default start."""
    world = world_of(("2026-10-30T10:00:00Z", None))
    answer = count(world, bin_size="week")
    assert rows(answer)[-1] == ("2026-10-26T00:00:00.000Z", 1, 1)
    assert rows(answer)[0][0] == "2026-09-28T00:00:00.000Z"
    assert answer["meta"]["start"] == "2026-10-01T00:00:00.000Z"
    assert (answer["meta"]["bin_size"], answer["meta"]["time_zone"]) == ("week", "Etc/UTC")


def test_the_guides_week_of_one_bin() -> None:
    """From Monday to Friday there are five days and one week, which begins on Monday."""
    span = {"start": "2018-02-12T14:40", "end": "2018-02-16T14:40"}
    assert len(rows(count(World(EMPTY), bin_size="day", **span))) == 5
    assert [row[0] for row in rows(count(World(EMPTY), bin_size="week", **span))] == ["2018-02-12T00:00:00.000Z"]


def test_days_follow_the_zone_and_its_summer_time() -> None:
    """On the last Sunday of October a day in Budapest has 25 hours, and one hour comes twice."""
    world = world_of(("2026-10-24T22:30:00Z", "2026-10-24T22:40:00Z"), ("2026-10-25T22:30:00Z", "2026-10-25T22:31:00Z"))
    zone = {"time_zone": "Europe/Budapest"}
    span = {"start": "2026-10-25T00:00:00+02:00", "end": "2026-10-26T00:00:00+01:00"}
    days = rows(count(world, bin_size="day", **span, **zone))
    assert days == [("2026-10-25T00:00:00.000+02:00", 2, 2)]
    hours = [row[0] for row in rows(count(world, bin_size="hour", **span, **zone))]
    assert len(hours) == 25
    assert hours[2:4] == ["2026-10-25T02:00:00.000+02:00", "2026-10-25T02:00:00.000+01:00"]


@pytest.mark.parametrize(
    ("unit", "ids"),
    [
        ("month", ["2024-01-01T00:00:00.000Z", "2024-02-01T00:00:00.000Z"]),
        ("year", ["2024-01-01T00:00:00.000Z"]),
    ],
)
def test_calendar_units(unit: str, ids: list[str]) -> None:
    """Months and years begin with their first day; the bin with the last instant before the end is the last."""
    found = [row[0] for row in rows(count(World(EMPTY), bin_size=unit, start="2024-01-31", end="2024-03-01T00:00Z"))]
    assert found == ids


def test_too_many_bins_are_refused() -> None:
    """400 TooMuchBucketsInResult over the limit, and not at it."""
    quirks = Quirks(bin_limit=24)
    assert len(rows(count(World(EMPTY), quirks, bin_size="hour", start="2026-10-05", end="2026-10-05"))) == 24
    with pytest.raises(ApiError) as refused:
        count(World(EMPTY), quirks, bin_size="hour", start="2026-10-05", end="2026-10-06T00:30Z")
    assert (refused.value.status, refused.value.type) == (400, "TooMuchBucketsInResult")


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"bin_size": "fortnight"}, "InvalidQueryValue"),
        ({"time_zone": "Mars/Olympus"}, "InvalidQueryValue"),
        ({"field": "bogus"}, "InvalidQueryValue"),
        ({"content": "login"}, "NotSupportedContentOption"),
    ],
)
def test_what_cannot_be_binned_is_refused(params: dict[str, str], kind: str) -> None:
    """400 with the guide's types."""
    with pytest.raises(ApiError) as refused:
        count(World(EMPTY), **params)
    assert (refused.value.status, refused.value.type) == (400, kind)


def test_the_other_spelling_of_bin_size_is_ignored() -> None:
    """Then the bins are months, and the echo says so."""
    params = {"bin_size": "day", "start": "2026-10-01", "end": "2026-10-31"}
    answer = count(World(EMPTY), Quirks(bin_size_parameter="bin-size"), **params)
    assert answer["meta"]["bin_size"] == "month"
    assert len(rows(answer)) == 1
    assert len(rows(count(World(EMPTY), **params))) == 31


def test_only_sessions_with_the_field_count() -> None:
    """A session without analytics is in no bin of its score."""
    world = world_of(("2026-10-30T10:00:00Z", None))
    answer = count(world, field="analytics.score.aggregated", bin_size="week")
    assert sum(row[2] for row in rows(answer)) == 0
