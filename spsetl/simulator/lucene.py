"""Lucene expressions as trees, and the words in them ("Searching in the session database")."""

import re
from typing import Final

from luqum import tree
from luqum.exceptions import ParseError
from luqum.thread import parse

from spsetl.simulator.answers import ApiError
from spsetl.simulator.fields import canonical

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_JOINTS: Final = {"&&": "AND", "||": "OR"}
# What is quoted or escaped is left alone. The operators have a second spelling, which the parser lacks. Of a range, the
# ends that are bare and hold a colon are to be quoted.
_WRITTEN: Final = re.compile(
    r"""
    "(?:\\.|[^"\\])*" | \\.
    | (?<![^\s()])(?P<joint>&&|\|\|)(?=[\s()])
    | (?P<not>!)
    | (?P<open>[\[{])\s*(?P<low>"[^"]*"|[^\s"]+)\s+TO\s+(?P<high>"[^"]*"|[^\s"\]}]+)\s*(?P<close>[\]}])
    """,
    re.DOTALL | re.VERBOSE,
)


def parse_query(text: str) -> tree.Item:
    """The tree of an expression.

    Raises:
        ApiError: 400 InvalidQuery, it does not parse or is empty.
    """
    try:
        root = parse(_WRITTEN.sub(_as_parser_has_it, text))
    except ParseError as error:
        raise ApiError(400, "InvalidQuery", "The requested filter is invalid.", {"q": str(error)}) from error
    if root is None:
        raise ApiError(400, "InvalidQuery", "The requested filter is empty.", {"q": text})
    return root


def _as_parser_has_it(found: re.Match[str]) -> str:
    """Operators by name; a range with quotes, as the parser takes the colon of `+02:00` for that of a field."""
    if found["joint"] or found["not"]:
        return _JOINTS.get(found[0], "NOT ")
    if found["open"] is None:
        return found[0]
    low, high = (f'"{end}"' if ":" in end and not end.startswith('"') else end for end in found.group("low", "high"))
    return f"{found['open']}{low} TO {high}{found['close']}"


def unescape(text: str) -> str:
    """A text without the backslashes that protect its letters."""
    return _ESCAPED.sub(r"\1", text)


def without_escaped(text: str) -> str:
    """A text without the letters that backslashes protect."""
    return _ESCAPED.sub("", text)


def field_of(node: tree.SearchField) -> str:
    """The field that an expression is about, in its current spelling."""
    return canonical(unescape(node.name))


def word_of(node: tree.Item) -> str:
    """The word or phrase that a node stands for.

    Raises:
        ApiError: 400 InvalidQuery, it is no word.
    """
    if isinstance(node, tree.Prohibit):
        return "-" + word_of(node.a)
    if not isinstance(node, tree.Term):
        raise ApiError(400, "InvalidQuery", "A word is expected.", {"q": str(node).strip()})
    return unescape(node.value[1:-1] if isinstance(node, tree.Phrase) else node.value)
