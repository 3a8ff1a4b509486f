"""Bins of time: their bounds in any zone, what is counted in them, and what is refused."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from spsetl.analysis.histogram import Histogram, ask_histogram
from spsetl.analysis.population import Population
from spsetl.errors import TooManyBinsError, UsageError
from tests.statistics_oracle import Copy, Session, histogram_of


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy that each test fills."""
    made = Copy(tmp_path_factory.mktemp("bins") / "copy.duckdb")
    yield made
    made.close()


def at(text: str | None) -> Any:
    """A time of the tables: UTC, without a zone."""
    return text and datetime.fromisoformat(text)


def spans(*bounds: tuple[str, str | None]) -> list[Session]:
    """Sessions with these starts and ends."""
    return [Session(at(start), at(end)) for start, end in bounds]


def counts(answer: Histogram) -> list[tuple[int, int]]:
    """start_count and active_count of each bin."""
    return [(b.start_count, b.active_count) for b in answer.bins]


def hours(answer: Histogram) -> Sequence[float]:
    """How long each bin is."""
    return [(b.end - b.start).total_seconds() / 3600 for b in answer.bins]


def test_empty_bins_are_there(copy: Copy) -> None:
    """Between two sessions there is a bin for each day, with zeros."""
    copy.load(spans(("2024-03-01T10:00", "2024-03-01T11:00"), ("2024-03-04T10:00", "2024-03-04T11:00")))

    assert counts(histogram_of(copy)) == [(1, 1), (0, 0), (0, 0), (1, 1)]


def test_a_session_is_active_in_every_bin_it_touches(copy: Copy) -> None:
    """It counts once where it starts, and as active up to the bin of its end, be it the first moment of that."""
    copy.load(spans(("2024-03-01T23:59", "2024-03-03T00:00"), ("2024-03-04T00:00", "2024-03-04T00:00")))

    assert counts(histogram_of(copy)) == [(1, 1), (0, 1), (0, 1), (1, 1)]


def test_still_active_sessions_count_to_now(copy: Copy) -> None:
    """A session without an end is alive until now, and not in the bins of the time to come."""
    copy.load(spans(("2024-03-01T10:00", None)))

    answer = histogram_of(copy, end="2024-03-04", now=at("2024-03-03T00:00"))

    assert counts(answer) == [(1, 1), (0, 1), (0, 1), (0, 0)]


def test_a_session_that_ends_before_it_starts_is_active_once(copy: Copy) -> None:
    """Where clocks differ, a session was alive at its start; no bin has fewer active sessions than started ones."""
    copy.load(spans(("2024-03-03T10:00", "2024-03-01T10:00"), ("2024-03-03T11:00", None)))

    answer = histogram_of(copy, start="2024-03-01", now=at("2024-03-02T00:00"))

    assert counts(answer) == [(0, 0), (0, 0), (2, 2)]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("started", [(2, 2), (0, 1)]),
        ("contained", [(1, 1), (0, 0)]),
        ("overlap", [(3, 4), (0, 1)]),
    ],
)
def test_a_range_is_matched_by_its_rule(copy: Copy, match: Any, expected: list[tuple[int, int]]) -> None:
    """What started before the range, but in its first bin, counts there only where the rule lets it in."""
    copy.load(
        spans(
            ("2024-02-29T10:00", "2024-03-01T13:00"),
            ("2024-03-01T10:00", "2024-03-01T13:00"),
            ("2024-03-01T12:00", "2024-03-01T13:00"),
            ("2024-03-01T14:00", "2024-03-02T18:00"),
            ("2024-03-02T12:00", "2024-03-02T13:00"),
        )
    )

    answer = histogram_of(copy, start="2024-03-01T12:00", end="2024-03-02T12:00", match=match)

    assert counts(answer) == expected


@pytest.mark.parametrize(
    ("zone", "first", "lengths"),
    [
        ("Europe/Budapest", "2024-03-30", [24, 23, 24]),
        ("Europe/Budapest", "2024-10-26", [24, 25, 24]),
        ("America/New_York", "2024-03-09", [24, 23, 24]),
        ("Pacific/Auckland", "2024-04-06", [24, 25, 24]),
        ("Asia/Kolkata", "2024-03-30", [24, 24, 24]),
        ("America/Havana", "2024-11-02", [24, 25, 24]),
        ("UTC", "2024-03-30", [24, 24, 24]),
    ],
)
def test_days_are_those_of_the_zone(copy: Copy, zone: str, first: str, lengths: list[float]) -> None:
    """The day on which clocks change has 23 or 25 hours, also where they change at midnight."""
    copy.load([])

    begin = at(f"{first}T08:00")
    answer = histogram_of(copy, start=begin, end=begin + timedelta(days=2), time_zone=zone)

    assert hours(answer) == lengths
    assert all("T00:00:00.000" in b.id for b in answer.bins)


def test_a_day_that_was_left_out_has_no_bin(copy: Copy) -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    copy.load(spans(("2011-12-29T12:00", "2011-12-31T12:00")))

    answer = histogram_of(copy, end="2011-12-31T12:00", time_zone="Pacific/Apia")

    assert [b.id for b in answer.bins] == [
        "2011-12-29T00:00:00.000-10:00",
        "2011-12-31T00:00:00.000+14:00",
        "2012-01-01T00:00:00.000+14:00",
    ]
    assert counts(answer) == [(1, 1), (0, 1), (0, 1)]


def test_hours_are_of_equal_length(copy: Copy) -> None:
    """Hours begin where the zone's do, half past in India, and stay an hour long when clocks change."""
    copy.load([])

    india = histogram_of(copy, "hour", start="2024-03-01T10:00", end="2024-03-01T11:00", time_zone="Asia/Kolkata")
    autumn = {"start": "2024-10-26T23:30", "end": "2024-10-27T02:30", "time_zone": "Europe/Budapest"}
    budapest = histogram_of(copy, "hour", **autumn)

    assert [b.id for b in india.bins] == ["2024-03-01T15:00:00.000+05:30", "2024-03-01T16:00:00.000+05:30"]
    assert [b.id for b in budapest.bins] == [
        "2024-10-27T01:00:00.000+02:00",
        "2024-10-27T02:00:00.000+02:00",
        "2024-10-27T02:00:00.000+01:00",
        "2024-10-27T03:00:00.000+01:00",
    ]
    assert hours(budapest) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("bin_size", "ids"),
    [
        ("week", ["2024-02-26", "2024-03-04"]),
        ("month", ["2024-02-01", "2024-03-01"]),
        ("year", ["2024-01-01"]),
    ],
)
def test_longer_bins_are_those_of_the_calendar(copy: Copy, bin_size: Any, ids: list[str]) -> None:
    """Weeks begin on Monday, months and years on their first day."""
    copy.load([])

    answer = histogram_of(copy, bin_size, start="2024-02-29", end="2024-03-08")

    assert [b.id for b in answer.bins] == [f"{day}T00:00:00.000Z" for day in ids]


def test_only_sessions_with_a_value_of_the_field(copy: Copy) -> None:
    """With a field, plain, listed or a score, only the sessions that have a value of it count, each once."""
    time = at("2024-03-01T10:00")
    copy.load(
        [
            Session(time, time, {"protocol": "ssh"}),
            Session(time, time, lists={"analytics.tags": ["a", "b", "a"]}),
            Session(time, time, scores={"keystroke": 3.0, "command": None}),
            Session(time, time),
        ]
    )

    for field in ("protocol", "analytics.tags", "analytics.score.details.keystroke.score"):
        assert counts(histogram_of(copy, field=field)) == [(1, 1)]
    assert counts(histogram_of(copy, field="analytics.score.details.command.score")) == [(0, 0)]
    assert counts(histogram_of(copy)) == [(4, 4)]


def test_an_empty_copy_has_no_bins(copy: Copy) -> None:
    """Where nothing tells where to begin, there is nothing; with both bounds there are bins of zeros."""
    copy.load([])

    nothing = histogram_of(copy)
    assert nothing.bins == ()
    assert nothing.as_json["meta"]["start"] is None
    assert nothing.as_frame().empty
    assert counts(histogram_of(copy, start="2024-03-01", end="2024-03-02")) == [(0, 0), (0, 0)]


def test_a_range_after_the_last_session_has_no_bins(copy: Copy) -> None:
    """Without an end the bins end with the last session, be it in the bin that the range would start in."""
    copy.load(spans(("2024-03-01T10:00", "2024-03-01T11:00")))

    assert histogram_of(copy, start="2024-03-01T10:00:00.001").bins == ()
    assert counts(histogram_of(copy, start="2024-03-01T10:00")) == [(1, 1)]
    assert histogram_of(copy, end="2024-03-01T10:00").bins == ()


def test_rows_and_frame(copy: Copy) -> None:
    """A table has a row per bin; a frame has the bounds too, in UTC, as the tables hold times."""
    copy.load(spans(("2024-03-01T10:00", "2024-03-01T11:00")))
    bounds = {"start": "2024-03-01T00:00+01:00", "end": "2024-03-01"}
    names, rows = copy.rows(*ask_histogram(copy, time_zone="Europe/Budapest", population=Population(**bounds)))
    assert names == ["id", "start_count", "active_count"]
    assert rows == [("2024-03-01T00:00:00.000+01:00", 1, 1), ("2024-03-02T00:00:00.000+01:00", 0, 0)]

    answer = histogram_of(copy, time_zone="Europe/Budapest", **bounds)
    frame = answer.as_frame()
    assert frame["bin_start"].tolist() == [at("2024-02-29T23:00"), at("2024-03-01T23:00")]
    assert frame["bin_end"].tolist() == [at("2024-03-01T23:00"), at("2024-03-02T23:00")]
    assert frame["start_count"].tolist() == [1, 0]
    assert (answer.as_json["meta"]["start"], answer.as_json["meta"]["end"]) == ("2024-03-01T00:00+01:00", "2024-03-01")


def test_the_limit_of_bins(copy: Copy) -> None:
    """65536 bins are answered; the message of one more names the limit and what to do."""
    copy.load([])

    assert len(histogram_of(copy, "second", start="2024-03-01", end="2024-03-01T18:12:16").bins) == 65_536
    with pytest.raises(TooManyBinsError) as raised:
        histogram_of(copy, "second", start="2024-03-01", end="2024-03-01T18:12:17")

    assert str(raised.value) == "too many bins: 65537, limit 65536; use larger bins or a shorter range"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            {"bin_size": "fortnight"},
            "unknown bin size 'fortnight': one of second, minute, hour, day, week, month, year",
        ),
        ({"time_zone": "Europe/Budapst"}, "unknown time zone 'Europe/Budapst'; did you mean 'Europe/Budapest'?"),
        ({"time_zone": "'; drop table sessions"}, "unknown time zone"),
        ({"field": "protokol"}, "unknown field 'protokol'; did you mean 'protocol'?"),
        ({"match": "all"}, "unknown match 'all'"),
        ({"start": "2024-03-02", "end": "2024-03-01"}, "is empty"),
    ],
)
def test_questions_that_are_refused(copy: Copy, arguments: dict[str, Any], complaint: str) -> None:
    """A wrong argument is a wrong usage, told in one line."""
    with pytest.raises(UsageError) as raised:
        histogram_of(copy, **arguments)

    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)
