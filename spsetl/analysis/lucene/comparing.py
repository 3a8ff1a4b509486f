"""What a value has to be, as SQL: equal to a word, like a pattern, within a range."""

import re
from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from spsetl.analysis.lucene.condition import ADDRESS, CONTENT, Sort, Test, Values, all_of
from spsetl.analysis.lucene.moments import read_span
from spsetl.analysis.lucene.words import Range, Word, cannot_read
from spsetl.schema import Kind

NEVER: Final = "false"
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.DOUBLE})
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,38}", re.ASCII)
# Beyond it, several whole numbers are one in binary.
_MOST_EXACT: Final = 2**53
_TRUTHS: Final = {"true": True, "false": False}
_NETWORK: Final = re.compile(r"[0-9a-fA-F.:]+/.*", re.ASCII | re.DOTALL)
_IPV4_IN_IPV6: Final = 0xFFFF << 32
# What the text of such a value can look like at all: nothing else is worth the search.
_LOOKS: Final[dict[Sort, re.Pattern[str]]] = {
    Kind.BOOLEAN: re.compile(r"true|false", re.IGNORECASE),
    Kind.INTEGER: re.compile(r"-?\d+", re.ASCII),
    Kind.DOUBLE: re.compile(r"-?\d.*|inf|nan", re.ASCII),
    Kind.TIMESTAMP: re.compile(r"\d{4}-.*z", re.ASCII | re.IGNORECASE),
}


def exists(_: str, __: Sort) -> str:
    """Any value will do."""
    return "true"


def like(word: Word, sort: Sort | None, values: Values) -> Test:
    """The text of the value, in any case, fits a pattern.

    Raises:
        UsageError: The field is of contents, of which the appliance compares single words.
    """
    if sort == CONTENT:
        raise cannot_read(word.at, "* and ? are not supported in contents: a word also finds what it is a part of")
    wanted = values.bind(word.pattern)
    return lambda value, sort: f"lower({_text(value, sort)}) like lower({wanted}) escape '\\'"


def equals(word: Word, sort: Sort | None, now: datetime, values: Values) -> Test:
    """The value is what a word says; `sort` is that of the field, None for values of several sorts.

    Raises:
        UsageError: The word does not fit.
    """
    if sort is Kind.TIMESTAMP:
        first, after = map(values.bind, read_span(word, now))
        return lambda value, _: f"({value} >= {first} and {value} < {after})"
    if sort in _NUMBERS or sort is Kind.BOOLEAN:
        return _compared("=", values.bind(_truth(word) if sort is Kind.BOOLEAN else _number(word)))
    if sort == CONTENT and not word.text:
        raise cannot_read(word.at, "the text to look for is empty")
    if sort == CONTENT:
        return holds([word.text], values)
    same_text = _same_text(word, values)
    if sort is Kind.JSON and _NUMBER.fullmatch(word.text) and abs(_number(word)) < _MOST_EXACT:
        number = values.bind(_number(word))
        return lambda value, found: f"(try_cast({value} as double) = {number} or {same_text(value, found)})"
    block = _read_block(word, sort) if sort in {ADDRESS, None} else None
    return same_text if block is None else _inside(block, same_text, values)


def holds(texts: Sequence[str], values: Values) -> Test:
    """The value has all of these in it, in any case, each as it stands."""
    names = [values.bind(text) for text in texts]
    return lambda value, _: all_of([f"contains(lower({value}), lower({name}))" for name in names])


def within(span: Range, sort: Sort | None, now: datetime, values: Values) -> Test:
    """The value is between the ends of a range.

    Raises:
        UsageError: An end does not fit the field, or the field has no order that could be meant.
    """
    if sort in {None, Kind.BOOLEAN, CONTENT}:
        raise cannot_read(span.at, "a range needs a field before it that holds numbers, times, addresses or text")
    if sort is Kind.JSON and len({bool(_NUMBER.fullmatch(end.text)) for end in (span.low, span.high) if end}) > 1:
        raise cannot_read(span.at, "one end of the range is a number, the other is none")
    ends = [
        _bound(end, sort, now, values, is_low=is_low, included=included)
        for end, is_low, included in ((span.low, True, span.with_low), (span.high, False, span.with_high))
        if end is not None
    ]
    return lambda value, found: all_of([end(value, found) for end in ends])


def _inside(block: tuple[str, str], same_text: Test, values: Values) -> Test:
    """The value is an address of a network; of what is no address, the text is compared."""
    low, high = map(values.bind, block)
    inside = f"between {low} and {high}"
    return lambda value, sort: (
        f"coalesce(as_address({value}) {inside}, false)" if sort == ADDRESS else same_text(value, sort)
    )


def _bound(word: Word, sort: Sort, now: datetime, values: Values, *, is_low: bool, included: bool) -> Test:
    """The value is beyond one end of a range."""
    operator = (">" if is_low else "<") + ("=" if included else "")
    if sort is Kind.TIMESTAMP:
        first, after = read_span(word, now)
        # A date that is left out is left out whole, one that is not is there whole.
        return _compared(">=" if is_low else "<", values.bind(first if is_low is included else after))
    if sort in _NUMBERS:
        return _compared(operator, values.bind(_number(word)))
    if sort == ADDRESS:
        block = _read_block(word, sort)
        if block is None or block[0] != block[1]:
            raise cannot_read(word.at, f"the field holds addresses, and {word.text!r} is none")
        address = values.bind(block[0])
        return lambda value, _: f"coalesce(as_address({value}) {operator} {address}, false)"
    if sort is Kind.JSON and _NUMBER.fullmatch(word.text):
        number = values.bind(_number(word))
        return lambda value, _: f"try_cast({value} as double) {operator} {number}"
    same = values.bind(word.text)
    return lambda value, found: f"lower({_text(value, found)}) {operator} lower({same})"


def _read_block(word: Word, sort: Sort | None) -> tuple[str, str] | None:
    """The first and the last address of a network, or an address twice, as by `as_address`; None for neither."""
    text = word.text
    is_network = _NETWORK.fullmatch(text)
    try:
        if not is_network:
            return (_digits(text),) * 2
        address, _, bits = text.partition("/")
        network = ip_network((address, int(bits)), strict=False)
        return _digits(str(network[0])), _digits(str(network[-1]))
    except ValueError as error:
        if is_network and sort == ADDRESS:
            raise cannot_read(word.at, f"{text!r} is no network: write for example 10.0.0.0\\/24") from error
        return None


def _digits(text: str) -> str:
    address = ip_address(text)
    if "%" in text:  # the zone of an interface, which the appliance does not know
        raise ValueError(text)
    return f"{int(address) + (_IPV4_IN_IPV6 if isinstance(address, IPv4Address) else 0):032x}"


def _number(word: Word) -> int | float:
    if not _NUMBER.fullmatch(word.text):
        raise cannot_read(word.at, f"the field holds numbers, and {word.text!r} is none")
    return int(word.text) if _INTEGER.fullmatch(word.text) else float(word.text)


def _truth(word: Word) -> bool:
    truth = _TRUTHS.get(word.text.casefold())
    if truth is None:
        raise cannot_read(word.at, f"the field is true or false, and not {word.text!r}")
    return truth


def _compared(operator: str, limit: str) -> Test:
    return lambda value, _: f"{value} {operator} {limit}"


def _same_text(word: Word, values: Values) -> Test:
    same = values.bind(word.text)

    def test(value: str, sort: Sort) -> str:
        looks = _LOOKS.get(sort)
        if looks is not None and not looks.fullmatch(word.text):
            return NEVER
        return f"lower({_text(value, sort)}) = lower({same})"

    return test


def _text(value: str, sort: Sort) -> str:
    """The value as the appliance writes it; its case does not matter."""
    if sort in {Kind.TEXT, Kind.JSON, ADDRESS}:
        return value
    return f"as_text({value})" if sort in {Kind.DOUBLE, Kind.TIMESTAMP} else f"cast({value} as varchar)"
