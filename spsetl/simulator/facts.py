"""What never changes of a session: who, where, which protocol, and what will become of it."""

from typing import Final, NamedTuple

from spsetl.simulator import vocabulary as words
from spsetl.simulator.dice import Dice, spread
from spsetl.simulator.spec import WorldSpec

# The first sessions of each five thousand play these parts, so that even a small world holds one of each.
PARTS: Final = (
    "plain", "log", "vault", "active", "unknown fields", "underscore", "many days", "not scored", "hostile",
    "never indexed", "many events", "very many events", "many alerts", "indexing failed", "indexing in progress",
    "offset", "status number", "scalar", "no trail", "hidden", "indexing not required", "refused", "two accounts",
)  # fmt: skip
_PART_PERIOD = 5000
# Of ten thousand sessions, so many have more than 500 events; the next ones have more than 1000.
_MANY_EVENTS, _VERY_MANY_EVENTS = 8, 12
_INDEXED_PARTS = {"many events", "very many events", "many alerts"}
_FATE_OF_PART = {
    "never indexed": "NOT_INDEXED",
    "indexing failed": "INDEXING_FAILED",
    "no trail": "NO_TRAIL",
    "indexing not required": "INDEXING_NOT_REQUIRED",
}
_FATES = spread(
    ("INDEXED", 80), ("INDEXING_NOT_REQUIRED", 8), ("NO_TRAIL", 5), ("INDEXING_FAILED", 4), ("NOT_INDEXED", 3)
)  # fmt: skip
_CHANNELS = spread((1, 9), (2, 22), (3, 28), (4, 20), (5, 11), (6, 6), (8, 4))
_EVENTS = spread((0, 20), (1, 18), (2, 20), (4, 20), (9, 17), (16, 5))
_ALERTS = spread((0, 86), (1, 8), (2, 3), (3, 3))
_ORIGIN_OF_PART = {"plain": "", "log": "LOG", "vault": "VAULT"}


class Facts(NamedTuple):
    """A session's unchanging side. `fate` is the index status that it will end with; counts are for then."""

    part: str
    origin: str
    recorded: bool
    protocol: str
    accepted: bool
    fate: str
    user: str
    client: int
    server: int
    policy: int
    channels: int
    events: int
    alerts: int


def part_of(number: int) -> str:
    """The part that the session of that number plays, or "" for none in particular."""
    at = number % _PART_PERIOD
    return PARTS[at] if at < len(PARTS) else ""


def facts_of(spec: WorldSpec, number: int) -> Facts:
    """The facts of the session of that number."""
    dice = Dice(spec.seed, "facts", number)
    part = part_of(number)
    origin, recorded = _origin(spec, dice, part)
    protocol = dice.pick(words.PROTOCOLS)
    accepted = part in _INDEXED_PARTS or (part != "refused" and dice.draw() >= 0.08 * 2**32)
    fate = _fate(dice, part, accepted=accepted)
    user = dice.pick(words.USERS)
    if part == "hostile" or dice.share(spec.hostile_text):
        user = dice.pick(words.HOSTILE_USERS)
    channels = dice.pick(_CHANNELS)
    return Facts(
        part, origin, recorded, protocol, accepted, fate, user, dice.below(200), dice.below(60), dice.below(3),
        channels if accepted and recorded else 0, _events(dice, part), _alerts(dice, part),
    )  # fmt: skip


def _origin(spec: WorldSpec, dice: Dice, part: str) -> tuple[str, bool]:
    drawn, vault_recorded = dice.draw() / 2**32, dice.share(0.5)
    origin = _ORIGIN_OF_PART.get(part)
    if origin is None and not part:
        origin = "LOG" if drawn < spec.logs else "VAULT" if drawn < spec.logs + spec.vaults else ""
    origin = origin or "RECORDING"
    return origin, origin == "RECORDING" or (origin == "VAULT" and vault_recorded)


def _fate(dice: Dice, part: str, *, accepted: bool) -> str:
    drawn = dice.pick(_FATES)
    if part in _FATE_OF_PART:
        return _FATE_OF_PART[part]
    if part:
        return "INDEXED" if accepted else "NO_TRAIL"
    return drawn if accepted else "NO_TRAIL"


def _events(dice: Dice, part: str) -> int:
    """About 4 for the mean session of a world; some beyond one page of the API, some beyond two."""
    drawn = dice.pick(_EVENTS)
    size, rare = dice.below(499), dice.below(10_000)
    if part == "many events" or rare < _MANY_EVENTS:
        return 501 + size
    if part == "very many events" or rare < _VERY_MANY_EVENTS:
        return 1001 + size
    return drawn


def _alerts(dice: Dice, part: str) -> int:
    drawn, size = dice.pick(_ALERTS), dice.below(200)
    return 501 + size if part == "many alerts" else drawn
