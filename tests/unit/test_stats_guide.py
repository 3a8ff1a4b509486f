"""The worked examples of the guide, "Session statistics", each with its own data."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.statistics_oracle import Copy, Session, stats_of

# Most examples give no times.
SOME_TIME = datetime.fromisoformat("2017-01-01")
DAYS_OF_EXAMPLE_2 = {
    "Alpha": ("ssh", "2017-01-01", "2017-01-02", 1),
    "Bravo": ("ssh", "2017-01-01", "2017-01-02", 2),
    "Charlie": ("rdp", "2017-01-01", "2017-01-02", 3),
    "Delta": ("rdp", "2017-01-03", "2017-01-04", 4),
    "Echo": ("rdp", "2017-01-03", "2017-01-04", 5),
    "Foxtrot": ("ssh", "2017-01-04", "2017-01-06", 6),
    "Golf": ("ssh", "2017-01-02", "2017-01-10", 7),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy that each test fills."""
    made = Copy(tmp_path_factory.mktemp("guide") / "copy.duckdb")
    yield made
    made.close()


def of_protocols(*protocols: str) -> list[Session]:
    """A session of each of these protocols."""
    return [Session(SOME_TIME, columns={"protocol": protocol}) for protocol in protocols]


def shared_meta(**more: Any) -> dict[str, Any]:
    """The part of `meta` that every example shows."""
    return {"href": "/api/audit/sessions/stats", "parent": "/api/audit/sessions", **more}


def test_size_example(copy: Copy) -> None:
    """?size=2 shows the two most frequent protocols, ties by name, and one other session."""
    copy.load(of_protocols("http", "ssh", "rdp", "rdp", "rdp", "http", "http"))

    answer = stats_of(copy, "protocol", size=2).as_json

    assert answer["items"] == [{"count": 3, "value": "http"}, {"count": 3, "value": "rdp"}]
    assert answer["meta"] == shared_meta(others=1, field="protocol", size=2)


def test_example_1(copy: Copy) -> None:
    """?field=protocol counts four ssh and three rdp sessions."""
    copy.load(of_protocols("ssh", "ssh", "rdp", "rdp", "rdp", "ssh", "ssh"))

    answer = stats_of(copy, "protocol").as_json

    assert answer["items"] == [{"count": 4, "value": "ssh"}, {"count": 3, "value": "rdp"}]
    assert answer["meta"] == shared_meta(others=0, field="protocol", size=10)


def test_example_2(copy: Copy) -> None:
    """?start and ?end as dates mean overlap, the last day included.

    Of the seven sessions 1 to 4 and 6 have hits in their content, and `q` asks for 3 to 6.
    """
    wanted = {1, 2, 3, 4, 6} & {3, 4, 5, 6}
    copy.load(
        [
            Session(datetime.fromisoformat(start), datetime.fromisoformat(end), {"protocol": protocol})
            for protocol, start, end, reference in DAYS_OF_EXAMPLE_2.values()
            if reference in wanted
        ]
    )

    answer = stats_of(copy, "protocol", start="2017-01-02", end="2017-01-03", match="overlap").as_json

    assert answer["items"] == [{"count": 2, "value": "rdp"}]
    assert answer["meta"] == shared_meta(others=0, field="protocol", size=10)


@pytest.mark.parametrize("match", ["started", "contained"])
def test_example_2_works_only_as_overlap(copy: Copy, match: Any) -> None:
    """By the guide's own prose its second example would not count two rdp sessions."""
    copy.load(
        [
            Session(datetime.fromisoformat(start), datetime.fromisoformat(end), {"protocol": protocol})
            for protocol, start, end, reference in DAYS_OF_EXAMPLE_2.values()
            if reference in {3, 4, 6}
        ]
    )

    answer = stats_of(copy, "protocol", start="2017-01-02", end="2017-01-03", match=match)

    assert [(value, count) for value, count, _ in answer.rows] != [("rdp", 2)]


def test_example_3(copy: Copy) -> None:
    """?sub_fields=protocol&size=1 limits the users and the protocols of each, and counts sessions as others."""
    pairs = [
        ("ssh", "user-Alpha"),
        ("ssh", "user-Bravo"),
        ("rdp", "user-Charlie"),
        ("rdp", "user-Alpha"),
        ("rdp", "user-Alpha"),
        ("ssh", "user-Alpha"),
        ("ssh", "user-Alpha"),
        ("ssh", "user-Delta"),
    ]
    copy.load(
        [Session(SOME_TIME, columns={"protocol": protocol, "user_gateway_username": user}) for protocol, user in pairs]
    )

    answer = stats_of(copy, "user.gateway_username", sub_field="protocol", size=1).as_json

    assert answer["items"] == [
        {"buckets": [{"count": 3, "value": "ssh"}], "count": 5, "others": 2, "value": "user-Alpha"}
    ]
    assert answer["meta"] == shared_meta(others=3, field="user.gateway_username", sub_fields="protocol", size=1)
