"""Telling apart more sessions of one start_time than one answer holds: by another field, in the language of `q`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from spsetl.appliance.protocol import format_range
from spsetl.extract.listed import value_of
from spsetl.window import EPOCH

# In this order: few values first, so that few questions are needed.
SPLIT_FIELDS: Final = (
    "protocol",
    "node_id",
    "recording.connection_policy",
    "server.ip",
    "user.name",
    "client.ip",
    "client.port",
    "recording.session_id",
)
# A split names at most so many values; the rest is split again, so many times by the same field. Keeps URLs below 8 kB.
MOST_VALUES: Final = 20
MOST_RESTS: Final = 5

Values = Mapping[str, Counter[str | None]]
"""How often each value of each split field was seen; None for no value."""


def new_values() -> dict[str, Counter[str | None]]:
    """No values seen yet."""
    return {name: Counter() for name in SPLIT_FIELDS}


def count_values(values: Values, item: Any) -> None:
    """Add the values of one listed session."""
    for name, counter in values.items():
        counter[_value(item, name)] += 1


def _value(item: Any, name: str) -> str | None:
    value = value_of(item, name)
    return str(value) if isinstance(value, str | int) else None


def choose_field(values: Values, fields: Sequence[str]) -> str | None:
    """The first field that more than one value, or a value and its absence, was seen of."""
    return next((name for name in fields if len(values[name]) > 1 and any(values[name])), None)


def quote(value: str) -> str:
    """The value as a phrase of `q` ("Searching in the session database": special characters take a backslash)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Every session, as appliances may spell it. Without one, Lucene lets a query that only denies match nothing; others
# take it for everything else.
EVERYTHING: Final = ("* AND ", "*:* AND ", f"{format_range(EPOCH, None)} AND ", "")


def partition(name: str, values: Counter[str | None], everything: str) -> Iterator[tuple[str, bool]]:
    """Queries that together match every session, whatever its value: one a value, then one for all the rest.

    Yields:
        The query, and whether it is the rest, in which `name` can still have several values.
    """
    seen = [value for value, _ in values.most_common() if value][:MOST_VALUES]
    for value in seen:
        yield f"{name}:{quote(value)}", False
    yield without(name, seen, everything), True


def without(name: str, values: Sequence[str], everything: str) -> str:
    """The query for every session that has none of these values, or none at all."""
    return f"{everything}NOT ({' OR '.join(f'{name}:{quote(value)}' for value in values)})"


def both(first: str | None, second: str) -> str:
    """The query for what both queries match."""
    return f"({first}) AND ({second})" if first else second
