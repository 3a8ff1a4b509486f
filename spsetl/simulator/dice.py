"""Numbers that look random and follow from their name alone, in any process and any order of asking."""

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_WORDS = struct.Struct("<16I")
_FULL = 1 << 32


def spread(*weights: tuple[T, int]) -> tuple[T, ...]:
    """Values as often as their weights say, to be picked from."""
    return tuple(value for value, weight in weights for _ in range(weight))


class Dice:
    """A row of 32-bit numbers that is determined by its name, for example (seed, "channels", session number)."""

    __slots__ = ("_at", "_block", "_name", "_words")

    def __init__(self, *name: int | str) -> None:
        self._name = ":".join(map(str, name)).encode()
        self._block = 0
        self._at = 16
        self._words: tuple[int, ...] = ()

    def draw(self) -> int:
        """The next number, from 0 to 2**32 - 1."""
        if self._at == 16:  # noqa: PLR2004 - a digest of 64 bytes holds 16 numbers
            self._words = _WORDS.unpack(blake2b(b"%d:%b" % (self._block, self._name)).digest())
            self._block += 1
            self._at = 0
        self._at += 1
        return self._words[self._at - 1]

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return self.draw() * limit >> 32

    def between(self, first: int, last: int) -> int:
        """A whole number from first to last, both included."""
        return first + self.below(last - first + 1)

    def share(self, share: float) -> bool:
        """True in that share of the cases."""
        return self.draw() < share * _FULL

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.draw() * len(values) >> 32]

    def text(self, length: int, alphabet: str) -> str:
        """A text of that length."""
        return "".join([self.pick(alphabet) for _ in range(length)])
