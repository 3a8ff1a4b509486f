"""Lucene expressions as trees, the words in them, and where each stands."""

import re
from typing import Final

from luqum import tree
from luqum.exceptions import ParseError
from luqum.thread import parse

from spsetl.errors import UsageError

# Not a character of any text; stands for the colon of a time, which the parser would take for that of a field.
_COLON: Final = "\ufdd0"
_TIME: Final = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[+-]\d{2}:\d{2})?"
# What is quoted or escaped stays. Of a range, the ends may hold any colon: no field can stand there.
_LITERAL: Final = re.compile(
    rf'"(?:\\.|[^"\\])*"|\\.|(?P<range>[\[{{]\s*(?:"[^"]*"|[^\s"]+)\s+TO\s+(?:"[^"]*"|[^\s"\]}}]+)\s*[\]}}])|(?P<time>{_TIME})',
    re.DOTALL,
)
_QUOTED: Final = re.compile(r'"[^"]*"|:')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PLACE: Final = re.compile(r" at (?:position (\d+)|the end)!?$")
_WILDCARDS: Final = re.compile(r"\\(.)|([*?])|([%_])", re.DOTALL)
_LIKE: Final = {"*": "%", "?": "_"}


def parse_expression(text: str) -> tree.Item:
    """The tree of an expression.

    Raises:
        UsageError: It is empty, or does not parse; the message names the position, from 1.
    """
    if not text.strip():
        raise UsageError("the expression of q is empty: write for example protocol:ssh AND NOT verdict:ACCEPT")
    try:
        return parse(_LITERAL.sub(_with_hidden_colons, text))
    except ParseError as error:
        raise UsageError(_complaint(str(error), text)) from error
    except RecursionError as error:
        raise UsageError("the expression of q is nested too deeply") from error


def _with_hidden_colons(found: re.Match[str]) -> str:
    """The same text, of the same length, so that positions stay those of what was written."""
    if found["time"]:
        return found[0].replace(":", _COLON)
    if found["range"]:
        return _QUOTED.sub(lambda part: _COLON if part[0] == ":" else part[0], found[0])
    return found[0]


def _complaint(message: str, text: str) -> str:
    place = _PLACE.search(message)
    if place is None or place[1] is None:
        return (
            f"cannot read q at position {len(text) + 1}, its end: it ends too early: "
            "is a parenthesis, a bracket or a word missing?"
        )
    at = int(place[1])
    hint = 'is a quote open? put " around what holds : / ( ) [ ] { } or blanks, or \\ before each'
    return f"cannot read q at position {at + 1}, from {_shown(text[at:])} on: {hint}"


def _shown(text: str) -> str:
    """The beginning of a text, quoted."""
    longest = 20
    return repr(text if len(text) <= longest else text[:longest] + "…")


def place_of(node: tree.Item) -> str:
    """Where a part of an expression stands."""
    return "" if node.pos is None else f" at position {node.pos + 1}"


def name_of(node: tree.SearchField) -> str:
    """The field that the expression names."""
    return unescape(node.name)


def word_of(node: tree.Item) -> str:
    """The word or phrase that a node stands for.

    Raises:
        UsageError: It is no word.
    """
    if isinstance(node, tree.Prohibit):
        return "-" + word_of(node.a)
    if not isinstance(node, tree.Word | tree.Phrase):
        raise UsageError(f"cannot read q{place_of(node)}: a word is expected")
    return unescape(node.value[1:-1] if isinstance(node, tree.Phrase) else node.value)


def unescape(text: str) -> str:
    """A text without the backslashes that protect its letters."""
    return _ESCAPED.sub(r"\1", text).replace(_COLON, ":")


def has_wildcards(node: tree.Word) -> bool:
    """Whether a word stands for others too."""
    return any(found[2] for found in _WILDCARDS.finditer(node.value))


def pattern_of(node: tree.Word) -> str:
    r"""A word with wildcards as a pattern of `like … escape '\'`."""
    return _WILDCARDS.sub(_like, node.value).replace(_COLON, ":")


def _like(found: re.Match[str]) -> str:
    if found[2]:
        return _LIKE[found[2]]
    letter = found[1] or found[3]
    return "\\" + letter if letter in "%_\\" else letter
