"""A Lucene expression into a condition in SQL, node by node."""

from collections.abc import Callable
from typing import Any, Final

from luqum import tree

from spsetl.analysis.lucene import comparing
from spsetl.analysis.lucene.condition import Condition, Values, all_of, any_of
from spsetl.analysis.lucene.places import ANY, Field, everything, find_field
from spsetl.analysis.lucene.words import (
    has_wildcards,
    name_of,
    parse_expression,
    pattern_of,
    place_of,
    word_of,
)
from spsetl.errors import UsageError

_Build = Callable[[Any, Field, Values], str]


def compile_query(text: str) -> Condition:
    """The condition that an expression means, see `spsetl.analysis.lucene`.

    Raises:
        UsageError: It does not parse, names a field that is not known, or a value that does not fit its field; the
            message says where, counting from 1.
    """
    values = Values("q")
    root = parse_expression(text)
    try:
        return values.condition(_compile(root, everything(), values))
    except RecursionError as error:
        raise UsageError("the expression of q is nested too deeply") from error


def _compile(node: tree.Item, field: Field, values: Values) -> str:
    for kind, build in _BUILDERS:
        if isinstance(node, kind):
            return build(node, field, values)
    raise UsageError(
        f"cannot read q{place_of(node)}: {_UNSUPPORTED.get(type(node), type(node).__name__)} "
        "are not supported: use words, phrases, * and ?"
    )


_UNSUPPORTED: Final = {
    tree.Fuzzy: "fuzzy words (~)",
    tree.Proximity: "distances of words (~)",
    tree.Regex: "regular expressions",
}


def _each(node: tree.Item, field: Field, values: Values) -> list[str]:
    return [_compile(child, field, values) for child in node.children]


def _side_by_side(node: tree.Item, field: Field, values: Values) -> str:
    """Words without an operator: each excluding one excludes, each `+` one is a must, of the others any will do."""
    musts: list[str] = []
    others: list[str] = []
    for child, part in zip(node.children, _each(node, field, values), strict=True):
        (musts if isinstance(child, tree.Plus | tree.Not | tree.Prohibit) else others).append(part)
    required = any(isinstance(child, tree.Plus) for child in node.children)
    return all_of(musts if required or not others else [*musts, any_of(others)])


def _field(node: tree.Item, _: Field, values: Values) -> str:
    name = name_of(node)
    if name in {"_exists_", "_missing_"}:
        found = find_field(word_of(node.expr), place_of(node.expr)).passing(comparing.exists, values)
        return found if name == "_exists_" else f"(not {found})"
    return _compile(node.expr, find_field(name, place_of(node)), values)


def _word(node: tree.Item, field: Field, values: Values) -> str:
    if node.value == ANY:
        return "true" if field.name == ANY else field.passing(comparing.exists, values)
    if has_wildcards(node):
        return field.passing(comparing.like(pattern_of(node), values), values)
    return _phrase(node, field, values)


def _phrase(node: tree.Item, field: Field, values: Values) -> str:
    return field.passing(comparing.equals(word_of(node), field.kind, place_of(node), values), values)


def _range(node: tree.Item, field: Field, values: Values) -> str:
    low = _end(node.low, field, values, is_low=True, included=node.include_low)
    high = _end(node.high, field, values, is_low=False, included=node.include_high)
    return field.passing(lambda value, kind: all_of([low(value, kind), high(value, kind)]), values)


def _open_range(node: tree.Item, field: Field, values: Values) -> str:
    is_low = isinstance(node, tree.From)
    end = _end(node.a, field, values, is_low=is_low, included=node.include)
    return field.passing(end, values)


def _end(node: tree.Item, field: Field, values: Values, *, is_low: bool, included: bool) -> comparing.Test:
    return comparing.bound(word_of(node), field.kind, place_of(node), values, is_low=is_low, included=included)


_BUILDERS: Final[tuple[tuple[Any, _Build], ...]] = (
    (tree.SearchField, _field),
    (tree.BaseGroup | tree.Boost, lambda node, field, values: _compile(node.expr, field, values)),
    (tree.Not | tree.Prohibit, lambda node, field, values: f"(not {_compile(node.a, field, values)})"),
    (tree.Plus, lambda node, field, values: _compile(node.a, field, values)),
    (tree.AndOperation, lambda node, field, values: all_of(_each(node, field, values))),
    (tree.OrOperation, lambda node, field, values: any_of(_each(node, field, values))),
    (tree.UnknownOperation, _side_by_side),
    (tree.Phrase, _phrase),
    (tree.Word, _word),
    (tree.Range, _range),
    (tree.From | tree.To, _open_range),
)
