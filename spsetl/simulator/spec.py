"""What a simulated world is made from: one frozen value, and dice that fall the same way in any process.

Another process can so build the very same world.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


_WORDS = struct.Struct("<16I")
_FULL = 1 << 32


@dataclass(frozen=True)
class WorldSpec:
    """The world's size and its mix. The same spec always gives the same world. Shares are from 0 to 1."""

    sessions: int = 10_000
    """Sessions that are visible at the beginning, the burst not counted."""
    seed: int = 1
    """Any whole number; another seed gives another world of the same kind."""
    days: int = 30
    """The sessions started in this many days before `now`, and a night brings sessions/days new ones."""
    burst: int = 0
    """Further sessions that all started at one and the same whole second, in the middle of the days."""
    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    """The world's time at the beginning. It stands still except for `World.advance` and `World.advance_night`."""
    late: float = 0.02
    """Share of a day's sessions that become visible a night or more after they started."""
    logs: float = 0.05
    """Share of sessions that SPS built from log messages (origin LOG); they have no recording."""
    vaults: float = 0.05
    """Share of sessions that the vault brokered (origin VAULT); half of them have no recording."""
    unknown_fields: float = 0.03
    """Share of sessions with fields that no document names."""
    scalar_server_username: float = 0.1
    """Share of sessions whose user.server_username is a plain text and not a list."""
    index_status_numbers: float = 0.05
    """Share of sessions whose recording.index_status is a number and not its name."""
    offsets: float = 0.03
    """Share of sessions whose times are written with an offset of +05:00 and not with Z."""
    hostile_text: float = 0.01
    """Share of sessions whose user name holds markup, quotes, commas, line ends or rare letters."""
    deleted_per_night: float = 0.1
    """Sessions that the clean-up of a night deletes, the oldest first, as a share of the sessions that a day brings."""

    @property
    def per_day(self) -> int:
        """Sessions that a day brings."""
        return max(1, self.sessions // self.days)


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
