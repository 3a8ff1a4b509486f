"""Nights that once stopped the copy for ever, or left it wrong without a word: each must go on by itself.

Clean-up by age with nights off, sessions whose details fail, lists that end before the newest sessions, and a clock
that was wrong for one night. Each sync is a program with its clock at the world's time.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec
from tests.soak.comparing import Source, copied_keys
from tests.soak.outcome import Outcome, Soak, laboratory
from tests.soak.programs import Ended, environment, run_spsetl

_HERE: Final = Path(__file__).parent
_PROTOCOLS: Final = ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql")
_SESSIONS = 900
_NIGHTS = 12
_INCOMPLETE = 3
# A session whose details fail is asked for again after longer and longer.
_MOST_NIGHTS_TO_HEAL = 40
_UNLISTED = 5
_CLOCKS: Final = (timedelta(days=400), timedelta(days=-400), timedelta(hours=30))


def hardship(soak: Soak) -> Iterator[Outcome]:
    """All of them, one after the other."""
    for days, nights_off in ((7, 1), (30, 5)):
        yield _retention(soak, days, nights_off)
    yield _poison(soak)
    for _, strategy in soak.combinations():
        yield _cut_short(soak, strategy)
    for wrong in _CLOCKS:
        yield _clock(soak, wrong)


class _House:
    """An appliance, its copy, and what is compared after each sync."""

    def __init__(self, simulator: Simulator, folder: Path, outcome: Outcome) -> None:
        self.simulator, self.folder, self.outcome = simulator, folder, outcome
        self.source = Source(simulator.world)
        self.warehouse = folder / "warehouse.duckdb"

    def pass_nights(self, nights: int, *, keeps: timedelta | None = None) -> None:
        """So many; then the appliance removes what is older than it keeps."""
        world = self.simulator.world
        for _ in range(nights):
            self.simulator.advance_night()
            self.simulator.advance_clock(86_400)
        self.source.note_keys()
        if keeps is not None:
            for session in world.by_start():
                if session.start < (world.now - keeps).timestamp() * 1000:
                    world.delete(session.key)

    def sync(self, *, clock: timedelta = timedelta(0), **settings: object) -> Ended:
        """One sync at the world's time, or so far off."""
        ahead = (self.simulator.world.now + clock - datetime.now(UTC)).total_seconds()
        paths = os.pathsep.join((str(_HERE / "shifted"), str(_HERE.parents[1])))
        env = environment(self.simulator, self.folder, **settings)
        return run_spsetl("sync", env=env | {"PYTHONPATH": paths, "SOAK_CLOCK_AHEAD": str(ahead)})

    def expect(self, ended: Ended, when: str, *codes: int) -> None:
        """It ended so."""
        self.outcome.claim(ended.code in codes, f"{when}: exit code {ended.code}, {ended.last_words}")

    def compare(self, when: str, *, leave_out: set[str] | None = None, kept: set[str] | None = None) -> None:
        """The published copy with the world."""
        if not self.warehouse.exists():
            self.outcome.claim(False, f"{when}: nothing is published")
            return
        only = set(self.simulator.world.keys()) - leave_out if leave_out else None
        found = self.source.compare(self.warehouse, only=only, kept=kept or set())
        found.examples = [f"{when}: {text}" for text in found.examples]
        self.outcome.differences += found

    def end(self) -> Outcome:
        """The figures."""
        self.outcome.sessions, self.outcome.requests = len(self.source.ever), self.simulator.requests.total()
        return self.outcome.end()


def _world(soak: Soak, days: int = 30) -> World:
    return World(WorldSpec(sessions=soak.scaled(_SESSIONS), days=days, seed=soak.seed, deleted_per_night=0.0))


def _retention(soak: Soak, days: int, nights_off: int) -> Outcome:
    """Steady load and clean-up by age: no alarm, nothing published late, no detail lost that could be had."""
    outcome = Outcome(f"kept {days} days, a sync each {nights_off} nights")
    world = _world(soak, days)
    for protocol in _PROTOCOLS:
        world.policies.put(
            protocol, "options", "options", {"channel_database_cleanup": {"enabled": True, "days": days}}
        )
    with laboratory(world, Quirks()) as (simulator, folder):
        house = _House(simulator, folder, outcome)
        for turn in range(soak.scaled(_NIGHTS, 4)):
            before, kept = len(world), copied_keys(house.warehouse)
            if turn:
                house.pass_nights(nights_off, keeps=timedelta(days=days))
            outcome.failures += max(0, before - len(world))
            house.expect(house.sync(), f"sync {turn}", 0)
            house.compare(f"sync {turn}", kept=kept)
        outcome.notes.append("failures injected: sessions fewer than the night before")
        return house.end()


class _Poison:
    """A hook: the details of some sessions fail, each in its way."""

    def __init__(self, keys: list[str]) -> None:
        self.ways = dict(zip(keys, (Fault.HTML, Fault.UNAVAILABLE, Fault.HALF_BODY), strict=True))
        self.failed = 0

    def __call__(self, kind: str, path: str, params: Mapping[str, Any]) -> Fault | None:  # noqa: ARG002 - as hooks are
        """Before each answer."""
        if kind not in {"channels", "events", "alerts"}:
            return None
        way = next((way for key, way in self.ways.items() if f"/{key}/" in path), None)
        self.failed += way is not None
        return way


def _poison(soak: Soak) -> Outcome:
    """Some sessions' details fail in each night: the first sync publishes, each says so, and what heals is fetched."""
    outcome = Outcome("details that fail")
    with laboratory(_world(soak), Quirks()) as (simulator, folder):
        house = _House(simulator, folder, outcome)
        poisoned = [key for key in simulator.world.keys()[-60:] if key.replace("-", "").replace("_", "").isalnum()][:3]
        hook = simulator.on_request = _Poison(poisoned)
        for turn in range(soak.scaled(_NIGHTS, 3)):
            if turn:
                house.pass_nights(1)
            # Once they are waited with, a sync can be complete.
            house.expect(house.sync(), f"night {turn}", *((0, _INCOMPLETE) if turn else (_INCOMPLETE,)))
            house.compare(f"night {turn}", leave_out=set(poisoned))
        outcome.failures, hook.ways = hook.failed, {}
        for night in range(_MOST_NIGHTS_TO_HEAL):
            house.pass_nights(1)
            house.expect(house.sync(), f"night {night} after they heal", 0)
            if not house.source.compare(house.warehouse, only=set(poisoned)).total:
                outcome.notes.append(f"whole {night + 1} nights after the details could be had again")
                break
        house.compare("healed")
        return house.end()


def _cut_short(soak: Soak, strategy: str) -> Outcome:
    """Each other night the list, or the snapshot, ends before the newest sessions: it is said, and nothing is lost."""
    outcome = Outcome(f"lists that end early, {strategy}")
    world = _world(soak)
    kept: set[str] = set()
    with laboratory(world, Quirks()) as (whole, folder):
        house = _House(whole, folder, outcome)
        house.expect(house.sync(strategy=strategy), "the first", 0)
        for turn in range(soak.scaled(_NIGHTS, 3)):
            house.pass_nights(1)
            kept = copied_keys(house.warehouse)
            with Simulator(world, Quirks(unlisted_newest=_UNLISTED)) as cut:
                short = _House(cut, folder, outcome)
                short.expect(short.sync(strategy=strategy), f"night {turn}, cut short", _INCOMPLETE)
                outcome.failures += 1
            newest = {session.key for session in world.by_start()[-_UNLISTED:]}
            house.compare(f"night {turn}, cut short", leave_out=newest, kept=kept)
            whole.drop_snapshot()
            house.expect(house.sync(strategy=strategy), f"night {turn}, whole", 0)
            house.compare(f"night {turn}, whole", kept=kept)
        return house.end()


def _clock(soak: Soak, wrong: timedelta) -> Outcome:
    """One sync under a wrong clock: the nights after it find everything, and the guard against a lost right holds."""
    outcome = Outcome(f"a clock {wrong.total_seconds() / 3600:+,.0f} h off")
    world = _world(soak)
    with laboratory(world, Quirks()) as (simulator, folder):
        house = _House(simulator, folder, outcome)
        house.expect(house.sync(), "before", 0)
        house.pass_nights(1)
        # The appliance's clock is right: to who is so far off, it seems to be off the other way.
        with Simulator(world, Quirks(clock_offset=-wrong.total_seconds())) as right:
            house.expect(_House(right, folder, outcome).sync(clock=wrong), "under the wrong clock", 0)
        outcome.failures = 1
        house.compare("under the wrong clock")
        for night in range(soak.scaled(_NIGHTS, 3)):
            house.pass_nights(1)
            for key in world.keys()[:: max(1, len(world) // 20)]:
                world.change(key, {"analytics.score.aggregated": night})
            house.expect(house.sync(), f"night {night} after", 0)
            house.compare(f"night {night} after")
        hidden = [world.find(key) for key in world.keys()[::2]]
        for session in hidden:
            world.delete(session.key)
        house.pass_nights(1)
        before = house.warehouse.read_bytes()
        house.expect(house.sync(), "half of the sessions hidden", _INCOMPLETE)
        outcome.claim(house.warehouse.read_bytes() == before, "half of the sessions were marked missing and published")
        for session in hidden:
            world.put(session.at(world.now_ms))
        house.pass_nights(1)
        house.expect(house.sync(), "shown again", 0)
        house.compare("shown again")
        return house.end()
