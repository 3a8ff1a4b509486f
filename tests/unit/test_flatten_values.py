"""What fits which kind of column, and what it becomes there."""

from datetime import datetime
from typing import Any

import pytest

from spsetl.flatten.values import CONVERTERS, canonical_json, to_index_status
from spsetl.schema import Kind


def moment(text: str) -> datetime:
    """The time without a zone that columns hold."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.TEXT, "", ""),
        (Kind.TEXT, 15, "15"),
        (Kind.TEXT, 1.5, "1.5"),
        (Kind.TEXT, True, "true"),
        (Kind.TEXT, False, "false"),
        (Kind.BOOLEAN, True, True),
        (Kind.BOOLEAN, "TRUE", True),
        (Kind.BOOLEAN, "False", False),
        (Kind.BOOLEAN, 0, False),
        (Kind.BOOLEAN, 1, True),
        (Kind.INTEGER, 2**63 - 1, 2**63 - 1),
        (Kind.INTEGER, -(2**63), -(2**63)),
        (Kind.INTEGER, 22.0, 22),
        (Kind.INTEGER, "-22", -22),
        (Kind.INTEGER, "22.0", 22),
        (Kind.DOUBLE, 21, 21.0),
        (Kind.DOUBLE, "2.5e1", 25.0),
        (Kind.JSON, {"b": 1, "a": [None]}, '{"a":[null],"b":1}'),
        (Kind.JSON, "x", '"x"'),
        (Kind.TIMESTAMP, "2024-03-01T22:10:05", moment("2024-03-01 22:10:05")),
        (Kind.TIMESTAMP, "2024-03-01T22:10:05Z", moment("2024-03-01 22:10:05")),
        (Kind.TIMESTAMP, "2024-03-01t22:10:05z", moment("2024-03-01 22:10:05")),
        (Kind.TIMESTAMP, "2024-03-01T22:10:05.04+05:30", moment("2024-03-01 16:40:05.04")),
        (Kind.TIMESTAMP, "2024-03-01T22:10:05.123456999-08:00", moment("2024-03-02 06:10:05.123456")),
        (Kind.TIMESTAMP, "2024-03-01", moment("2024-03-01")),
        (Kind.TIMESTAMP, 1451901988, moment("2016-01-04 10:06:28")),
        (Kind.TIMESTAMP, -1, moment("1969-12-31 23:59:59")),
        (Kind.TIMESTAMP, 1451901988.25, moment("2016-01-04 10:06:28.25")),
        (Kind.TIMESTAMP, "1451901988", moment("2016-01-04 10:06:28")),
        (Kind.TIMESTAMP, "1451901988.1234569", moment("2016-01-04 10:06:28.123456")),
    ],
)
def test_value_that_fits(kind: Kind, value: Any, expected: Any) -> None:
    """A value that fits its column is read, whichever way an appliance writes it."""
    converted = CONVERTERS[kind](value)

    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.BOOLEAN, 2),
        (Kind.BOOLEAN, "yes"),
        (Kind.BOOLEAN, 0.5),
        (Kind.INTEGER, True),
        (Kind.INTEGER, 1.5),
        (Kind.INTEGER, "1_000"),
        (Kind.INTEGER, "0x10"),
        (Kind.INTEGER, " 1"),
        (Kind.INTEGER, "١"),  # noqa: RUF001 a digit of another script, on purpose
        (Kind.INTEGER, 2**63),
        (Kind.INTEGER, "9223372036854775808"),
        (Kind.INTEGER, 1e30),
        (Kind.DOUBLE, False),
        (Kind.DOUBLE, "nan"),
        (Kind.DOUBLE, "1e999"),
        (Kind.DOUBLE, float("inf")),
        (Kind.DOUBLE, "twenty"),
        (Kind.TIMESTAMP, True),
        (Kind.TIMESTAMP, "yesterday"),
        (Kind.TIMESTAMP, "2024-02-30T00:00:00Z"),
        (Kind.TIMESTAMP, "0001-01-01T00:00:00+05:00"),
        (Kind.TIMESTAMP, 1451901988000),
        (Kind.TIMESTAMP, float("nan")),
        (Kind.TIMESTAMP, "99999999999999999999"),
    ],
)
def test_value_that_does_not_fit(kind: Kind, value: Any) -> None:
    """A value that does not fit its column is refused, not bent."""
    with pytest.raises((ValueError, OverflowError)):
        CONVERTERS[kind](value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, "INDEXED"), ("3", "INDEXED"), (0, "CHANNEL_OPEN"), ("NO_TRAIL", "NO_TRAIL"), ("NEW", "NEW"), (7, "7")],
)
def test_index_status(value: Any, expected: str) -> None:
    """The indexing status comes as a name or as its number; a name that nobody knows stays."""
    assert to_index_status(value) == expected


def test_canonical_json_of_what_orjson_refuses() -> None:
    """Integers beyond 64 bits and deep nesting have canonical JSON too."""
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]

    assert canonical_json({"b": 2**70, "a": 1}) == b'{"a":1,"b":1180591620717411303424}'
    assert canonical_json(deep) == b"[" * 5_001 + b"]" * 5_001
    assert canonical_json({"b": [1, {}, {"c": None, "a": "x"}], "a": 2**70}) == (
        b'{"a":1180591620717411303424,"b":[1,{},{"a":"x","c":null}]}'
    )
