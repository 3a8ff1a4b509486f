"""A session as the world keeps it: small and immutable, replaced at each change."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from spsetl.simulator import vocabulary as words
from spsetl.simulator.dice import Dice, spread
from spsetl.simulator.facts import Facts, facts_of
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.times import DAY, HOUR, MINUTE, NEVER, SECOND, to_datetime

# What happens to a session, in the order of `Session.milestones`.
CLOSED, PROGRESS, INDEXED, SCORED, RESCORED, ARCHIVED = range(6)

_HOUR_WEIGHTS: Final = (2, 2, 1, 1, 1, 2, 5, 14, 30, 40, 42, 38, 30, 36, 42, 40, 32, 20, 10, 6, 5, 4, 3, 3)
_WEEKEND: Final = (5, 6)
_CLUSTER = 40  # sessions of one cluster share their second
_CLUSTER_PERIOD = 1200  # one cluster in so many sessions
_LONGEST_SECONDS: Final = spread((300, 40), (1800, 35), (7200, 20), (20_000, 5))
_ARCHIVING_DAYS = 20
_AGES = 1 << 60  # not NEVER: what comes after the end keeps its distance from it


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
        passed = passed_at(self.milestones, now)
        return self if passed == self.passed else self._replace(passed=passed)


def _shifted(milestones: Sequence[int], by: int) -> tuple[int, ...]:
    return tuple(moment if moment == NEVER else moment + by for moment in milestones)


def passed_at(milestones: Sequence[int], now: int) -> int:
    """The bits of the milestones that lie in the past."""
    return sum(1 << bit for bit, moment in enumerate(milestones) if moment <= now)


class Calendar:
    """Draws times between two moments, as people work: by day more than by night, little at weekends."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self._hours = range(first, last, HOUR)
        weights = (_weight(hour) for hour in self._hours)
        self._sums = list(accumulate(weights))

    def draw(self, dice: Dice) -> int:
        """A time, at or after the first moment and before the last."""
        hour = self._hours[bisect_right(self._sums, dice.below(self._sums[-1]))]
        return min(hour + dice.below(HOUR), self.last - 1)


def _weight(hour: int) -> int:
    moment = to_datetime(hour)
    return max(1, _HOUR_WEIGHTS[moment.hour] // (4 if moment.weekday() in _WEEKEND else 1))


class Births:
    """Makes the sessions of one stretch of time, each from the spec and its number alone."""

    def __init__(self, spec: WorldSpec, calendar: Calendar, now: int) -> None:
        self._spec, self._calendar, self._now = spec, calendar, now

    def visible(self, number: int) -> Session:
        """A session that can be seen at once, though its record may be much younger than its start."""
        dice, facts = Dice(self._spec.seed, "birth", number), facts_of(self._spec, number)
        start = self._start(dice, facts, number)
        lag = dice.between(1, 3 * DAY) if dice.share(0.05) else dice.below(2 * SECOND)
        return self._session(number, start, min(start + lag, self._now), dice, facts)

    def late(self, number: int, nights: int) -> Session:
        """A session that becomes visible during that night from now."""
        dice, facts = Dice(self._spec.seed, "birth", number), facts_of(self._spec, number)
        start = self._calendar.draw(dice)
        return self._session(number, start, self._now + (nights - 1) * DAY + dice.between(1, DAY), dice, facts)

    def burst(self, number: int, start: int) -> Session:
        """One of the many sessions with one and the same start."""
        dice, facts = Dice(self._spec.seed, "birth", number), facts_of(self._spec, number)
        return self._session(number, start, min(start + dice.below(2 * SECOND), self._now), dice, facts)

    def _start(self, dice: Dice, facts: Facts, number: int) -> int:
        if facts.part == "active":
            return max(self._calendar.first, self._now - 3 * HOUR - dice.below(HOUR))
        if facts.part == "indexing in progress":
            return max(self._calendar.first, self._now - 5 * HOUR)
        if number % _CLUSTER_PERIOD // _CLUSTER == 1:
            cluster = Dice(self._spec.seed, "cluster", number // _CLUSTER_PERIOD)
            return max(self._calendar.first, self._calendar.draw(cluster) // SECOND * SECOND)
        return self._calendar.draw(dice)

    def _session(self, number: int, start: int, created: int, dice: Dice, facts: Facts) -> Session:
        milestones = _milestones(dice, facts, start, self._now)
        key = _key(self._spec, number, facts)
        return Session(number, key, start, created, milestones, passed_at(milestones, self._now))


def _duration(dice: Dice, facts: Facts) -> int:
    seconds, long, days = dice.pick(_LONGEST_SECONDS), dice.draw(), dice.below(20)
    length = dice.between(1, seconds * SECOND)
    if not facts.accepted:
        return 0
    if facts.part == "many days" or long < 0.01 * 2**32:
        return length + (2 + days) * DAY
    return length


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
