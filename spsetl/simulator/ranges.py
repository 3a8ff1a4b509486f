"""Ranges of dates in `q`: their ends in milliseconds, and those of start_time that a sorted list can be cut by."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from luqum import tree

from spsetl.simulator.answers import ApiError, invalid_value
from spsetl.simulator.dates import read_span
from spsetl.simulator.fields import DATES
from spsetl.simulator.lucene import field_of, word_of
from spsetl.simulator.times import NEVER, iso

_NOW = re.compile(r'^("?[<>]?=?)now')
_RANGES = tree.Range | tree.From | tree.To


class Span(NamedTuple):
    """From `first` to `last`, both included, in milliseconds."""

    first: int = -NEVER
    last: int = NEVER

    def __and__(self, other: "Span") -> "Span":
        return Span(max(self.first, other.first), min(self.last, other.last))


def read_time(text: str, field: str) -> Span:
    """The moments that a word stands for.

    Raises:
        ApiError: 400 InvalidQueryValue, it is none.
    """
    try:
        return Span(*read_span(text))
    except ValueError as error:
        raise invalid_value(field, text) from error


def first_of(node: tree.Item, field: str, *, included: bool) -> int:
    """The first millisecond of a range with this low end. What is excluded is excluded to its end."""
    text = word_of(node)
    if text == "*":
        return -NEVER
    wanted = read_time(text, field)
    return wanted.first if included else wanted.last + 1


def last_of(node: tree.Item, field: str, *, included: bool) -> int:
    """The last millisecond of a range with this high end. What is included is included to its end."""
    text = word_of(node)
    if text == "*":
        return NEVER
    wanted = read_time(text, field)
    return wanted.last if included else wanted.first - 1


def resolve_now(node: tree.Item, now: int, field: str = "") -> None:
    """Has every date that counts from now on count from that moment."""
    if isinstance(node, tree.SearchField):
        field = field_of(node)
    if isinstance(node, tree.Term) and field in DATES:
        node.value = _NOW.sub(rf"\g<1>{iso(now)}||", node.value)
    for child in node.children:
        resolve_now(child, now, field)


def refuse_date_ranges(node: tree.Item, field: str = "") -> None:
    """Refuses what the guide, which documents ranges for integers only, does not promise.

    Raises:
        ApiError: 400 InvalidQuery, there is a range of dates.
    """
    if isinstance(node, tree.SearchField):
        field = field_of(node)
    if isinstance(node, _RANGES) and field in DATES:
        raise ApiError(400, "InvalidQuery", "Ranges are available for integers only.", {"field": field})
    for child in node.children:
        refuse_date_ranges(child, field)


def split_starts(root: tree.Item) -> tuple[Span, list[tree.Item]]:
    """The span that an expression confines start_time to, and what else must hold.

    Raises:
        ApiError: 400 InvalidQueryValue, an end is no time.
    """
    span, rest = Span(), []
    for node in _conjuncts(root):
        ends = _start_range(node)
        if ends is None:
            rest.append(node)
        else:
            span &= _span(ends)
    return span, rest


def _conjuncts(node: tree.Item) -> Iterator[tree.Item]:
    """The parts that must hold together."""
    if isinstance(node, tree.Group):
        yield from _conjuncts(node.expr)
    elif isinstance(node, tree.AndOperation):
        for child in node.children:
            yield from _conjuncts(child)
    else:
        yield node


def _start_range(node: tree.Item) -> tree.Item | None:
    if not isinstance(node, tree.SearchField) or field_of(node) != "start_time":
        return None
    inner = node.expr
    while isinstance(inner, tree.FieldGroup):
        inner = inner.expr
    return inner if isinstance(inner, _RANGES) else None


def _span(node: tree.Item) -> Span:
    if isinstance(node, tree.Range):
        first = first_of(node.low, "start_time", included=node.include_low)
        return Span(first, last_of(node.high, "start_time", included=node.include_high))
    if isinstance(node, tree.From):
        return Span(first=first_of(node.a, "start_time", included=node.include))
    return Span(last=last_of(node.a, "start_time", included=node.include))
