"""What the answers of stats look like, and which questions are refused."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from spsetl.analysis.times import read_end, read_range, read_start
from spsetl.errors import UsageError
from tests.statistics_oracle import Copy, Session, stats_of

DAY = datetime.fromisoformat("2024-03-01")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy of three sessions: one before, one in and one after the first of March, the last without a protocol."""
    made = Copy(tmp_path_factory.mktemp("answers") / "copy.duckdb")
    made.load(
        [
            Session(
                DAY - HOUR, DAY + HOUR, {"protocol": "ssh", "user_name": "ann"}, {"analytics.tags": ["c", "b", "a"]}
            ),
            Session(DAY + 2 * HOUR, DAY + 3 * HOUR, {"protocol": "rdp", "client_port": 22}),
            Session(DAY + 23 * HOUR, None, {"user_name": "bob"}),
        ]
    )
    yield made
    made.close()


def test_rows_of_a_field(copy: Copy) -> None:
    """Without a sub-field there is a row per value; the same in JSON, as a table and as a frame."""
    answer = stats_of(copy, "protocol")

    assert answer.columns == ("value", "count", "others")
    assert answer.rows == [("rdp", 1, 0), ("ssh", 1, 0)]
    assert [list(item) for item in answer.as_json["items"]] == [["value", "count"]] * 2
    frame = answer.as_frame()
    assert list(frame.itertuples(index=False, name=None)) == answer.rows
    assert tuple(frame.columns) == answer.columns
    assert [str(kind) for kind in frame.dtypes[1:]] == ["int64", "int64"]


def test_rows_of_a_sub_field(copy: Copy) -> None:
    """With a sub-field there is a row per value and sub-value; a value that has none keeps its row."""
    answer = stats_of(copy, "protocol", sub_field="user.name")

    assert answer.columns == ("value", "count", "others", "sub_value", "sub_count", "sub_others")
    assert answer.rows == [("rdp", 1, 0, None, None, 0), ("ssh", 1, 0, "ann", 1, 0)]
    assert answer.as_json["items"][0] == {"value": "rdp", "count": 1, "buckets": [], "others": 0}
    frame = answer.as_frame()
    assert frame["sub_count"].tolist()[1] == 1
    assert frame["sub_count"].isna().tolist() == [True, False]
    assert str(frame["sub_count"].dtype) == "Int64"


def test_others_count_sessions_and_not_rows(copy: Copy) -> None:
    """However many sub-values are shown beside a value, its sessions are among those shown once."""
    answer = stats_of(copy, "user.name", sub_field="analytics.tags", size=2)
    assert answer.rows == [("ann", 1, 0, "a", 1, 1), ("ann", 1, 0, "b", 1, 1), ("bob", 1, 0, None, None, 0)]

    answer = stats_of(copy, "user.name", sub_field="analytics.tags", size=1)
    assert answer.rows == [("ann", 1, 1, "a", 1, 2)]


def test_nothing_to_count(copy: Copy) -> None:
    """A field that no session has gives no items, no others, and a frame without rows."""
    answer = stats_of(copy, "vault.account_name", sub_field="protocol")

    assert answer.rows == []
    assert answer.as_json["items"] == []
    assert answer.as_json["meta"]["others"] == 0
    assert answer.as_frame().empty
    assert tuple(answer.as_frame().columns) == answer.columns


@pytest.mark.parametrize(
    ("match", "values"),
    [("started", {"rdp"}), ("contained", {"rdp"}), ("overlap", {"rdp", "ssh"})],
)
def test_a_range_is_matched_by_its_rule(copy: Copy, match: Any, values: set[str]) -> None:
    """Started and contained begin in the range; overlap takes what was still alive at its start, too."""
    answer = stats_of(copy, "protocol", start=DAY, end=date(2024, 3, 1), match=match)

    assert {item["value"] for item in answer.as_json["items"]} == values


def test_active_sessions_have_not_ended(copy: Copy) -> None:
    """A session without an end is not contained in a range with one, and overlaps every range up to now."""
    bounds: dict[str, Any] = {"start": DAY + 24 * HOUR, "end": DAY + 48 * HOUR}

    def users(match: Any, now: datetime) -> list[str]:
        return [item["value"] for item in stats_of(copy, "user.name", match=match, now=now, **bounds).as_json["items"]]

    assert users("overlap", DAY + 24 * HOUR) == ["bob"]
    assert users("overlap", DAY + 23 * HOUR) == []
    assert users("contained", DAY + 24 * HOUR) == []
    assert stats_of(copy, "user.name", start=DAY + 23 * HOUR, match="contained").as_json["items"][0]["value"] == "bob"
    assert stats_of(copy, "user.name", start=DAY + 24 * HOUR, match="overlap").as_json["items"][0]["value"] == "bob"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"field": "user.nam"}, "unknown field 'user.nam'; did you mean 'user.name'"),
        ({"sub_field": "protokoll"}, "unknown field 'protokoll'; did you mean 'protocol'"),
        ({"match": "overlaps"}, "unknown match 'overlaps': one of started, contained, overlap; did you mean 'overlap'"),
        ({"size": 0}, "size must be at least 1, not 0"),
        ({"start": "yesterday"}, "cannot read 'yesterday' as a time"),
        ({"end": "2024-13-01"}, "cannot read '2024-13-01' as a time"),
        ({"end": "9999-12-31"}, "cannot read '9999-12-31' as a time"),
        ({"start": "2024-03-02", "end": "2024-03-01"}, "the range from 2024-03-02 to 2024-03-01 is empty"),
        ({"start": "2024-03-02", "end": "2024-03-02T00:00"}, "is empty: the end must be after the start"),
    ],
)
def test_questions_that_are_refused(copy: Copy, arguments: dict[str, Any], complaint: str) -> None:
    """A wrong argument is a wrong usage, told in one line before anything is asked."""
    with pytest.raises(UsageError) as raised:
        stats_of(copy, **({"field": "protocol"} | arguments))

    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-03-01", "2024-03-01T00:00", "2024-03-02T00:00"),
        ("20240301", "2024-03-01T00:00", "2024-03-02T00:00"),
        ("2024-03-01T00:00", "2024-03-01T00:00", "2024-03-01T00:00"),
        ("2024-03-01 10:30:15.250", "2024-03-01T10:30:15.250", "2024-03-01T10:30:15.250"),
        ("2024-03-01T10:30Z", "2024-03-01T10:30", "2024-03-01T10:30"),
        ("2024-03-01T10:30+05:30", "2024-03-01T05:00", "2024-03-01T05:00"),
        ("2024-03-01T10:30-02:00", "2024-03-01T12:30", "2024-03-01T12:30"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: str, start: str, end: str) -> None:
    """A date alone starts with its day as a start, and ends with it as an end."""
    assert read_start(text) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert read_end(text) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_times_as_python_values() -> None:
    """Dates and times of Python are read as their texts are; the tables get UTC without a zone."""
    budapest = timezone(timedelta(hours=1))

    assert read_range(date(2024, 3, 1), date(2024, 3, 1)) == (DAY, DAY + 24 * HOUR)
    assert read_range((DAY + HOUR).replace(tzinfo=budapest), DAY + HOUR) == (DAY, DAY + HOUR)
    assert read_range(None, None) == (None, None)
