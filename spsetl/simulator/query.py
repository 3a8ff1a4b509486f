"""`q`: Lucene expressions as predicates over one document ("Searching in the session database", ?q)."""

import re
import socket
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from luqum import tree

from spsetl.simulator.answers import ApiError, invalid_value
from spsetl.simulator.fields import BOOLEANS, DATES, canonical, is_address, is_number, scalars
from spsetl.simulator.lucene import field_of, parse_query, unescape, without_escaped, word_of
from spsetl.simulator.ranges import Span, first_of, last_of, read_time, refuse_date_ranges, resolve_now, split_starts
from spsetl.simulator.times import parse_time

# Gives the value of a field of one document; "*" gives the whole document.
Getter = Callable[[str], Any]
Predicate = Callable[[Getter], bool]

_ANY = "*"
_JOINTS = {tree.AndOperation: "AND", tree.OrOperation: "OR", tree.UnknownOperation: ""}
_WILDCARDS = re.compile(r"\\(.)|([*?])", re.DOTALL)


class Query(NamedTuple):
    """What an expression wants: a start_time within the span, and the rest; None if there is no more to look at."""

    starts: Span
    rest: Predicate | None


def read_query(
    text: str,
    *,
    now: int | None = None,
    date_ranges: bool = True,
    bare_star: bool = True,
    matching_all: bool = True,
    bare_not: bool = True,
) -> Query:
    """An expression taken apart, for a list that is sorted by start_time; means the same as `compile_query`.

    Raises:
        ApiError: as `compile_query`; and 400 InvalidQuery for a range of dates where those are not taken.
    """
    root = parse_query(text)
    if now is not None:
        resolve_now(root, now)
    if not date_ranges:
        refuse_date_ranges(root)
    _refuse_everything(root, bare_star=bare_star, matching_all=matching_all)
    starts, others = split_starts(root)
    if not bare_not and isinstance(root, tree.Not | tree.Prohibit):
        return Query(starts, lambda _: False)
    return Query(starts, _all([_predicate(node, _ANY) for node in others]) if others else None)


def _refuse_everything(node: tree.Item, *, bare_star: bool, matching_all: bool) -> None:
    """Refuses the spellings of every session that this appliance does not know."""
    if isinstance(node, tree.SearchField):
        if not matching_all and node.name == _ANY:
            raise _unsupported(node)
        return
    if not bare_star and isinstance(node, tree.Word) and node.value == _ANY:
        raise _unsupported(node)
    for child in node.children:
        _refuse_everything(child, bare_star=bare_star, matching_all=matching_all)


def compile_query(text: str) -> Predicate:
    """The predicate that an expression means.

    Words match a whole value, whatever the case; words side by side are alternatives, as the guide's
    `protocol:(ssh rdp)` has it; operators join them as in Lucene's classic parser.

    Raises:
        ApiError: 400 InvalidQuery, or InvalidQueryValue for a value that does not fit its field.
    """
    return _predicate(parse_query(text), _ANY)


def _predicate(node: tree.Item, field: str) -> Predicate:
    for kind, build in _BUILDERS:
        if isinstance(node, kind):
            return build(node, field)
    raise _unsupported(node)


def _not(node: tree.Item, field: str) -> Predicate:
    inner = _predicate(node.a, field)
    return lambda get: not inner(get)


def _all(parts: list[Predicate]) -> Predicate:
    return lambda get: all(part(get) for part in parts)


def _any(parts: list[Predicate]) -> Predicate:
    return lambda get: any(part(get) for part in parts)


def _clauses(node: tree.Item, joint: str = "") -> Iterator[tuple[str, tree.Item]]:
    """The clauses in the order in which they are written, each with the operator before it.

    The parser gives AND and OR a precedence, which the classic parser of Lucene lacks.
    """
    own = _JOINTS.get(type(node))
    if own is None:
        yield joint, node
        return
    for child in node.children:
        yield from _clauses(child, joint)
        joint = own


def _joined(node: tree.Item, field: str) -> Predicate:
    """AND makes musts of both neighbours, NOT excludes, and options matter only where nothing is a must."""
    musts, excluded, options = list[Predicate](), list[Predicate](), list[Predicate]()
    clauses = list(_clauses(node))
    for (joint, clause), (following, _) in zip(clauses, [*clauses[1:], ("", None)], strict=True):
        if isinstance(clause, tree.Not | tree.Prohibit):
            kind = excluded
        else:
            kind = musts if isinstance(clause, tree.Plus) or "AND" in {joint, following} else options
        kind.append(_predicate(clause, field))
    return _all([*musts, *excluded, *([_any(options)] if options and not musts else [])])


def _field(node: tree.Item, _: str) -> Predicate:
    name = unescape(node.name)
    if name == "_exists_":
        return _exists(canonical(word_of(node.expr)))
    if name == "_missing_":
        found = _exists(canonical(word_of(node.expr)))
        return lambda get: not found(get)
    return _predicate(node.expr, field_of(node))


def _exists(field: str) -> Predicate:
    return lambda get: next(scalars(get(field)), None) is not None


def _phrase(node: tree.Item, field: str) -> Predicate:
    return _matching(_equals(word_of(node), field), field)


def _range(node: tree.Item, field: str) -> Predicate:
    low = _bound(node.low, field, is_low=True, included=node.include_low)
    high = _bound(node.high, field, is_low=False, included=node.include_high)
    return _matching(lambda value: low(value) and high(value), field)


def _open_range(node: tree.Item, field: str) -> Predicate:
    bound = _bound(node.a, field, is_low=isinstance(node, tree.From), included=node.include)
    return _matching(bound, field)


def _unsupported(node: tree.Item) -> ApiError:
    return ApiError(400, "InvalidQuery", "The requested filter is not supported.", {"q": str(node).strip()})


def _matching(test: Callable[[Any], bool], field: str) -> Predicate:
    return lambda get: any(test(value) for value in scalars(get(field)))


def _word(node: tree.Item, field: str) -> Predicate:
    if node.value == "*":
        return _exists(field)
    plain = without_escaped(node.value)
    if "*" not in plain and "?" not in plain:
        return _matching(_equals(word_of(node), field), field)
    pattern = _pattern(node.value)
    return _matching(lambda value: pattern.fullmatch(_written(value)) is not None, field)


def _pattern(word: str) -> re.Pattern[str]:
    parts, last = [], 0
    for found in _WILDCARDS.finditer(word):
        parts.append(re.escape(word[last : found.start()]))
        parts.append(re.escape(found[1]) if found[1] is not None else ".*" if found[2] == "*" else ".")
        last = found.end()
    parts.append(re.escape(word[last:]))
    return re.compile("".join(parts).casefold(), re.DOTALL)


def _written(value: Any) -> str:
    """A value as text, in the case that all comparisons use."""
    return str(value).casefold()


def _equals(text: str, field: str) -> Callable[[Any], bool]:
    if field in DATES:
        wanted = read_time(text, field)
        return lambda value: wanted.first <= _moment(value) <= wanted.last
    if is_number(field):
        number = _number(text, field)
        return lambda value: _as_number(value) == number
    if field in BOOLEANS and text.casefold() not in {"true", "false"}:
        raise invalid_value(field, text)
    folded = text.casefold()
    block = _block(text, field) if is_address(field) else None
    if block is None:
        return lambda value: _written(value) == folded
    first, last = block
    return lambda value: first <= _address(value) <= last


def _block(text: str, field: str) -> tuple[int, int] | None:
    """The first and the last address of a network, or of one alone; None for other text."""
    address, slash, bits = text.partition("/")
    first = _address(address)
    if first < 0:
        return None
    width = 128 if ":" in address else 32
    if slash and not (bits.isdecimal() and int(bits) <= width):
        raise invalid_value(field, text)
    size = 1 << (width - int(bits) if slash else 0)
    return first // size * size, first // size * size + size - 1


def _address(value: Any) -> int:
    """An address as a number, IPv4 by what stands for it in IPv6; of what is none, -1."""
    is_ipv6 = ":" in str(value)
    try:
        packed = socket.inet_pton(socket.AF_INET6 if is_ipv6 else socket.AF_INET, str(value))
    except (OSError, ValueError):
        return -1
    return int.from_bytes(packed if is_ipv6 else b"\0" * 10 + b"\xff" * 2 + packed)


def _bound(node: tree.Item, field: str, *, is_low: bool, included: bool) -> Callable[[Any], bool]:
    """One end of a range."""
    text = word_of(node)
    if text == "*":
        return lambda _: True
    if field in DATES:
        end = (first_of if is_low else last_of)(node, field, included=included)
        return _ordered(_moment, end, is_low=is_low, included=True)
    if is_number(field):
        return _ordered(_as_number, _number(text, field), is_low=is_low, included=included)
    if is_address(field):
        if _address(text) < 0:
            raise invalid_value(field, text)
        within = _ordered(_address, _address(text), is_low=is_low, included=included)
        return lambda value: _address(value) >= 0 and within(value)
    return _ordered(_written, text.casefold(), is_low=is_low, included=included)


def _ordered(read: Callable[[Any], Any], limit: Any, *, is_low: bool, included: bool) -> Callable[[Any], bool]:
    if is_low:
        return (lambda value: read(value) >= limit) if included else (lambda value: read(value) > limit)
    return (lambda value: read(value) <= limit) if included else (lambda value: read(value) < limit)


@lru_cache(maxsize=65_536)
def _moment(value: str | int) -> int:
    return parse_time(str(value)).ms


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise invalid_value(field, text) from error


def _as_number(value: Any) -> float:
    """A number; a text that is none compares with nothing."""
    try:
        return float(value)
    except ValueError:
        return float("nan")


_BUILDERS: Final[tuple[tuple[Any, Callable[[tree.Item, str], Predicate]], ...]] = (
    (tree.SearchField, _field),
    (tree.BaseGroup | tree.Boost, lambda node, field: _predicate(node.expr, field)),
    (tree.Not | tree.Prohibit, _not),
    (tree.Plus, lambda node, field: _predicate(node.a, field)),
    (tree.AndOperation | tree.OrOperation | tree.UnknownOperation, _joined),
    (tree.Phrase, _phrase),
    (tree.Word, _word),
    (tree.Range, _range),
    (tree.From | tree.To, _open_range),
)
