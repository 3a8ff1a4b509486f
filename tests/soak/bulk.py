"""Much at once: a burst in one instant, a long list, a session with very many events, and what a quiet night costs."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from spsetl.simulator import Quirks, World, WorldSpec
from tests.oracle import KINDS
from tests.soak.comparing import Source
from tests.soak.outcome import READINGS, Outcome, Soak, laboratory
from tests.soak.programs import environment, run_spsetl
from tests.syncing import sync

_BURST = 12_000
_AMONG = 3_000
_LEAST_BURST = 10_500  # more than an answer counts
_LONG_LIST = 25_000
_EVENTS = 250_000
_AMONG_EVENTS = 60
_QUIET_SESSIONS = 20_000
_QUIET_SHARE = 0.005  # of the first sync's requests
_NIGHT_SECONDS = 86_400


def burst(soak: Soak) -> Iterator[Outcome]:
    """Very many sessions that started in one and the same millisecond, among others."""
    for reading, strategy in soak.combinations():
        world = World(WorldSpec(sessions=soak.scaled(_AMONG), seed=soak.seed))
        moment = world.now.replace(microsecond=0) - timedelta(days=world.spec.days / 2)
        world.add_many(soak.scaled(_BURST, _LEAST_BURST), start_time=moment, end_time=moment + timedelta(hours=30))
        quirks = Quirks(reading=reading, histogram_reading=reading)
        yield _copy(Outcome(f"burst, {reading}, {strategy}"), world, quirks, strategy=strategy)


def offset(soak: Soak) -> Iterator[Outcome]:
    """Windows of very many sessions, so that an offset would grow beyond the one that is ignored; no histogram."""
    for reading in READINGS:
        world = World(WorldSpec(sessions=soak.scaled(_LONG_LIST, 11_000), seed=soak.seed))
        quirks = Quirks(reading=reading, histogram=False, counts=False)
        yield _copy(Outcome(f"offset, {reading}, windows"), world, quirks, strategy="windows", concurrency=1)


def _copy(outcome: Outcome, world: World, quirks: Quirks, **settings: Any) -> Outcome:
    """One sync without details, and another that changes nothing."""
    source = Source(world, kinds=())
    with laboratory(world, quirks) as (simulator, folder):
        first = sync(simulator, folder, details="none", **settings)
        outcome.claim(first.is_complete, "the sync says that it is incomplete")
        outcome.differences += source.compare(folder / "warehouse.duckdb")
        simulator.advance_clock(_NIGHT_SECONDS)
        again = sync(simulator, folder, details="none", **settings)
        changed = again.sessions_new + again.sessions_changed + again.sessions_missing
        outcome.claim(changed == 0, f"a second sync found {changed} differences where nothing had changed")
        outcome.sessions, outcome.requests = len(world), simulator.requests.total()
        outcome.notes.append(f"{first.requests['list']:,} list requests, then {again.requests['list']:,}")
    return outcome.end()


def long_events(soak: Soak) -> Iterator[Outcome]:
    """A session with more events than anybody expects, in a process of its own, whose memory is measured."""
    outcome = Outcome("events")
    world = World(WorldSpec(sessions=_AMONG_EVENTS, seed=soak.seed))
    source = Source(world)
    with laboratory(world, Quirks()) as (simulator, folder):
        env = environment(simulator, folder)
        usual = run_spsetl("sync", env=env)
        key = next(key for key in world if is_indexed(world, key))
        count = soak.scaled(_EVENTS)
        world.give_events(key, count)
        simulator.advance_clock(_NIGHT_SECONDS)
        ended = run_spsetl("sync", env=env)
        for one in (usual, ended):
            outcome.claim(one.code == 0, f"the sync gives {one.code}: {one.last_words}")
        outcome.differences += source.compare(folder / "warehouse.duckdb")
        outcome.sessions, outcome.requests = len(world), simulator.requests.total()
        outcome.notes.append(
            f"{count:,} events of one session in {ended.seconds:.1f} s; at most {ended.megabytes} MB of memory, "
            f"and {usual.megabytes} MB in a sync without them"
        )
    yield outcome.end()


def is_indexed(world: World, key: str) -> bool:
    """Whether the session has details of every kind to ask for."""
    return (world.session(key)["body"].get("recording") or {}).get("index_status") == "INDEXED"


def quiet(soak: Soak) -> Iterator[Outcome]:
    """What a night costs in which nothing changes, and one in which a hundredth does, of every age."""
    outcome = Outcome("quiet")
    world = World(WorldSpec(sessions=soak.scaled(_QUIET_SESSIONS), seed=soak.seed))
    source = Source(world)
    with laboratory(world, Quirks()) as (simulator, folder):
        asked = _Asked()
        simulator.on_request = asked
        costs = []
        changed: Collection[str] = ()
        for share in (0, 0, 100):
            changed = world.keys()[::share] if share else ()
            for key in changed:
                world.change(key, {"analytics.score.aggregated": 77})
            asked.keys.clear()
            before = simulator.requests.total()
            sync(simulator, folder)
            costs.append(simulator.requests.total() - before)
            simulator.advance_clock(_NIGHT_SECONDS)
        outcome.claim(
            costs[1] < _quiet_share(soak) * costs[0],
            f"a quiet night took {costs[1]:,} requests, the first {costs[0]:,}",
        )
        outcome.claim(
            asked.keys == set(changed),
            f"details of {len(asked.keys - set(changed))} sessions were asked for that had not changed, and of "
            f"{len(set(changed) - asked.keys)} that had changed they were not",
        )
        for asking in simulator.repeated_details:
            outcome.differences.note("wrong", f"{asking.kind} of {asking.key} were asked for twice")
        outcome.differences += source.compare(folder / "warehouse.duckdb")
        outcome.sessions, outcome.requests = len(world), simulator.requests.total()
    outcome.notes.append(
        f"first sync {costs[0]:,} requests, a night without change {costs[1]:,} ({costs[1] / costs[0]:.2%}), "
        f"one with {len(changed):,} changed sessions {costs[2]:,} ({costs[2] / costs[0]:.2%})"
    )
    yield outcome.end()


def _quiet_share(soak: Soak) -> float:
    """In a small world, what a sync costs in any case weighs ten times as much."""
    return _QUIET_SHARE * (10 if soak.quick else 1)


class _Asked:
    """A hook that remembers of which sessions details were asked for."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def __call__(self, kind: str, path: str, params: Mapping[str, Any]) -> None:  # noqa: ARG002 - as hooks are called
        """Before each answer."""
        if kind in KINDS:
            self.keys.add(unquote(path.split("/")[-2]))
