import base64
from functools import lru_cache, partial
from typing import Literal

import orjson
from hypothesis import given
from hypothesis import strategies as st

from spsetl.simulator import Quirks, World, WorldSpec
from spsetl.simulator.appliance import Appliance
from spsetl.simulator.messages import Request
from spsetl.simulator.query import compile_query, read_query
from spsetl.simulator.search import Filter, Search
from spsetl.simulator.statistics import count_bins, count_values
from spsetl.simulator.times import DAY, ParsedTime, iso, parse_time

SPEC = WorldSpec(sessions=300, days=6)
FIRST = 1_793_000_000_000
TERMS = st.sampled_from([
    "protocol:ssh", "verdict:accept", "user.name:b*", "duration:[10 TO 500]", "_exists_:analytics", "active:true",
    "recording.index_status:INDEXED", "start_time:[2026-10-28 TO 2026-10-30}", "server_username:(root admin)",
    "no_such_field:1", "recording.archived:true", "analytics.score.aggregated:>50",
])  # fmt: skip
QUERIES = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map("(NOT {})".format),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} AND {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} OR {pair[1]})"),
    ),
    max_leaves=6,
)
MOMENTS = st.integers(0, 8 * DAY).map(lambda ms: FIRST - 2 * DAY + ms)
# Ends of ranges of start_time, in every spelling.
ENDS = st.one_of(
    st.just("*"),
    MOMENTS.map(iso),
    MOMENTS.map(lambda ms: iso(ms, 330)),
    MOMENTS.map(lambda ms: f'"{iso(ms, -420)}"'),
    MOMENTS.map(lambda ms: iso(ms)[:10]),
    MOMENTS.map(lambda ms: f"{ms / 1000:.3f}"),
)
RANGES = st.tuples(st.sampled_from("[{"), ENDS, ENDS, st.sampled_from("]}")).map(
    lambda parts: f"start_time:{parts[0]}{parts[1]} TO {parts[2]}{parts[3]}"
)
READINGS = st.sampled_from(["literal", "overlap"])


@lru_cache
def search(reading: Literal["literal", "overlap"] = "literal") -> Search:
    """A search in a world that no test changes."""
    return Search(World(SPEC), Quirks(reading=reading))


def log_in(world: World) -> tuple[Appliance, dict[bytes, bytes]]:
    """An appliance with that world, and the headers of one who has logged in."""
    appliance = Appliance(world, Quirks(), "a", "b")
    basic = b"Basic " + base64.b64encode(b"a:b")
    welcome = appliance.answer(Request("authentication", "", {}, {b"authorization": basic}))
    return appliance, {b"cookie": welcome.headers[0][1].partition(";")[0].encode()}


def keys(found: Search, wanted: Filter) -> set[str]:
    """The keys of the sessions that pass."""
    return {session.key for session in found.matches(wanted)}


@given(q=QUERIES)
def test_not_is_the_exact_complement(q: str) -> None:
    """Each session passes either the expression or its negation, also without the field."""
    world = search()
    passing, others = keys(world, Filter(q)), keys(world, Filter(f"NOT {q}"))
    assert not passing & others
    assert len(passing) + len(others) == SPEC.sessions


@given(left=QUERIES, right=QUERIES)
def test_and_and_or_are_intersection_and_union(left: str, right: str) -> None:
    """Groups keep expressions apart."""
    world = search()
    one, other = keys(world, Filter(left)), keys(world, Filter(right))
    assert keys(world, Filter(f"({left}) AND ({right})")) == one & other
    assert keys(world, Filter(f"({left}) OR ({right})")) == one | other


@given(ranges=st.lists(RANGES, min_size=1, max_size=3), q=st.none() | QUERIES)
def test_cutting_the_sorted_list_is_looking_at_each_session(ranges: list[str], q: str | None) -> None:
    """Ranges of start_time, however spelled and joined, leave what the whole expression lets pass."""
    world = search()
    text = " AND ".join([*ranges, *([q] if q else [])])
    passes = compile_query(text)
    expected = [s.key for s in world.world.by_start() if passes(partial(world.value, s))]
    assert [session.key for session in world.matches(Filter(text))] == expected
    assert q is not None or read_query(text).rest is None


@given(start=st.none() | MOMENTS, end=st.none() | MOMENTS, reading=READINGS)
def test_start_and_end_read_as_they_are_defined(start: int | None, end: int | None, reading: str) -> None:
    """The search agrees with the two readings written down plainly."""
    found = search(reading)
    wanted = Filter("", *(None if ms is None else ParsedTime(ms, is_date=False) for ms in (start, end)))
    expected = set()
    for session in found.world.by_start():
        if reading == "literal":
            passes = start is None or session.start >= start
            passes &= end is None or (session.end is not None and session.end < end)
        else:
            passes = end is None or session.start < end
            passes &= start is None or session.end is None or session.end >= start
        if passes:
            expected.add(session.key)
    assert keys(found, wanted) == expected


@given(limit=st.integers(1, 120), sort=st.sampled_from(["start_time", "-start_time", "-duration,user.name", "verdict"]))
def test_pages_part_the_list(limit: int, sort: str) -> None:
    """Page by page, with any limit, every session of a quiet world comes once; the last page has no next."""
    appliance, headers = log_in(search().world)
    walked: list[str] = []
    offset: int | None = 0
    while offset is not None:
        params = {"limit": str(limit), "offset": str(offset), "sort": sort}
        answer = orjson.loads(appliance.answer(Request("list", "", params, headers)).body)
        walked += [item["key"] for item in answer["items"]]
        offset = offset + limit if answer["meta"]["next"] else None
    assert walked == [session.key for session in appliance.search.sorted_matches(Filter(sort=sort))]
    assert len(set(walked)) == SPEC.sessions


@given(count=st.integers(0, 400), limit=st.integers(1, 120))
def test_pages_part_given_events(count: int, limit: int) -> None:
    """Page by page, with any limit, as many events come as were given, each once and in order."""
    world = World(WorldSpec(sessions=1))
    key = world.keys()[0]
    world.give_events(key, count)
    appliance, headers = log_in(world)
    walked: list[dict[str, object]] = []
    while True:
        params = {"limit": str(limit), "offset": str(len(walked))}
        answer = orjson.loads(appliance.answer(Request("events", "", params, headers, key)).body)
        walked += answer["items"]
        if answer["meta"]["next"] is None:
            break
    assert walked == world.events(key)
    assert len({event["record_id"] for event in walked}) == count


@given(start=MOMENTS, length=st.integers(1, 3 * DAY), unit=st.sampled_from(["hour", "day", "week"]), reading=READINGS)
def test_a_histogram_agrees_with_counting_one_by_one(start: int, length: int, unit: str, reading: str) -> None:
    """start_count and active_count of each bin are what a plain look at every session gives."""
    found, now = search(reading), search(reading).world.now_ms
    params = {"field": "protocol", "bin_size": unit, "start": iso(start), "end": iso(start + length)}
    answer = count_bins(found, Quirks(reading=reading), now, params)
    wanted = Filter("", ParsedTime(start, is_date=False), ParsedTime(start + length, is_date=False))
    sessions = [(s.start, now if s.end is None else s.end) for s in found.matches(wanted)]
    size = {"hour": DAY // 24, "day": DAY, "week": 7 * DAY}[unit]
    for bucket in answer["body"]["buckets"]:
        first = parse_time(bucket["id"]).ms
        assert bucket["start_count"] == sum(first <= s < first + size for s, _ in sessions)
        assert bucket["active_count"] == sum(s < first + size and e >= first for s, e in sessions)


@given(q=QUERIES, size=st.integers(1, 9), field=st.sampled_from(["protocol", "verdict", "server.ip", "node_id"]))
def test_statistics_lose_no_session(q: str, size: int, field: str) -> None:
    """Of a field that every session has once, the counts and others make up all that pass."""
    found = search()
    answer = count_values(found, {"field": field, "size": str(size), "q": q})
    assert sum(item["count"] for item in answer["items"]) + answer["meta"]["others"] == len(keys(found, Filter(q)))
    assert len(answer["items"]) <= size
