"""What an expression is made of, and what its words stand for."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from spsetl.errors import UsageError

Occur = Literal["must", "should", "must not"]

_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_WILDCARDS: Final = re.compile(r"\\(.)|([*?])|([%_])", re.DOTALL)
_LIKE: Final = {"*": "%", "?": "_"}


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
