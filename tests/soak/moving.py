"""A list that grows and shrinks at every request, in the middle of what is being read."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from spsetl.errors import IncompleteError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.soak.comparing import Source
from tests.soak.outcome import Outcome, Soak, laboratory
from tests.syncing import sync

_SESSIONS = 8000
_ARRIVING = 3  # at each request
_TRIES = 5


def growing(soak: Soak) -> Iterator[Outcome]:
    """Sessions arrive and go in the window that is read; then a quiet sync."""
    for reading, strategy in soak.combinations():
        yield _grow(soak, reading, strategy)


def _grow(soak: Soak, reading: Literal["literal", "overlap"], strategy: str) -> Outcome:
    outcome = Outcome(f"growing, {reading}, {strategy}")
    world = World(WorldSpec(sessions=soak.scaled(_SESSIONS), seed=soak.seed))
    with laboratory(world, Quirks(reading=reading, ties="unstable")) as (simulator, folder):
        arrivals = _Arrivals(simulator, soak.dice(outcome.scenario))
        source = arrivals.source
        warehouse = folder / "warehouse.duckdb"
        simulator.on_request = arrivals
        for _ in range(_TRIES):
            try:
                report = sync(simulator, folder, strategy=strategy, details="none")
                break
            except IncompleteError as error:
                outcome.notes.append(f"a sync was repeated after {error}")
        else:
            outcome.claim(False, f"{_TRIES} syncs of a growing list failed")
            return outcome.end()
        simulator.on_request = None
        simulator.drop_snapshot()
        there_all_the_time = arrivals.untouched & set(world.keys())
        outcome.differences += source.compare(warehouse, only=there_all_the_time)
        source.note_keys()
        quiet = sync(simulator, folder, strategy=strategy, details="none")
        outcome.claim(quiet.is_complete, "the quiet sync says that it is incomplete")
        outcome.differences += source.compare(warehouse)
        outcome.failures = arrivals.arrived + arrivals.gone
        outcome.sessions, outcome.requests = len(source.ever), simulator.requests.total()
        outcome.notes.append(
            f"{arrivals.arrived:,} arrived and {arrivals.gone:,} went while {len(there_all_the_time):,} were there all "
            f"the time; {report.windows_differing} windows were said to differ, quiet: {quiet.windows_differing}"
        )
    return outcome.end()


class _Arrivals:
    """A hook: at each list request some sessions arrive in what is being read, and one of there goes."""

    def __init__(self, simulator: Simulator, dice: Random) -> None:
        self.source = Source(simulator.world, kinds=())
        self.untouched = set(self.source.ever)
        self.arrived = self.gone = 0
        self._world, self._dice = simulator.world, dice

    def __call__(self, kind: str, path: str, params: Mapping[str, Any]) -> None:  # noqa: ARG002 - as hooks are called
        """Before each answer."""
        if kind != "list":
            return
        start = _time(params.get("start"), self._world)
        for _ in range(_ARRIVING):
            moment = start + timedelta(seconds=self._dice.randrange(86_400))
            self.source.ever.add(self._world.add(start_time=min(moment, self._world.now)))
            self.arrived += 1
        near = [session.key for session in self._world.by_start() if session.start >= start.timestamp() * 1000]
        if near:
            key = self._dice.choice(near[:500])
            self._world.delete(key)
            self.untouched.discard(key)
            self.gone += 1


def _time(text: str | None, world: World) -> datetime:
    """What is being read begins here; without a start, anywhere."""
    first = world.now - timedelta(days=world.spec.days)
    return max(datetime.fromisoformat(text).astimezone(UTC), first) if text else first
