"""Thirty nights with everything that can happen to an appliance and to its sessions, each ended by a sync."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from spsetl.errors import SpsetlError
from spsetl.runs import Run
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.soak.comparing import Differences, Source, copied_keys
from tests.soak.life import Life
from tests.soak.outcome import Outcome, Soak, laboratory
from tests.soak.weather import Weather
from tests.syncing import sync

_SESSIONS = 1200
_NIGHTS = 30
_DAY = 86_400
_TIMEOUT = 2.0  # seconds: an answer that hangs costs as much
_BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
_TRIES_A_NIGHT = 6


def nights(soak: Soak) -> Iterator[Outcome]:
    """For each reading and strategy: the nights, and the session that is active through all of them."""
    for reading, strategy in soak.combinations():
        yield from _live(soak, reading, strategy)


def _live(soak: Soak, reading: Literal["literal", "overlap"], strategy: str) -> Iterator[Outcome]:
    outcome = Outcome(f"nights, {reading}, {strategy}")
    oldest = Outcome(f"old active, {reading}, {strategy}")
    # Its nights pass before this machine's clock, which the appliance's `Date` follows: nothing lies in its future.
    spec = WorldSpec(sessions=soak.scaled(_SESSIONS), seed=soak.seed, late=0.1, deleted_per_night=0.1, now=_BEGIN)
    quirks = Quirks(reading=reading, histogram_reading=reading, ties="unstable", snapshot_short_pages=True)
    world = World(spec)
    with laboratory(world, quirks) as (simulator, folder):
        passing = _Nights(simulator, folder, strategy, outcome, soak)
        oldest.sessions = len(passing.life.watched)
        for night in range(soak.scaled(_NIGHTS, 6)):
            passing.pass_one(night)
            oldest.failures += 1
            if (folder / "warehouse.duckdb").exists():
                oldest.differences += passing.source.compare(folder / "warehouse.duckdb", only=passing.life.watched)
        oldest.claim(passing.life.is_still_active, "the session that is active throughout has ended")
        oldest.notes.append("failures injected: nights that it was active, or reopened and closed again")
        outcome.sessions, outcome.requests = len(passing.source.ever), simulator.requests.total()
        passing.summarize()
    yield outcome.end()
    yield oldest.end()


class _Nights:
    """The nights of one appliance, and the copy after each."""

    def __init__(self, simulator: Simulator, folder: Path, strategy: str, outcome: Outcome, soak: Soak) -> None:
        self.source = Source(simulator.world)
        dice = soak.dice(outcome.scenario)
        self.life = Life(simulator.world, dice)
        self.weather = Weather(simulator, dice, self.source.ever.add)
        self.weather.spared = self.life.watched
        self._simulator, self._folder, self._strategy = simulator, folder, strategy
        self._outcome = outcome
        self._failed: Counter[str] = Counter()
        self._excused: set[object] = set()
        self._quiet = self._kept = 0
        simulator.on_request = self.weather

    def pass_one(self, night: int) -> None:
        """A night's events, its syncs, and the comparison."""
        if night:
            self._simulator.advance_night()
            self._simulator.advance_clock(_DAY)
            self.life.pass_night(night)
        self.source.note_keys()
        warehouse = self._folder / "warehouse.duckdb"
        kept, changes = copied_keys(warehouse), self.weather.changes
        self._sync(is_changing=True)
        if self.weather.changes != changes:
            self._quiet += 1
            self._sync(is_changing=False)
        if not warehouse.exists():
            return
        found = self.source.compare(warehouse, kept=kept)
        found.examples = [f"night {night}: {text}" for text in found.examples]
        self._outcome.differences += found
        self._count_repeats(night)

    def _sync(self, *, is_changing: bool) -> None:
        self.weather.is_changing = is_changing
        for _ in range(_TRIES_A_NIGHT):
            try:
                report = sync(self._simulator, self._folder, strategy=self._strategy, timeout=_TIMEOUT)
            except SpsetlError as error:
                self._failed[f"{type(error).__name__}: {error}"] += 1
                # What was under way when it broke off is asked for again, and rightly so.
                self._excused |= set(self._simulator.repeated_details) | {"next"}
            else:
                self._see(report)
                return
        self._outcome.claim(False, f"a night's sync failed {_TRIES_A_NIGHT} times in a row")

    def _see(self, report: Run) -> None:
        # What cannot be fetched whole now is fetched by the next sync; it is said, and counted here.
        if not report.is_complete:
            self._kept += 1

    def _count_repeats(self, night: int) -> None:
        """Details asked for twice for one revision of a session that was left alone while it was read."""
        repeated = self._simulator.repeated_details
        if "next" in self._excused:
            self._excused = set(repeated)
        found = Differences()
        for asking in repeated.keys() - self._excused:
            if asking.key not in self.weather.changed and asking.key not in self.life.replaced:
                found.note("wrong", f"night {night}: {asking.kind} of {asking.key} at revision {asking.revision} twice")
        self._excused |= set(repeated)
        self._outcome.differences += found

    def summarize(self) -> None:
        """The figures below the table."""
        outcome, weather = self._outcome, self.weather
        outcome.failures = weather.failures.total() + weather.changes
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(weather.failures.items()))
        outcome.notes.append(f"{kinds}; {weather.changes} changes while the list or details were read")
        outcome.notes.append(
            f"{self._quiet} quiet syncs, {self._kept} syncs that said they were incomplete; {self.life}"
        )
        outcome.notes += [f"{count} syncs were repeated after {what}" for what, count in self._failed.items()]
