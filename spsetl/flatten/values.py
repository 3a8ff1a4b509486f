"""One JSON value into one value of a column; a value that does not fit raises ValueError or OverflowError."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import Any, Final

import orjson

from spsetl.schema import INDEX_STATUS, Kind

Converter = Callable[[Any], Any]

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 columns hold UTC without a zone
_MICROSECOND: Final = timedelta(microseconds=1)
_DONE: Final = object()
_INT64: Final = range(-(2**63), 2**63)
# int() and float() also take underscores, blanks, "nan" and other scripts' digits: not what an appliance writes.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}(\.0*)?")
_SECONDS: Final = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]*)?")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
_INDEX_STATUS: Final[dict[Any, str]] = dict(enumerate(INDEX_STATUS)) | {
    str(number): name for number, name in enumerate(INDEX_STATUS)
}


def is_scalar(value: Any) -> bool:
    """Whether the value is text, a number, a boolean or null."""
    return not isinstance(value, dict | list)


def to_text(value: Any) -> str:
    """Strings as they are; numbers and booleans as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_boolean(value: Any) -> bool:
    """true, false, "true" and "false" in any case, 0 and 1."""
    found = _BOOLEANS.get(value.lower() if isinstance(value, str) else value)
    if found is None:
        raise ValueError
    return found


def to_integer(value: Any) -> int:
    """Integers, floats without a fraction and numeric text, within 64 bits; a boolean is no integer."""
    if type(value) is int:
        number = value
    elif isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value.partition(".")[0])
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    else:
        raise ValueError
    if number not in _INT64:
        raise OverflowError
    return number


def to_double(value: Any) -> float:
    """Finite numbers and numeric text; a boolean is no number."""
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        raise ValueError
    number = float(value)
    if not isfinite(number):
        raise ValueError
    return number


def to_timestamp(value: Any) -> datetime:
    """ISO 8601 or Unix seconds, as UTC without a zone; no zone means UTC, decimals beyond microseconds are cut.

    Unix seconds come from older versions, and still in the channels of the 8.0 guide ("Audited sessions", Examples).
    """
    if isinstance(value, str):
        if value[4:5] != "-" and _SECONDS.fullmatch(value):
            return _EPOCH + int(Decimal(value) * 1_000_000) * _MICROSECOND
        moment = datetime.fromisoformat(value.upper())
        if moment.tzinfo is not None and moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
        return moment.replace(tzinfo=None)
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 what converters raise for a value that does not fit
    return _EPOCH + timedelta(seconds=value)


def to_index_status(value: Any) -> str:
    """The name of recording.index_status, which also comes as its number; an unknown name stays as it is."""
    name = None if isinstance(value, bool) else _INDEX_STATUS.get(value)
    return to_text(value) if name is None else name


def to_json(value: Any) -> str:
    """The value as canonical JSON."""
    return canonical_json(value).decode()


def canonical_json(value: Any) -> bytes:
    """The value as JSON with its keys sorted, so that equal documents are equal bytes."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits, deep nesting
        return _write_json(value).encode()


def _write_json(value: Any) -> str:
    """The same without recursion: an answer may be nested more deeply than Python's own encoder can follow."""
    written: list[str] = []
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        before, one = left.pop()
        written.append(before)
        if one is _DONE:
            continue
        if isinstance(one, dict):
            written.append("{")
            left.append(("}", _DONE))
            names = sorted(one)
            left += [(f"{',' if place else ''}{_text(name)}:", one[name]) for place, name in enumerate(names)][::-1]
        elif isinstance(one, list):
            written.append("[")
            left.append(("]", _DONE))
            left += [("," if place else "", inner) for place, inner in enumerate(one)][::-1]
        else:
            written.append(_text(one))
    return "".join(written)


def _text(scalar: Any) -> str:
    return json.dumps(scalar, ensure_ascii=False)


def hash_of(content: bytes) -> str:
    """A hash that tells contents apart: 32 hexadecimal digits."""
    return blake2b(content, digest_size=16).hexdigest()


CONVERTERS: Final[dict[Kind, Converter]] = {
    Kind.TEXT: to_text,
    Kind.BOOLEAN: to_boolean,
    Kind.INTEGER: to_integer,
    Kind.DOUBLE: to_double,
    Kind.TIMESTAMP: to_timestamp,
    Kind.JSON: to_json,
}
