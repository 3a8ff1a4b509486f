from datetime import UTC, datetime, timedelta

import pytest

from spsetl.simulator import Quirks, World, WorldSpec
from spsetl.simulator.documents import value_at
from spsetl.simulator.messages import ApiError
from spsetl.simulator.query import compile_query, read_query
from spsetl.simulator.search import Filter, Search

NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def search() -> Search:
    """A world with a session each millisecond from 3 before noon to 3 after, named by its distance."""
    world = World(WorldSpec(sessions=1, now=NOON + timedelta(days=3)))
    world.delete(world.keys()[0])
    for ms in range(-3, 4):
        world.add(f"{ms:+}", start_time=NOON + timedelta(milliseconds=ms))
    return Search(world, Quirks())


def found(search: Search, q: str) -> str:
    """The distances of the sessions that pass; the same whether the sorted list is cut or each session looked at."""
    passes = compile_query(q)
    documents = {key: search.world.session(key)["body"] for key in search.world}
    one_by_one = [key for key, body in documents.items() if passes(lambda field, body=body: value_at(body, field))]
    assert [session.key for session in search.matches(Filter(q))] == one_by_one
    return " ".join(one_by_one)


@pytest.mark.parametrize("quote", ["", '"'], ids=["bare", "quoted"])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("2026-10-20T11:59:59.999Z", "2026-10-20T12:00:00.002Z"),
        ("2026-10-20T13:59:59.999+02:00", "2026-10-20T07:00:00.002-05:00"),
        ("2026-10-20T11:59:59.999", "2026-10-20T12:00:00.002"),
        ("2026-10-20T11:59:59.9990000+00:00", "2026-10-20T12:00:00.0020000+00:00"),
        ("1792497599.999", "1792497600.002"),
        ("1792497599999", "1792497600002"),
    ],
    ids=["Z", "offsets", "no zone", "seven decimals", "seconds", "milliseconds"],
)
@pytest.mark.parametrize(
    ("brackets", "names"),
    [("[]", "-1 +0 +1 +2"), ("{}", "+0 +1"), ("[}", "-1 +0 +1"), ("{]", "+0 +1 +2")],
)
def test_both_edges_are_exact_to_the_millisecond(
    search: Search, low: str, high: str, quote: str, brackets: str, names: str
) -> None:
    """Inclusive, exclusive and mixed, for every spelling of a time."""
    q = f"start_time:{brackets[0]}{quote}{low}{quote} TO {quote}{high}{quote}{brackets[1]}"
    assert found(search, q) == names


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("start_time:[* TO 2026-10-20T12:00:00Z]", "-3 -2 -1 +0"),
        ("start_time:[* TO 2026-10-20T12:00:00Z}", "-3 -2 -1"),
        ('start_time:["2026-10-20T12:00:00Z" TO *]', "+0 +1 +2 +3"),
        ("start_time:{2026-10-20T14:00:00+02:00 TO *}", "+1 +2 +3"),
        ("start_time:[* TO *]", "-3 -2 -1 +0 +1 +2 +3"),
        ("start_time:[1792497600 TO 1792497600]", "+0"),
        ("start_time:[2026-10-20 TO 2026-10-20]", "-3 -2 -1 +0 +1 +2 +3"),
        ("start_time:{2026-10-20 TO *]", ""),
        ("start_time:[* TO 2026-10-20}", ""),
        ("start_time:[2026-10-21 TO 2026-10-19]", ""),
        (r"start_time:[2026-10-20T12\:00\:00Z TO *]", "+0 +1 +2 +3"),
        ("start_time:([2026-10-20T12:00:00Z TO *])", "+0 +1 +2 +3"),
        ("start_time:>=1792497600", "+0 +1 +2 +3"),
        ("start_time:<1792497600", "-3 -2 -1"),
        ("start_time:[1792497600 TO *] AND start_time:{* TO 1792497600.002}", "+0 +1"),
        ("(start_time:[1792497600 TO *] AND protocol:*) AND NOT start_time:[1792497600.002 TO *]", "+0 +1"),
        ("NOT start_time:[1792497600 TO *]", "-3 -2 -1"),
        ("start_time:[* TO 1792497599.998] OR start_time:[1792497600.002 TO *]", "-3 -2 +2 +3"),
        ('protocol:* AND start_time:{1792497600 TO *] AND NOT verdict:"[a TO b:c]"', "+1 +2 +3"),
    ],
)
def test_a_range_may_be_open_and_a_part_of_more(search: Search, q: str, names: str) -> None:
    """Beside other expressions, below NOT and OR, with dates in place of times."""
    assert found(search, q) == names


@pytest.mark.parametrize(
    "q",
    [
        "start_time:[2026-10-20 TO *]",
        "protocol:SSH AND NOT (end_time:>=2026-10-20)",
        "psm.archive.date:{* TO 1792497600}",
        "creation_time:([* TO *])",
    ],
)
def test_an_appliance_may_take_no_ranges_of_dates(q: str) -> None:
    """400 InvalidQuery for each field that is a date, wherever the range stands."""
    read_query(q)
    with pytest.raises(ApiError) as refused:
        read_query(q, Quirks(date_ranges=False))
    assert (refused.value.status, refused.value.type) == (400, "InvalidQuery")


@pytest.mark.parametrize("q", ["duration:[1 TO 5]", "start_time:2026-10-20", "user.name:[a TO c]", "_exists_:end_time"])
def test_without_ranges_of_dates_all_else_is_taken(q: str) -> None:
    """Numbers, texts and whole days."""
    assert read_query(q, Quirks(date_ranges=False)).rest is not None


@pytest.mark.parametrize("q", ["start_time:[yesterday TO *]", "start_time:>soon", "start_time:[2026-13-01 TO *]"])
def test_an_end_that_is_no_time_is_refused(q: str) -> None:
    """400 InvalidQueryValue, whichever way the expression is read."""
    for read in (compile_query, read_query):
        with pytest.raises(ApiError) as refused:
            read(q)
        assert (refused.value.status, refused.value.type) == (400, "InvalidQueryValue")
