"""Lucene expressions as trees, by the grammar of Lucene's classic parser, on which the appliance's search is built.

It has no precedence: AND makes musts of the clauses on its two sides, NOT excludes, and OR says nothing. What it
refuses but can mean one thing only is read all the same: times with bare colons, one bare slash, `>="a phrase"`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from spsetl.errors import UsageError

Occur = Literal["must", "should", "must not"]

_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_WILDCARDS: Final = re.compile(r"\\(.)|([*?])|([%_])", re.DOTALL)
_LIKE: Final = {"*": "%", "?": "_"}
# As many as Elasticsearch takes.
_MOST_CLAUSES: Final = 1024
_DEEPEST: Final = 100
_BLANK: Final = r"[ \t\n\r\u3000]"
_TIME: Final = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[+-]\d\d:\d\d)?"
_LETTER: Final = r"""(?:\\.|[^ \t\n\r\u3000+\-!():^\[\]"{}~\\/])"""
_PHRASE: Final = r'"(?:\\.|[^"\\])*"'
_END: Final = rf'(?:{_PHRASE}|[^\s"\]}}][^\s\]}}]*)'
_TOKEN: Final = re.compile(
    rf"""
    (?P<blank>{_BLANK}+)
    | (?P<phrase>{_PHRASE})
    | (?P<range>[\[{{]\s*(?P<low>{_END})\s+TO\s+(?P<high>{_END})\s*[\]}}])
    | (?P<regex>/(?:\\/|[^/])*/)
    | (?P<boost>\^\d+(?:\.\d+)?)
    | (?P<fuzzy>~)
    | (?P<word>(?:{_TIME}|{_LETTER})(?:{_TIME}|{_LETTER}|[-+/])*)
    | (?P<lone>[-+!](?={_BLANK}))
    | (?P<mark>[-+!():])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATORS: Final = {
    "AND": "and", "&&": "and", "OR": "or", "||": "or", "NOT": "not", "!": "not", "-": "not", "+": "must",
}  # fmt: skip
_COMPARED: Final = re.compile(r"([<>])(=?)(.*)", re.DOTALL)
# What a backslash protects, and else the two that the appliance takes in no word.
_BARE: Final = re.compile(r"\\.|([/:])", re.DOTALL)
_ESCAPES: Final = re.compile(r"\\(?:u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|(u)|.)", re.DOTALL)
_USE: Final = "are not supported: use words, phrases, * and ?"
_FUZZY: Final = {"word": f"fuzzy words (~) {_USE}", "phrase": f"distances of words (~) {_USE}"}
_NOTES: Final = {
    "case": "{word!r} is a word here that is looked for, and no operator: write {upper}",
    "equals": "= is a letter of a word: write field:value, and NOT field:value",
    "compares": "< and > need a field before them: write field:>value",
    "joins": "&& and || are operators between blanks alone, and letters in a word",
    "mixed": "AND, OR and NOT have no precedence: beside AND, what OR alone joins adds nothing, NOT always excludes; "
    "put parentheses around what belongs together",
    "bare": "the appliance refuses a bare / or : in a word: write \\/ and \\:",
    "quoted": "the appliance takes no quotes after < and >: write a range, as [value TO *]",
}


# Whether a field says what a word is about: the word's own, or that of the group around it.
_Scope = Literal["none", "group", "field"]


@dataclass(frozen=True)
class Word:
    """A word or a phrase as it is written, a phrase without its quotes; `at` is where it stands, from 0."""

    raw: str
    at: int
    is_phrase: bool = False

    @property
    def text(self) -> str:
        """What it stands for: without the backslashes that protect its letters."""
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], self.raw)

    @property
    def has_wildcards(self) -> bool:
        """Whether it stands for others too."""
        return not self.is_phrase and any(found[2] for found in _WILDCARDS.finditer(self.raw))

    @property
    def pattern(self) -> str:
        r"""A word with wildcards as a pattern of `like … escape '\'`."""
        return _WILDCARDS.sub(_like, self.raw)


def _like(found: re.Match[str]) -> str:
    if found[2]:
        return _LIKE[found[2]]
    letter = found[1] or found[3]
    return "\\" + letter if letter in "%_\\" else letter


@dataclass(frozen=True)
class Range:
    """A range; an end that is None is open."""

    low: Word | None
    high: Word | None
    with_low: bool
    with_high: bool
    at: int


@dataclass(frozen=True)
class Fielded:
    """What a field has to be."""

    name: Word
    value: "Value"


@dataclass(frozen=True)
class Group:
    """Clauses side by side: all that must, none that must not, and of the others one, if nothing else must."""

    clauses: tuple[tuple[Occur, "Node"], ...]
    at: int


Value = Word | Range | Group
Node = Value | Fielded


def cannot_read(at: int, why: str, shown: str = "") -> UsageError:
    """What is wrong with an expression, and where."""
    return UsageError(f"cannot read q at position {at + 1}{shown}: {why}")


class _Token(NamedTuple):
    kind: str
    text: str
    at: int
    found: re.Match[str]


def parse_expression(text: str) -> tuple[Group, tuple[str, ...]]:
    """The tree of an expression, and notes for whoever wrote it: what is read otherwise than it may have been meant.

    Raises:
        UsageError: It is empty, or does not parse; the message names the position, from 1.
    """
    if not text.strip():
        raise UsageError("the expression of q is empty: write for example protocol:ssh AND NOT verdict:ACCEPT")
    if re.search(r"[\ud800-\udfff]", text):
        raise UsageError("the expression of q is no UTF-8 text")
    parser = _Parser(text)
    root = parser.group("none", 0)
    if parser.next is not None:
        raise parser.unexpected()
    return root, tuple(parser.notes.values())


class _Parser:
    """Goes over the tokens once; of the notes, one of a kind is enough."""

    def __init__(self, text: str) -> None:
        self.text, self.notes = text, dict[str, str]()
        self._tokens, self._at, self._clauses = list(_tokens(text)), 0, 0

    @property
    def next(self) -> _Token | None:
        """What comes now; None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def unexpected(self) -> UsageError:
        """What comes now is wrong, or that nothing comes."""
        return _too_early(self.text) if self.next is None else _unexpected(self.text, self.next.at)

    def group(self, scope: _Scope, depth: int, at: int = 0) -> Group:
        """Clauses to the end, or to a parenthesis that closes, put together as `QueryParserBase.addClause` does."""
        clauses: list[tuple[Occur, Node]] = []
        joints: list[str] = []
        while not clauses or not (self.next is None or self._comes(")")):
            joints.append(self._operator("and", "or") if clauses else "")
            if joints[-1] == "and" and clauses[-1][0] == "should":
                clauses[-1] = ("must", clauses[-1][1])
            prefix = self._operator("not", "must")
            is_must = prefix == "must" or joints[-1] == "and"
            occur: Occur = "must not" if prefix == "not" else "must" if is_must else "should"
            clauses.append((occur, self._clause(scope, depth)))
        if _is_mixed([occur for occur, _ in clauses], joints):
            self._note("mixed")
        return Group(tuple(clauses), at)

    def _clause(self, scope: _Scope, depth: int) -> Node:
        self._clauses += 1
        if self._clauses > _MOST_CLAUSES:
            raise cannot_read(self._place, f"the appliance takes {_MOST_CLAUSES:,} conditions at most")
        if depth > _DEEPEST:
            raise cannot_read(self._place, "the expression is nested too deeply")
        name = self.next
        node: Node
        if name is not None and _is_word(name) and self._comes(":", ahead=1):
            self._at += 2
            node = Fielded(self._word(name, "field"), self._field_value(depth))
        else:
            node = self._value(scope, depth)
        if self.next is not None and self.next.kind == "boost":  # it weighs what is found, and finds the same
            self._at += 1
        return node

    def _field_value(self, depth: int) -> Value:
        """What comes after the colon of a field; another field cannot."""
        if self._comes(":", ahead=1):
            self._at += 2 if self._comes(":", ahead=2) else 1
            raise self.unexpected()
        return self._value("field", depth)

    def _value(self, scope: _Scope, depth: int) -> Value:
        token = self.next
        if token is not None and self._comes("("):
            self._at += 1
            group = self.group("none" if scope == "none" else "group", depth + 1, token.at)
            if not self._comes(")"):
                raise self.unexpected()
            self._at += 1
            return group
        if token is None or not (_is_word(token) or token.kind in {"phrase", "range"}):
            raise self.unexpected()
        self._at += 1
        if token.kind == "range":
            ends = ((token.found[name], token.found.start(name)) for name in ("low", "high"))
            low, high = (None if raw == "*" else _word(raw, at) for raw, at in ends)
            return Range(low, high, token.text[0] == "[", token.text[-1] == "]", token.at)
        word = self._word(token, scope)
        compared = None if scope == "none" or word.is_phrase or word.has_wildcards else _COMPARED.fullmatch(word.raw)
        return word if compared is None else self._open_range(word, compared)

    def _open_range(self, word: Word, compared: re.Match[str]) -> Value:
        sign, equal, rest = compared.groups()
        end = _word(rest, word.at + compared.start(3))
        phrase = self.next
        if not rest:
            if phrase is None or phrase.kind != "phrase" or phrase.at != end.at:
                raise cannot_read(word.at, f"a value has to stand directly after {word.raw}")
            self._at += 1
            self._note("quoted")
            end = _word(phrase.text, phrase.at)
        is_low = sign == ">"
        return Range(end if is_low else None, None if is_low else end, bool(equal), bool(equal), word.at)

    def _word(self, token: _Token, scope: _Scope) -> Word:
        """The word of a token; a note on what is no operator in it."""
        word = _word(token.text, token.at)
        if word.is_phrase:
            return word
        if word.raw.upper() in {"AND", "OR", "NOT"} and scope != "field":
            self._note("case", word=word.raw, upper=word.raw.upper())
        if word.raw.startswith("=") or (scope == "none" and "=" in word.raw):
            self._note("equals")
        if scope == "none" and ("<" in word.raw or ">" in word.raw):
            self._note("compares")
        if "&&" in word.raw or word.raw in {"&", "|"} or (scope == "none" and "||" in word.raw):
            self._note("joins")
        if any(found[1] for found in _BARE.finditer(word.raw)):
            self._note("bare")
        return word

    def _operator(self, *kinds: str) -> str:
        """The operator that comes, if it is one of these kinds."""
        found = "" if self.next is None or _is_word(self.next) else _OPERATORS.get(self.next.text, "")
        if found not in kinds:
            return ""
        self._at += 1
        return found

    def _comes(self, mark: str, *, ahead: int = 0) -> bool:
        at = self._at + ahead
        return at < len(self._tokens) and self._tokens[at].kind == "mark" and self._tokens[at].text == mark

    @property
    def _place(self) -> int:
        return len(self.text) if self.next is None else self.next.at

    def _note(self, kind: str, **said: str) -> None:
        self.notes.setdefault(kind, _NOTES[kind].format(**said))


def _is_word(token: _Token) -> bool:
    return token.kind == "word" and token.text not in _OPERATORS


def _is_mixed(occurs: list[Occur], joints: list[str]) -> bool:
    """Whether somebody who expects a precedence would read something else."""
    beside_or = [pair for pair, joint in zip(pairwise(occurs), joints[1:], strict=True) if joint == "or"]
    return ("and" in joints and "should" in occurs) or any("must not" in pair for pair in beside_or)


def _word(raw: str, at: int) -> Word:
    """A word, or a phrase in its quotes."""
    for escape in _ESCAPES.finditer(raw):
        if escape[1]:
            why = "\\u begins the four digits of a letter: write \\\\ for a backslash"
            raise cannot_read(at + escape.start(), why)
    return Word(raw[1:-1], at, is_phrase=True) if raw[:1] == '"' else Word(raw, at)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    before: _Token | None = None
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            is_cut = text[at] in "[{" and not re.search(r"[\]}]", text[at:])
            raise _too_early(text) if is_cut else _unexpected(text, at)
        token = _Token(str(found.lastgroup), found[0], at, found)
        _refuse(token, before, text)
        if token.kind != "blank":
            yield token
            before = token
        at = found.end()


def _refuse(token: _Token, before: _Token | None, text: str) -> None:
    """Refuse what the language has and cannot be answered exactly."""
    if token.kind == "fuzzy" and before is not None and before.kind in _FUZZY:
        raise cannot_read(before.at, _FUZZY[before.kind])
    if token.kind == "fuzzy":
        raise _unexpected(text, token.at)
    if token.kind == "lone":
        raise cannot_read(token.at, f"no blank may stand after {token.text}: write -protocol:ssh")
    slash = next((found.start(1) for found in _BARE.finditer(token.text) if found[1] == "/"), -1)
    if token.kind == "regex" or (token.kind == "word" and slash >= 0 and "/" in text[token.at + slash + 1 :]):
        why = "regular expressions are not supported, and what stands between two / is one"
        raise cannot_read(token.at + max(slash, 0), f"{why}: put \\ before each, or quotes around the word")


def _too_early(text: str) -> UsageError:
    return cannot_read(len(text), "it ends too early: is a parenthesis, a bracket or a word missing?", ", its end")


def _unexpected(text: str, at: int) -> UsageError:
    longest = 20
    shown = repr(text[at:] if len(text) - at <= longest else text[at : at + longest] + "…")
    hint = 'is a quote open? put " around what holds : / + - ! ( ) [ ] { } or blanks, or \\ before each'
    return cannot_read(at, hint, f", from {shown} on")
