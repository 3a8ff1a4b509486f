"""What a value has to be, as SQL: equal to a word, like a pattern, within a bound."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from spsetl.analysis.lucene.condition import Values
from spsetl.analysis.times import read_start
from spsetl.errors import UsageError
from spsetl.schema import Kind

Test = Callable[[str, Kind], str]
"""Gives the condition on a value that is not NULL, for the value in SQL and its kind."""

NEVER: Final = "false"
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.DOUBLE})
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_TRUTHS: Final = {"true": True, "false": False}
# Times also come as numbers. One of seconds has fewer digits than one of milliseconds, until the year 5138.
_UNIX: Final = re.compile(r"-?\d{1,16}(\.\d+)?", re.ASCII)
_LARGEST_SECONDS: Final = 100_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_DATE: Final = len("2024-01-25")
# The appliance keeps times to the millisecond, and so a time in an expression means one.
_MILLISECOND: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)
# What the text of such a value can look like at all: nothing else is worth the search.
_LOOKS: Final = {
    Kind.BOOLEAN: re.compile(r"true|false", re.IGNORECASE),
    Kind.INTEGER: re.compile(r"-?\d+", re.ASCII),
    Kind.DOUBLE: re.compile(r"-?\d.*|inf|nan", re.ASCII),
    Kind.TIMESTAMP: re.compile(r"\d{4}-.*z", re.ASCII | re.IGNORECASE),
}


def exists(_: str, __: Kind) -> str:
    """Any value will do."""
    return "true"


def like(pattern: str, values: Values) -> Test:
    """The text of the value, in any case, fits a pattern."""
    wanted = values.bind(pattern)
    return lambda value, kind: f"lower({_text(value, kind)}) like lower({wanted}) escape '\\'"


def equals(text: str, kind: Kind | None, where: str, values: Values) -> Test:
    """The value is what a word says; `kind` is that of the field.

    Raises:
        UsageError: The word does not fit the kind.
    """
    if kind is Kind.TIMESTAMP:
        first, after = read_moment(text, where)
        return _within(values.bind(first), values.bind(after))
    if kind in _NUMBERS:
        return _compared("=", values.bind(_number(text, where)))
    if kind is Kind.BOOLEAN:
        return _compared("=", values.bind(_truth(text, where)))
    if kind is Kind.JSON and _NUMBER.fullmatch(text):
        number, same = values.bind(_number(text, where)), values.bind(text)
        return lambda value, _: f"(try_cast({value} as double) = {number} or {value} = {same})"
    return _same_text(text, values)


def bound(text: str, kind: Kind | None, where: str, values: Values, *, is_low: bool, included: bool) -> Test:
    """The value is beyond one end of a range.

    Raises:
        UsageError: The end does not fit the field's kind.
    """
    if text == "*":
        return exists
    operator = (">" if is_low else "<") + ("=" if included else "")
    if kind is Kind.TIMESTAMP:
        first, after = read_moment(text, where)
        # A date that is left out is left out whole, one that is not is there whole.
        limit = first if is_low is included else after
        return _compared(">=" if is_low else "<", values.bind(limit))
    if kind in _NUMBERS:
        return _compared(operator, values.bind(_number(text, where)))
    if kind is Kind.JSON and _NUMBER.fullmatch(text):
        number = values.bind(_number(text, where))
        return lambda value, _: f"try_cast({value} as double) {operator} {number}"
    same = values.bind(text)
    return lambda value, found: f"lower({_text(value, found)}) {operator} lower({same})"


def read_moment(text: str, where: str) -> tuple[datetime, datetime]:
    """The first moment of a date or a time, and the first after it; UTC, without a zone.

    Raises:
        UsageError: The text is neither, nor a number of seconds or milliseconds since 1970.
    """
    try:
        moment = _unix(text) if _UNIX.fullmatch(text) else read_start(text)
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=None)
        is_date = len(text) <= _LONGEST_DATE and not _UNIX.fullmatch(text)
        return moment, moment + (_DAY if is_date else _MILLISECOND)
    except OverflowError as error:
        raise UsageError(f"cannot read q{where}: {text!r} is too far off to be a time") from error
    except UsageError as error:
        raise UsageError(f"cannot read q{where}: {error}") from error


def _unix(text: str) -> datetime:
    number = float(text)
    return _EPOCH + timedelta(milliseconds=round(number if abs(number) >= _LARGEST_SECONDS else number * 1000))


def _number(text: str, where: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"cannot read q{where}: the field holds numbers, and {text!r} is none")
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def _truth(text: str, where: str) -> bool:
    truth = _TRUTHS.get(text.casefold())
    if truth is None:
        raise UsageError(f"cannot read q{where}: the field is true or false, and not {text!r}")
    return truth


def _within(first: str, after: str) -> Test:
    return lambda value, _: f"({value} >= {first} and {value} < {after})"


def _compared(operator: str, limit: str) -> Test:
    return lambda value, _: f"{value} {operator} {limit}"


def _same_text(text: str, values: Values) -> Test:
    same = values.bind(text)

    def test(value: str, kind: Kind) -> str:
        looks = _LOOKS.get(kind)
        if looks is not None and not looks.fullmatch(text):
            return NEVER
        return f"lower({_text(value, kind)}) = lower({same})"

    return test


def _text(value: str, kind: Kind) -> str:
    """The value as the appliance writes it; its case does not matter."""
    if kind in {Kind.TEXT, Kind.JSON}:
        return value
    return f"as_text({value})" if kind in {Kind.DOUBLE, Kind.TIMESTAMP} else f"cast({value} as varchar)"
