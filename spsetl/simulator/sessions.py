"""A session as the world keeps it: facts that never change, and a small immutable state, replaced at each change."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from spsetl.simulator import vocabulary as words
from spsetl.simulator.spec import Dice, WorldSpec, spread
from spsetl.simulator.times import DAY, HOUR, MINUTE, NEVER, SECOND, to_datetime

# What happens to a session, in the order of `Session.milestones`.
CLOSED, PROGRESS, INDEXED, SCORED, RESCORED, ARCHIVED = range(6)

# The first sessions of each five thousand play these parts, so that even a small world holds one of each.
_PARTS: Final = (
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

_HOUR_WEIGHTS: Final = (2, 2, 1, 1, 1, 2, 5, 14, 30, 40, 42, 38, 30, 36, 42, 40, 32, 20, 10, 6, 5, 4, 3, 3)
_WEEKEND: Final = (5, 6)
_CLUSTER = 40  # sessions of one cluster share their second
_CLUSTER_PERIOD = 1200  # one cluster in so many sessions
_LONGEST_SECONDS: Final = spread((300, 40), (1800, 35), (7200, 20), (20_000, 5))
_ARCHIVING_DAYS = 20
_AGES = 1 << 60  # not NEVER: what comes after the end keeps its distance from it


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


def facts_of(spec: WorldSpec, number: int) -> Facts:
    """The facts of the session of that number."""
    dice = Dice(spec.seed, "facts", number)
    at = number % _PART_PERIOD
    part = _PARTS[at] if at < len(_PARTS) else ""
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
    origin = _ORIGIN_OF_PART.get(part, "")
    if not part:
        origin = "LOG" if drawn < spec.logs else "VAULT" if drawn < spec.logs + spec.vaults else ""
    return origin or "RECORDING", not origin or (origin == "VAULT" and vault_recorded)


def _fate(dice: Dice, part: str, *, accepted: bool) -> str:
    drawn = dice.pick(_FATES)
    if part in _FATE_OF_PART:
        return _FATE_OF_PART[part]
    if not accepted:
        return "NO_TRAIL"
    return "INDEXED" if part else drawn


def _events(dice: Dice, part: str) -> int:
    """About 4 for the mean session of a world; some beyond one page of the API, some beyond two."""
    drawn, size, rare = dice.pick(_EVENTS), dice.below(499), dice.below(10_000)
    if part == "many events" or rare < _MANY_EVENTS:
        return 501 + size
    return 1001 + size if part == "very many events" or rare < _VERY_MANY_EVENTS else drawn


def _alerts(dice: Dice, part: str) -> int:
    drawn, size = dice.pick(_ALERTS), dice.below(200)
    return 501 + size if part == "many alerts" else drawn


class Download(NamedTuple):
    """One download of a session's recording; the time in milliseconds."""

    time: int
    username: str
    ip_address: str
    from_api: bool


class Session(NamedTuple):
    """One session.

    `milestones` are the times at which it closes, is being indexed, is indexed, scored, scored again and archived;
    `passed` has a bit for each that lies in the past. `overrides` are what tests changed, as dotted path and value;
    `given_events` is the number of events that a test gave it, `downloads` are the downloads that tests made.
    `version` grows with each change, also with one that leaves the revision alone. Times in milliseconds.
    """

    number: int
    key: str
    start: int
    created: int
    milestones: tuple[int, ...]
    passed: int
    bumps: int = 0
    overrides: tuple[tuple[str, Any], ...] = ()
    version: int = 0
    given_events: int | None = None
    downloads: tuple[Download, ...] = ()

    @property
    def end(self) -> int | None:
        """When it ended, or None while it is active."""
        return self.milestones[CLOSED] if self.passed & 1 else None

    @property
    def revision(self) -> int:
        """Grows with each change."""
        return 1 + self.passed.bit_count() + self.bumps

    def has(self, milestone: int) -> bool:
        """True if that has happened."""
        return bool(self.passed >> milestone & 1)

    def moved(self, start: int) -> "Session":
        """The session at another start, with all that comes later."""
        return self._replace(start=start, milestones=_shifted(self.milestones, start - self.start))

    def ended(self, end: int | None) -> "Session":
        """The session with another end, with all that comes after it; None: it goes on for ages."""
        by = (_AGES if end is None else end) - self.milestones[CLOSED]
        return self._replace(milestones=_shifted(self.milestones, by))

    def at(self, now: int) -> "Session":
        """The session as it is at that time; itself if nothing happened."""
        passed = _passed_at(self.milestones, now)
        return self if passed == self.passed else self._replace(passed=passed)


def _shifted(milestones: Sequence[int], by: int) -> tuple[int, ...]:
    return tuple(moment if moment == NEVER else moment + by for moment in milestones)


def _passed_at(milestones: Sequence[int], now: int) -> int:
    return sum(1 << bit for bit, moment in enumerate(milestones) if moment <= now)


class Births:
    """Makes the sessions that start between two moments, each from the spec and its number alone."""

    def __init__(self, spec: WorldSpec, first: int, last: int) -> None:
        self._spec, self._first, self._now = spec, first, last
        self._hours = range(first, last, HOUR)
        self._sums = list(accumulate(map(_weight, self._hours)))

    def visible(self, number: int, start: int | None = None) -> Session:
        """A session that can be seen at once, though its record may be much younger than its start."""
        dice, facts = Dice(self._spec.seed, "birth", number), facts_of(self._spec, number)
        lag = 0
        if start is None:
            start = self._start(dice, facts, number)
            lag = dice.between(1, 3 * DAY) if dice.share(0.05) else 0
        lag = lag or dice.below(2 * SECOND)
        return self._session(number, start, min(start + lag, self._now), dice, facts)

    def late(self, number: int, nights: int) -> Session:
        """A session that becomes visible during that night from now."""
        dice, facts = Dice(self._spec.seed, "birth", number), facts_of(self._spec, number)
        start = self._moment(dice)
        return self._session(number, start, self._now + (nights - 1) * DAY + dice.between(1, DAY), dice, facts)

    def _start(self, dice: Dice, facts: Facts, number: int) -> int:
        if facts.part == "active":
            return max(self._first, self._now - 3 * HOUR - dice.below(HOUR))
        if facts.part == "indexing in progress":
            return max(self._first, self._now - 5 * HOUR)
        if number % _CLUSTER_PERIOD // _CLUSTER == 1:
            cluster = Dice(self._spec.seed, "cluster", number // _CLUSTER_PERIOD)
            return max(self._first, self._moment(cluster) // SECOND * SECOND)
        return self._moment(dice)

    def _moment(self, dice: Dice) -> int:
        """A start, as people work: by day more than by night, little at weekends."""
        hour = self._hours[bisect_right(self._sums, dice.below(self._sums[-1]))]
        return min(hour + dice.below(HOUR), self._now - 1)

    def _session(self, number: int, start: int, created: int, dice: Dice, facts: Facts) -> Session:
        milestones = _milestones(dice, facts, start, self._now)
        key = _key(self._spec, number, facts)
        return Session(number, key, start, created, milestones, _passed_at(milestones, self._now))


def _weight(hour: int) -> int:
    moment = to_datetime(hour)
    return max(1, _HOUR_WEIGHTS[moment.hour] // (4 if moment.weekday() in _WEEKEND else 1))


def _milestones(dice: Dice, facts: Facts, start: int, now: int) -> tuple[int, ...]:
    end = start + _duration(dice, facts)
    if facts.part == "active":
        end = now + 5 * HOUR
    if facts.part == "indexing in progress":
        end = start + HOUR
    progress, indexed = _indexing(dice, facts, end, now)
    scored = end + dice.between(10 * MINUTE, 30 * HOUR)
    rescored = scored + dice.between(DAY, 12 * DAY)
    archived = end + dice.between(DAY, _ARCHIVING_DAYS * DAY)
    unscored, once, kept = dice.share(0.12), dice.share(0.7), dice.share(0.4)
    if unscored or facts.part == "not scored":
        scored = rescored = NEVER
    if not facts.recorded or kept:
        archived = NEVER
    return end, progress, indexed, scored, NEVER if once else rescored, archived


def _duration(dice: Dice, facts: Facts) -> int:
    seconds, long, days = dice.pick(_LONGEST_SECONDS), dice.draw(), dice.below(20)
    length = dice.between(1, seconds * SECOND)
    if not facts.accepted:
        return 0
    return length + (2 + days) * DAY if facts.part == "many days" or long < 0.01 * 2**32 else length


def _indexing(dice: Dice, facts: Facts, end: int, now: int) -> tuple[int, int]:
    """When indexing begins and when it is done; never, where there is nothing to index."""
    wait = dice.between(MINUTE, 26 * HOUR) if dice.share(0.2) else dice.between(MINUTE, 20 * MINUTE)
    takes = dice.between(MINUTE, 8 * HOUR)
    if not facts.recorded or facts.fate not in {"INDEXED", "INDEXING_FAILED"}:
        return NEVER, NEVER
    if facts.part == "indexing in progress":
        return now - HOUR, now + 5 * HOUR
    return end + wait, end + wait + takes


def _key(spec: WorldSpec, number: int, facts: Facts) -> str:
    """The key: 20 letters, some of them `_` or `-`; sessions from logs keep their ID with slashes and a colon."""
    key = Dice(spec.seed, "key", number).text(20, words.KEY_ALPHABET)
    if facts.origin == "LOG":
        return f"svc/{key}/log_{facts.protocol.lower()}_{facts.policy}:{number % 100}"
    return "_" + key[1:] if facts.part == "underscore" else key
