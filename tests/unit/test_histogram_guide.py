"""The worked examples of the guide, "Session histogram", each with its own data."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from spsetl.analysis.histogram import BinSize
from tests.statistics_oracle import Copy, Session, histogram_of

# id, start_count, active_count
SAMPLE = [
    ("2018-01-15T12:00:00.000Z", 61, 61),
    ("2018-01-15T13:00:00.000Z", 89, 99),
    ("2018-01-15T14:00:00.000Z", 24, 39),
    ("2018-01-15T15:00:00.000Z", 62, 62),
    ("2018-01-15T16:00:00.000Z", 81, 92),
    ("2018-01-15T17:00:00.000Z", 19, 27),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy that each test fills."""
    made = Copy(tmp_path_factory.mktemp("guide") / "copy.duckdb")
    yield made
    made.close()


def sample_sessions() -> list[Session]:
    """Sessions behind the sample: of those that start in an hour, as many last into the next as were active there."""
    sessions = []
    for (name, started, _), (_, next_started, next_active) in zip(SAMPLE, [*SAMPLE[1:], ("", 0, 0)], strict=True):
        hour = datetime.fromisoformat(name).replace(tzinfo=None)
        for number in range(started):
            minutes = 45 if number < next_active - next_started else 10
            start = hour + timedelta(minutes=30)
            sessions.append(
                Session(start, start + timedelta(minutes=minutes), {"recording_connection_policy": "policy"})
            )
    return sessions


def test_sample_response(copy: Copy) -> None:
    """Six hours with sessions that started in them, and sessions that were active in them."""
    copy.load(sample_sessions())

    answer = histogram_of(copy, "hour", field="recording.connection_policy", time_zone="Etc/UTC").as_json

    assert answer["body"]["buckets"] == [
        {"id": name, "start_count": started, "active_count": active} for name, started, active in SAMPLE
    ]
    assert answer["key"] == "histogram"
    assert answer["meta"] == {
        "bin_size": "hour",
        "field": "recording.connection_policy",
        "href": "/api/audit/sessions/histogram",
        "parent": "/api/audit/sessions",
        "start": "2018-01-15T12:00:00.000Z",
        "end": "2018-01-15T18:00:00.000Z",
        "time_zone": "Etc/UTC",
    }


@pytest.mark.parametrize(("bin_size", "bins"), [("day", 5), ("week", 1)])
def test_bin_size_example(copy: Copy, bin_size: BinSize, bins: int) -> None:
    """From 2018-02-12 14:40 to 2018-02-16 14:40 there are five days, and one week."""
    copy.load([])

    answer = histogram_of(copy, bin_size, start="2018-02-12T14:40", end="2018-02-16T14:40")

    assert len(answer.bins) == bins
    assert answer.bins[0].id == "2018-02-12T00:00:00.000Z"
