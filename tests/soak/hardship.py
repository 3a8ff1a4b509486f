"""Nights that once stopped the copy for ever, or left it wrong without a word: each must go on by itself.

Clean-up by age with nights off, details that fail or are not there, lists that end before the newest sessions, a right
that is granted late, kills while the world moves, odd times, a restore, and a clock that was wrong for one night. Each
sync is a program with its clock at the world's time.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.simulator.faults import Poison
from tests.oracle import KINDS
from tests.soak.bulk import is_indexed
from tests.soak.comparing import Source, copied_keys
from tests.soak.outcome import STRATEGIES, Outcome, Soak, laboratory
from tests.soak.programs import KILLED, Ended, environment, run_spsetl

_HERE: Final = Path(__file__).parent
_PROTOCOLS: Final = ("ssh", "rdp", "ica", "telnet", "vnc", "http", "mssql")
_DAY = 86_400
_SESSIONS = 900
_MANY = 12_000
_SOME = 6_000  # more than one window
_NIGHTS = 12
_INCOMPLETE = 3
# A session whose details fail is asked for again after longer and longer.
_MOST_NIGHTS_TO_HEAL = 40
_UNLISTED = 5
_WAYS: Final[tuple[Poison, ...]] = ("400", "403", "500", "unavailable", "html", "shape", "reset")
_CLOCKS: Final = (timedelta(days=400), timedelta(days=-400), timedelta(hours=30))


def hardship(soak: Soak) -> Iterator[Outcome]:
    """All of them, one after the other."""
    for days, nights_off in ((7, 1), (30, 5)):
        yield _retention(soak, days, nights_off)
    yield _poison(soak, "details that fail", [(way, KINDS) for way in _WAYS], soak.scaled(_NIGHTS, 3))
    # Those of four nights, over a week, are believed.
    yield _poison(soak, "404 for one kind", [("404", (kind,)) for kind in KINDS], 3)
    yield _nothing_there(soak)
    for strategy in STRATEGIES:
        yield _cut_short(soak, strategy)
        yield _granted_later(soak, strategy)
        yield _moves_on(soak, strategy)
    yield _odd_times(soak)
    yield _restored(soak)
    for wrong in _CLOCKS:
        yield _clock(soak, wrong)


class _House:
    """An appliance, its copy, and what is compared after each sync."""

    def __init__(self, simulator: Simulator, folder: Path, outcome: Outcome, *, kinds: Collection[str] = KINDS) -> None:
        self.simulator, self.folder, self.outcome = simulator, folder, outcome
        self.source = Source(simulator.world, kinds)
        self.warehouse = folder / "warehouse.duckdb"

    def with_kinds(self, kinds: Collection[str]) -> "_House":
        """The same, where only these details are compared."""
        house = _House(self.simulator, self.folder, self.outcome, kinds=kinds)
        house.source.ever = self.source.ever
        return house

    def pass_nights(self, nights: int, *, keeps: timedelta | None = None) -> None:
        """So many; then the appliance removes what is older than it keeps."""
        world = self.simulator.world
        for _ in range(nights):
            self.simulator.advance_night()
            self.simulator.advance_clock(_DAY)
        self.source.note_keys()
        if keeps is not None:
            for session in world.by_start():
                if session.start < (world.now - keeps).timestamp() * 1000:
                    world.delete(session.key)

    def sync(self, **more: Any) -> Ended:
        """One sync; `more` as for `run`."""
        return self.run("sync", **more)

    def run(
        self,
        command: str,
        *,
        clock: timedelta = timedelta(0),
        kill: Callable[[float], bool] | None = None,
        **settings: object,
    ) -> Ended:
        """One command at the world's time, or so far off; to its end, or killed."""
        ahead = (self.simulator.world.now + clock - datetime.now(UTC)).total_seconds()
        paths = os.pathsep.join((str(_HERE / "shifted"), str(_HERE.parents[1])))
        env = environment(self.simulator, self.folder, **settings)
        env |= {"PYTHONPATH": paths, "SOAK_CLOCK_AHEAD": str(ahead)}
        return run_spsetl(command, env=env, kill=kill)

    def expect(self, ended: Ended, when: str, *codes: int) -> None:
        """It ended so."""
        self.outcome.claim(ended.code in codes, f"{when}: exit code {ended.code}, {ended.last_words}")

    def compare(self, when: str, *, only: Collection[str] | None = None, kept: Collection[str] = ()) -> None:
        """The published copy with the world."""
        if not self.warehouse.exists():
            self.outcome.claim(False, f"{when}: nothing is published")
            return
        found = self.source.compare(self.warehouse, only=only, kept=kept)
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


def _poison(soak: Soak, name: str, ways: Sequence[tuple[Poison, Sequence[str]]], nights: int) -> Outcome:
    """Some sessions' details fail in each night: the others are published, each kind for itself, and what heals comes.

    Each way spoils these kinds of one session.
    """
    outcome = Outcome(name)
    with laboratory(_world(soak), Quirks()) as (simulator, folder):
        house, world = _House(simulator, folder, outcome), simulator.world
        poisoned = dict(zip([key for key in world.keys()[-60:] if is_indexed(world, key)], ways, strict=False))
        for key, (way, kinds) in poisoned.items():
            simulator.poison(key, way, *kinds)
        world.add("..")  # no path can be made of it
        house.source.note_keys()
        for turn in range(nights):
            if turn:
                house.pass_nights(1)
            # Once they are waited with, a sync can be complete.
            house.expect(house.sync(), f"night {turn}", *((0, _INCOMPLETE) if turn else (_INCOMPLETE,)))
            house.compare(f"night {turn}", only=set(world) - poisoned.keys() - {".."})
            for key, (_, kinds) in poisoned.items():
                house.with_kinds(set(KINDS) - set(kinds)).compare(f"night {turn}, what is given", only={key})
            outcome.failures += len(poisoned) + 1
        for key, (_, kinds) in poisoned.items():
            simulator.cure(key, *kinds)
        world.delete("..")
        for night in range(_MOST_NIGHTS_TO_HEAL):
            house.pass_nights(1)
            ended = house.sync()
            house.expect(ended, f"night {night} after they heal", 0, _INCOMPLETE)  # what is not asked for yet lacks
            if not house.source.compare(house.warehouse, only=poisoned).total:
                house.expect(ended, "whole again", 0)
                outcome.notes.append(f"whole {night + 1} nights after the details could be had again")
                break
        house.compare("healed")
        return house.end()


def _nothing_there(soak: Soak) -> Outcome:
    """For one night the appliance has no details of any session, or says that it has no session: it heals by itself."""
    outcome = Outcome("404 for all details")
    with laboratory(_world(soak), Quirks()) as (simulator, folder):
        house, world = _House(simulator, folder, outcome), simulator.world
        for turn, also in enumerate(((), ("session",), (), ("session",))):
            for key in world:
                if turn:
                    world.change(key, {"analytics.score.aggregated": turn})
                simulator.poison(key, "404", *KINDS, *also)
            outcome.failures += len(world)
            house.expect(house.sync(), f"night {turn}", _INCOMPLETE)
            house.with_kinds(()).compare(f"night {turn}")
            for key in world:
                simulator.cure(key, *KINDS, *also)
            simulator.advance_clock(_DAY)  # no night of the world: what is new is not poisoned
            house.expect(house.sync(), f"night {turn}, healed", 0)
            house.compare(f"night {turn}, healed")
            house.pass_nights(1)
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
            house.compare(f"night {turn}, cut short", only=world.keys()[:-_UNLISTED], kept=kept)
            whole.drop_snapshot()
            house.expect(house.sync(strategy=strategy), f"night {turn}, whole", 0)
            house.compare(f"night {turn}, whole", kept=kept)
        return house.end()


def _odd_times(soak: Soak) -> Outcome:
    """Seven years, and both ends of time; the histogram refuses so many days: all is planned, and days are compared."""
    outcome = Outcome("7 years, 1970 and 9999")
    world = World(WorldSpec(sessions=_SOME, days=7 * 365, seed=soak.seed, deleted_per_night=0.0))
    for start in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        world.add(start_time=start)
    with laboratory(world, Quirks(bin_limit=1000)) as (simulator, folder):
        house = _House(simulator, folder, outcome, kinds=())
        for turn in range(2):
            house.expect(house.sync(details="none"), f"night {turn}", 0)
            house.expect(house.run("reconcile"), f"night {turn}, compared by days", 0)
            house.compare(f"night {turn}")
            house.pass_nights(1)
        return house.end()


def _restored(soak: Soak) -> Outcome:
    """Each other night sessions are again what they were, revisions too: so is the copy, and a rebuild agrees."""
    outcome = Outcome("revisions that go back")
    with laboratory(_world(soak), Quirks()) as (simulator, folder):
        house, world = _House(simulator, folder, outcome), simulator.world
        for turn in range(soak.scaled(_NIGHTS, 4) // 2):
            before = [world.find(key) for key in world.keys()[turn::20]]
            for session in before * 2:
                world.change(session.key, {"user.name": f"nobody {turn}"})
            house.expect(house.sync(), f"night {turn}", 0)
            house.compare(f"night {turn}")
            house.pass_nights(1)
            for session in before:
                # Else it went on since, and nobody can tell its revision from that of the change.
                if session.at(world.now_ms) is session:
                    world.put(session)
                    outcome.failures += 1
            house.expect(house.sync(), f"night {turn}, restored", 0)
            house.compare(f"night {turn}, restored")
        house.expect(house.run("rebuild"), "rebuilt", 0)
        house.compare("rebuilt")
        return house.end()


def _granted_later(soak: Soak, strategy: str) -> Outcome:
    """The user sees five sessions at first, later thousands: they are read in windows, by the appliance's counts."""
    outcome = Outcome(f"a right granted later, {strategy}")
    world = World(WorldSpec(sessions=_MANY, seed=soak.seed, late=0.0, deleted_per_night=0.0))
    with laboratory(world, Quirks()) as (simulator, folder):
        house = _House(simulator, folder, outcome, kinds=())
        hidden = [world.find(key) for key in world.keys()[5:]]
        for session in hidden:
            world.delete(session.key)
        house.expect(house.sync(strategy=strategy, details="none"), "five sessions", 0)
        house.pass_nights(1)
        for session in hidden:
            world.put(session.at(world.now_ms))
        house.expect(house.sync(strategy=strategy, details="none"), "all of them", 0)
        house.compare("all of them")
        with duckdb.connect(str(house.warehouse), read_only=True) as connection:
            largest = connection.execute("select max(distinct_keys) from sync_windows").fetchall()[0][0]
        outcome.claim(largest < len(hidden) / 2, f"a window of {largest:,} sessions was read in one piece")
        return house.end()


def _moves_on(soak: Soak, strategy: str) -> Outcome:
    """A first sync is killed again and again while sessions change, come and go where it has been: done is done."""
    outcome = Outcome(f"killed while the world moves, {strategy}")
    world = World(WorldSpec(sessions=_MANY, seed=soak.seed, late=0.0))
    dice = soak.dice(outcome.scenario)
    with laboratory(world, Quirks(latency=0.05)) as (simulator, folder):
        house = _House(simulator, folder, outcome, kinds=())
        settings = {"strategy": strategy, "details": "none", "sweep_requests": 1, "concurrency": 2}
        for kill in range(soak.scaled(_NIGHTS, 4)):
            last = simulator.requests["list"] + 5 + 3 * kill % 18  # never so late that a sync gets through
            ended = house.sync(kill=lambda _, last=last: simulator.requests["list"] >= last, **settings)
            house.expect(ended, f"kill {kill}", KILLED)
            outcome.failures += 1
            for key in dice.sample(world.keys(), 60):
                world.change(key, {"user.name": f"later {kill}"})
            for key in dice.sample(world.keys(), 20):
                started = world.session(key)["body"]["start_time"]
                world.delete(key)
                world.add(start_time=started, creation_time=world.now)
            house.source.note_keys()
            simulator.drop_snapshot()
        house.expect(house.sync(**settings), "done", 0)
        house.compare("done")
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
