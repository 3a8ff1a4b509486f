"""What some objects say at one field, into a column: by Arrow where all is as it should be, else value by value."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from spsetl.flatten.paths import Leaf
from spsetl.flatten.values import Converter, is_scalar, to_index_status, to_json, to_text
from spsetl.schema import Kind

Column: TypeAlias = "Sequence[Any] | pa.Array[Any]"
"""One value per object, None where it says nothing."""
Entries: TypeAlias = Sequence[tuple[int, str]]
"""Position and text of the values of a list. Null has its position, but no entry."""

# Arrow would also take a boolean for a number, and a fraction without digits for an integer.
_NUMBERS: Final[dict[Kind, set[type]]] = {Kind.INTEGER: {int, type(None)}, Kind.DOUBLE: {int, float, type(None)}}
_STRINGS: Final = {str}
_WITH_EMPTY: Final = {Kind.TEXT, Kind.JSON}
_TEXT: Final = Kind.TEXT.arrow_type
_WITH_ZONE: Final = pa.timestamp("us", "UTC")


class Said(NamedTuple):
    """What the objects say at a field.

    Attributes:
        column: For the field's column.
        raw: For the column that keeps what came as it came; of no account where the field has none.
        entries: The values of lists, by object.
        misfits: The objects whose value the column cannot hold.
    """

    column: Column
    raw: Column
    entries: dict[int, Entries]
    misfits: Sequence[int]


def read_field(leaf: Leaf, values: Sequence[Any]) -> Said:
    """Read a field; null says nothing.

    Args:
        leaf: The field.
        values: What each object has there.
    """
    if not leaf.is_list and leaf.convert is not to_index_status:
        try:
            column = _as_array(leaf.kind, values)
            return Said(column, pa.array(values, _TEXT) if leaf.raw else (), {}, ())
        except (ValueError, OverflowError, pa.ArrowTypeError):
            pass  # one of them at least needs a closer look
    return _read_one_by_one(leaf, values)


def as_list(column: Column) -> list[Any]:
    """The column's values, to be written to."""
    return column.to_pylist() if isinstance(column, pa.Array) else list(column)


def _as_array(kind: Kind, values: Sequence[Any]) -> "pa.Array[Any]":
    """The values of a column none of which needs to be converted but by Arrow; raises where one does."""
    if kind is Kind.TIMESTAMP:
        return _as_times(pa.array(values, _TEXT))
    if kind is Kind.JSON or (kind in _NUMBERS and not _NUMBERS[kind].issuperset(map(type, values))):
        raise pa.ArrowInvalid
    return pa.array(values, kind.arrow_type)


def _as_times(texts: "pa.Array[Any]") -> "pa.Array[Any]":
    """Arrow takes fewer spellings of a time, but more years; and all with a zone, or none."""
    try:
        times = texts.cast(_WITH_ZONE).cast(Kind.TIMESTAMP.arrow_type)
    except pa.ArrowInvalid:
        times = texts.cast(Kind.TIMESTAMP.arrow_type)
    pc.min_max(times).as_py()  # raises where Python has no such year
    return times


def _read_one_by_one(leaf: Leaf, values: Sequence[Any]) -> Said:
    column: list[Any] = [None] * len(values)
    raw: list[Any] = [None] * len(values)
    entries: dict[int, Entries] = {}
    misfits: list[int] = []
    for place, value in enumerate(values):
        if value is None:
            continue
        if (type(value) is list or type(value) is dict) and leaf.kind is not Kind.JSON:
            if _can_join(leaf, value):
                entries[place], column[place] = _join(leaf, value)
            elif value:
                misfits.append(place)
            continue
        if leaf.raw:
            raw[place] = to_text(value)
        if leaf.is_list:
            entries[place] = [(0, to_text(value))]
        try:
            column[place] = leaf.convert(value) if value != "" or leaf.kind in _WITH_EMPTY else None
        except (ValueError, OverflowError):
            misfits.append(place)
    return Said(column, raw, entries, misfits)


def _can_join(leaf: Leaf, value: Any) -> bool:
    is_list = type(value) is list and value and leaf.kind is Kind.TEXT
    return bool(is_list and (leaf.is_list or all(map(is_scalar, value))))


def _join(leaf: Leaf, values: Any) -> tuple[Entries, str | None]:
    if leaf.is_list and _STRINGS.issuperset(map(type, values)):
        return list(enumerate(values)), ",".join(values)
    entries = entries_of(values, leaf.convert)
    return entries, ",".join([text for _, text in entries]) if entries else None


def entries_of(values: Sequence[Any], convert: Converter = to_text) -> Entries:
    """The rows of a list; what is no scalar is JSON."""
    return [(i, convert(v) if is_scalar(v) else to_json(v)) for i, v in enumerate(values) if v is not None]
