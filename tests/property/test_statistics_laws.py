"""Laws of stats and histogram: over any sessions they answer what a loop over them would."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl.analysis.population import MATCHES
from tests.statistics_oracle import (
    Copy,
    Session,
    belongs,
    bin_bounds,
    count_bins,
    count_values,
    histogram_of,
    label,
    stats_of,
    values_of,
)

# Plain texts, numbers, truths, times; lists; scores.
FIELDS = (
    "protocol",
    "user.name",
    "client.port",
    "analytics.score.aggregated",
    "active",
    "end_time",
    "user.server_username",
    "analytics.tags",
    "analytics.score.details.keystroke.score",
)
# Zones whose clocks change, by an hour or half of one, at midnight or not; one that left a day out; odd offsets.
ZONES = (
    "UTC",
    "Europe/Budapest",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
# Around changes of these clocks: March and November 2023, and the day that Apia left out.
CHANGES = tuple(
    datetime.fromisoformat(text)
    for text in ("2023-03-12T07:00", "2023-03-26T01:00", "2023-11-05T05:00", "2011-12-30T10:00")
)
# A few values each, so that ties and repeats are frequent; the order of code points is not that of the alphabet.
NAMES = st.sampled_from(["bob", "Bob", "Ödön", "", "日本"])
NOW = datetime.fromisoformat("2023-12-01")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy that each example fills anew."""
    made = Copy(tmp_path_factory.mktemp("statistics") / "copy.duckdb")
    yield made
    made.close()


def moments(change: datetime, days: float) -> st.SearchStrategy[datetime]:
    """Moments within so many days of a change of clocks, often on a bound of an hour."""
    exact = st.datetimes(change - timedelta(days=days), change + timedelta(days=days))
    return exact | exact.map(lambda moment: moment.replace(minute=0, second=0, microsecond=0))


@st.composite
def sessions(draw: st.DrawFn, change: datetime, days: float) -> Session:
    """A session near the change; it may still be active, and may seem to end before it starts."""
    start = draw(moments(change, days))
    lengths = st.timedeltas(timedelta(minutes=-30), timedelta(days=days))
    end = draw(st.none() | lengths.map(lambda length: start + length))
    optional = NAMES | st.none()
    return Session(
        start=start,
        end=end,
        columns={
            "protocol": draw(optional),
            "user_name": draw(optional),
            "client_port": draw(st.none() | st.sampled_from([9, 10, 22, 2**53 + 1])),
            "analytics_score_aggregated": draw(st.none() | st.sampled_from([0.0, 9.0, 21.0, 21.5, 0.1])),
            "active": draw(st.none() | st.booleans()),
        },
        lists={
            "user.server_username": draw(st.lists(NAMES, max_size=4)),
            "analytics.tags": draw(st.lists(NAMES, max_size=2)),
        },
        scores={"keystroke": draw(st.none() | st.sampled_from([1.0, 1.5])), "command": 3.0},
        appliance=draw(st.sampled_from(["sps", "sps", "other"])),
    )


@st.composite
def questions(draw: st.DrawFn, days: float) -> dict[str, Any]:
    """Sessions near a change of clocks, and a range, a rule and an appliance to ask for."""
    change = draw(st.sampled_from(CHANGES))
    session = sessions(change, days)
    start, end = sorted([draw(moments(change, days)), draw(moments(change, days))])
    return {
        # Few sessions find the edges, many the ties, the repeats and the others.
        "sessions": draw(st.lists(session, max_size=3) | st.lists(session, min_size=12, max_size=25)),
        "start": draw(st.sampled_from([None, start])),
        "end": draw(st.sampled_from([None, end + timedelta(milliseconds=1)])),
        "match": draw(st.sampled_from(MATCHES)),
        "appliance": draw(st.sampled_from([None, "sps"])),
        "now": draw(st.sampled_from([NOW, change])),
    }


def population(question: dict[str, Any]) -> list[Session]:
    """The sessions that the question is about."""
    rule = (question["match"], question["start"], question["end"], question["now"])
    return [session for session in of_appliance(question) if belongs(session, *rule)]


def of_appliance(question: dict[str, Any]) -> list[Session]:
    """The sessions of the appliance that the question is about."""
    return [session for session in question["sessions"] if question["appliance"] in (None, session.appliance)]


def options(question: dict[str, Any]) -> dict[str, Any]:
    """The question without its sessions."""
    return {name: value for name, value in question.items() if name != "sessions"}


@settings(max_examples=50)
@given(
    question=questions(days=30),
    field=st.sampled_from(FIELDS),
    sub_field=st.sampled_from(FIELDS) | st.none(),
    size=st.integers(1, 4),
)
def test_stats_are_what_a_loop_would_count(
    copy: Copy, question: dict[str, Any], field: str, sub_field: str | None, size: int
) -> None:
    """Counts, ties, lists, nulls, sub-fields and others, under every rule of matching."""
    copy.load(question["sessions"])

    answer = stats_of(copy, field, sub_field=sub_field, size=size, **options(question))

    items, others = count_values(population(question), field, sub_field, size)
    assert answer.as_json["items"] == items
    assert answer.as_json["meta"]["others"] == others


def check_histogram(copy: Copy, question: dict[str, Any], bin_size: Any, zone_name: str, field: str | None) -> None:
    """The histogram is what loops over sessions and bins would count."""
    copy.load(question["sessions"])
    zone = ZoneInfo(zone_name)

    answer = histogram_of(copy, bin_size, field=field, time_zone=zone_name, **options(question))

    starts = [session.start for session in of_appliance(question)]
    first = question["start"] or min(starts, default=None)
    last = question["end"] - timedelta(microseconds=1) if question["end"] else max(starts, default=None)
    if first is None or last is None or last < first:
        assert answer.bins == ()
        return
    counted = [session for session in population(question) if field is None or values_of(session, field)]
    expected = count_bins(counted, bin_bounds(first, last, bin_size, zone), question["now"])
    assert [
        (b.start.replace(tzinfo=None), b.end.replace(tzinfo=None), b.start_count, b.active_count) for b in answer.bins
    ] == expected
    assert [b.id for b in answer.bins] == [label(begin, zone) for begin, *_ in expected]
    assert all(b.start.tzinfo is UTC for b in answer.bins)


@settings(max_examples=50)
@given(
    question=questions(days=60),
    bin_size=st.sampled_from(["day", "week", "month", "year"]),
    zone=st.sampled_from(ZONES),
    field=st.none() | st.sampled_from(FIELDS),
)
def test_long_bins_are_what_loops_would_count(
    copy: Copy, question: dict[str, Any], bin_size: str, zone: str, field: str | None
) -> None:
    """Days, weeks, months and years of each zone's calendar, whatever its clocks do."""
    check_histogram(copy, question, bin_size, zone, field)


@settings(max_examples=50)
@given(
    question=questions(days=1),
    bin_size=st.sampled_from(["minute", "hour"]),
    zone=st.sampled_from(ZONES),
    field=st.none() | st.sampled_from(FIELDS),
)
def test_short_bins_are_what_loops_would_count(
    copy: Copy, question: dict[str, Any], bin_size: str, zone: str, field: str | None
) -> None:
    """Minutes and hours from the local start of the first one, across changes of clocks."""
    check_histogram(copy, question, bin_size, zone, field)
