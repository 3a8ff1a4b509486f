"""`q`: Lucene expressions as predicates over one document ("Searching in the session database", ?q)."""

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from luqum import tree
from luqum.exceptions import ParseError
from luqum.thread import parse

from spsetl.simulator.documents import BOOLEANS, DATES, canonical, is_address, is_number, scalars
from spsetl.simulator.messages import ApiError, invalid_value
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.times import NEVER, iso, moment_of, read_span

# Gives the value of a field of one document; "*" gives the whole document.
Getter = Callable[[str], Any]
Predicate = Callable[[Getter], bool]
Test = Callable[[Any], bool]
# An end of a range, None where there is none, and whether it belongs to the range.
_End = tuple[tree.Item | None, bool]

_ANY: Final = "*"
_ALL_QUIRKS: Final = Quirks()
_RANGES: Final = (tree.Range, tree.From, tree.To)
_NOW: Final = re.compile(r'^("?[<>]?=?)now')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_WILDCARDS: Final = re.compile(r"\\(.)|([*?])", re.DOTALL)
_JOINTS: Final = {tree.AndOperation: "AND", tree.OrOperation: "OR", tree.UnknownOperation: ""}
_OPERATORS: Final = {"&&": "AND", "||": "OR", "!": "NOT "}
# What is quoted or escaped is left alone. The operators have a second spelling, which the parser lacks. Of a range, the
# ends that are bare and hold a colon are to be quoted.
_WRITTEN: Final = re.compile(
    r"""
    "(?:\\.|[^"\\])*" | \\.
    | (?<![^\s()])(?:&&|\|\|)(?=[\s()]) | !
    | (?P<open>[\[{])\s*(?P<low>"[^"]*"|[^\s"]+)\s+TO\s+(?P<high>"[^"]*"|[^\s"\]}]+)\s*(?P<close>[\]}])
    """,
    re.DOTALL | re.VERBOSE,
)


class Query(NamedTuple):
    """What an expression wants: a start_time from `first` to `last`, and the rest; None if there is no more to look at.

    Times in milliseconds, both included.
    """

    first: int
    last: int
    rest: Predicate | None


def read_query(text: str, quirks: Quirks = _ALL_QUIRKS, *, now: int | None = None) -> Query:
    """An expression taken apart, for a list that is sorted by start_time; means the same as `compile_query`."""
    root = _parse(text)
    for node, field in list(_nodes(root)):
        if isinstance(node, tree.Term) and field in DATES and now is not None:
            node.value = _NOW.sub(rf"\g<1>{iso(now)}||", node.value)
        _refuse_unknown(node, field, quirks)
    first, last, others = -NEVER, NEVER, []
    for node in _conjuncts(root):
        span = _start_span(node)
        if span is None:
            others.append(node)
        else:
            first, last = max(first, span[0]), min(last, span[1])
    if not quirks.bare_not and isinstance(root, tree.Not | tree.Prohibit):
        return Query(first, last, lambda _: False)
    return Query(first, last, _all([_predicate(node, _ANY) for node in others]) if others else None)


def compile_query(text: str) -> Predicate:
    """The predicate that an expression means.

    Words match a whole value, whatever the case; words side by side are alternatives, as the guide's
    `protocol:(ssh rdp)` has it; operators join them as in Lucene's classic parser.
    """
    return _predicate(_parse(text), _ANY)


def _parse(text: str) -> tree.Item:
    try:
        root = parse(_WRITTEN.sub(_as_parser_has_it, text))
    except ParseError as error:
        raise ApiError(400, "InvalidQuery", "The requested filter is invalid.", {"q": str(error)}) from error
    if root is None:
        raise ApiError(400, "InvalidQuery", "The requested filter is empty.", {"q": text})
    return root


def _as_parser_has_it(found: re.Match[str]) -> str:
    """Operators by name; a range with quotes, as the parser takes the colon of `+02:00` for that of a field."""
    if found["open"] is None:
        return _OPERATORS.get(found[0], found[0])
    low, high = (f'"{end}"' if ":" in end and not end.startswith('"') else end for end in found.group("low", "high"))
    return f"{found['open']}{low} TO {high}{found['close']}"


def _nodes(node: tree.Item, field: str = "") -> Iterator[tuple[tree.Item, str]]:
    """A node and all that is below it, each with the field that it is about."""
    if isinstance(node, tree.SearchField):
        field = _field_of(node)
    yield node, field
    for child in node.children:
        yield from _nodes(child, field)


def _refuse_unknown(node: tree.Item, field: str, quirks: Quirks) -> None:
    """Refuses ranges of dates, and the spellings of every session, where this appliance does not know them."""
    if not quirks.date_ranges and isinstance(node, _RANGES) and field in DATES:
        raise ApiError(400, "InvalidQuery", "Ranges are available for integers only.", {"field": field})
    if not quirks.matching_all and isinstance(node, tree.SearchField) and node.name == _ANY:
        raise _unsupported(node)
    if not quirks.bare_star and isinstance(node, tree.Word) and node.value == _ANY and not field:
        raise _unsupported(node)


def _unsupported(node: tree.Item) -> ApiError:
    return ApiError(400, "InvalidQuery", "The requested filter is not supported.", {"q": str(node).strip()})


def _field_of(node: tree.SearchField) -> str:
    return canonical(_unescape(node.name))


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _word_of(node: tree.Item) -> str:
    """The word or phrase that a node stands for."""
    if isinstance(node, tree.Prohibit):
        return "-" + _word_of(node.a)
    if not isinstance(node, tree.Term):
        raise ApiError(400, "InvalidQuery", "A word is expected.", {"q": str(node).strip()})
    return _unescape(node.value[1:-1] if isinstance(node, tree.Phrase) else node.value)


# What can be cut off a list that is sorted by start_time


def _conjuncts(node: tree.Item) -> Iterator[tree.Item]:
    """The parts that must hold together."""
    if isinstance(node, tree.Group):
        yield from _conjuncts(node.expr)
    elif isinstance(node, tree.AndOperation):
        for child in node.children:
            yield from _conjuncts(child)
    else:
        yield node


def _start_span(node: tree.Item) -> tuple[int, int] | None:
    """The milliseconds that a range of start_time spans; None for another node."""
    if not isinstance(node, tree.SearchField) or _field_of(node) != "start_time":
        return None
    inner = node.expr
    while isinstance(inner, tree.FieldGroup):
        inner = inner.expr
    if not isinstance(inner, _RANGES):
        return None
    low, high = _ends(inner)
    return _date_end(low, "start_time", is_low=True), _date_end(high, "start_time", is_low=False)


def _ends(node: tree.Item) -> tuple[_End, _End]:
    if isinstance(node, tree.Range):
        return (node.low, node.include_low), (node.high, node.include_high)
    open_end: _End = (None, True)
    given: _End = (node.a, node.include)
    return (given, open_end) if isinstance(node, tree.From) else (open_end, given)


def _date_end(end: _End, field: str, *, is_low: bool) -> int:
    """The first or the last millisecond of a range. A day or a month is included, or excluded, as a whole."""
    node, included = end
    text = _ANY if node is None else _word_of(node)
    if text == _ANY:
        return -NEVER if is_low else NEVER
    first, last = _span(text, field)
    if is_low:
        return first if included else last + 1
    return last if included else first - 1


def _span(text: str, field: str) -> tuple[int, int]:
    try:
        return read_span(text)
    except ValueError as error:
        raise invalid_value(field, text) from error


# What must be asked of each session


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
    name = _unescape(node.name)
    if name not in {"_exists_", "_missing_"}:
        return _predicate(node.expr, _field_of(node))
    exists = _exists(canonical(_word_of(node.expr)))
    return exists if name == "_exists_" else lambda get: not exists(get)


def _exists(field: str) -> Predicate:
    return lambda get: next(scalars(get(field)), None) is not None


def _matching(test: Test, field: str) -> Predicate:
    return lambda get: any(test(value) for value in scalars(get(field)))


def _word(node: tree.Item, field: str) -> Predicate:
    if node.value == _ANY:
        return _exists(field)
    plain = _ESCAPED.sub("", node.value)
    if isinstance(node, tree.Phrase) or not {"*", "?"} & set(plain):
        return _matching(_equals(_word_of(node), field), field)
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


def _equals(text: str, field: str) -> Test:
    if field in DATES:
        start, end = _span(text, field)
        return lambda value: start <= moment_of(value) <= end
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


def _range(node: tree.Item, field: str) -> Predicate:
    low, high = _ends(node)
    bounds = [_bound(end, field, is_low=end is low) for end in (low, high) if end[0] is not None]
    return _matching(lambda value: all(bound(value) for bound in bounds), field)


def _bound(end: _End, field: str, *, is_low: bool) -> Test:
    node, included = end
    text = _word_of(node)
    if text == _ANY:
        return lambda _: True
    if field in DATES:
        return _ordered(moment_of, _date_end(end, field, is_low=is_low), is_low=is_low, included=True)
    if is_number(field):
        return _ordered(_as_number, _number(text, field), is_low=is_low, included=included)
    if is_address(field):
        if _address(text) < 0:
            raise invalid_value(field, text)
        within = _ordered(_address, _address(text), is_low=is_low, included=included)
        return lambda value: _address(value) >= 0 and within(value)
    return _ordered(_written, text.casefold(), is_low=is_low, included=included)


def _ordered(read: Callable[[Any], Any], limit: Any, *, is_low: bool, included: bool) -> Test:
    if is_low:
        return (lambda value: read(value) >= limit) if included else (lambda value: read(value) > limit)
    return (lambda value: read(value) <= limit) if included else (lambda value: read(value) < limit)


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
    (tree.Word | tree.Phrase, _word),
    (_RANGES, _range),
)
