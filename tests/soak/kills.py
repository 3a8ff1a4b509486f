"""Syncs that are killed at any instant, again and again, beside a reader of what they publish."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Literal

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.soak.comparing import Source
from tests.soak.outcome import Outcome, Soak, laboratory
from tests.soak.programs import KILLED, environment, run_spsetl

_SESSIONS = 1000
_KILLS = 50  # for each of the two readings and the two strategies
_CHANGED_A_NIGHT = 350
_SYNCS_A_KILL = 3  # at most: some end before they are hit
_BEYOND = 1.1  # instants are drawn up to so many times the duration
_AIMED = 8  # one kill in so many is aimed at the publishing, which is too short to be hit by chance
_PUBLISHING_SECONDS = 0.03
_READER_SECONDS = 60


def kills(soak: Soak) -> Iterator[Outcome]:
    """For each reading and strategy: kills, nights in between, and a clean run at the end."""
    for reading, strategy in soak.combinations():
        yield _kill_many(soak, reading, strategy)


def _kill_many(soak: Soak, reading: Literal["literal", "overlap"], strategy: str) -> Outcome:
    outcome = Outcome(f"kills, {reading}, {strategy}")
    dice = soak.dice(outcome.scenario)
    world = World(WorldSpec(sessions=soak.scaled(_SESSIONS), seed=soak.seed))
    with laboratory(world, Quirks(reading=reading)) as (simulator, folder):
        env = environment(simulator, folder, strategy=strategy)
        with _reader(folder, outcome):
            killing = _Killing(simulator, folder, env, outcome, dice)
            killing.calibrate(soak.scaled(_CHANGED_A_NIGHT))
            wanted = soak.scaled(_KILLS)
            for number in range(_SYNCS_A_KILL * wanted):
                killing.kill_one(is_aimed=number % _AIMED == _AIMED - 1)
                if outcome.failures == wanted:
                    break
            outcome.claim(outcome.failures == wanted, f"only {outcome.failures} of {wanted} kills hit a sync")
            last = run_spsetl("sync", env=env)
            outcome.claim(last.code == 0, f"the clean run at the end gives {last.code}: {last.last_words}")
        if (folder / "warehouse.duckdb").exists():  # else no sync has got through, which was claimed above
            outcome.differences += killing.source.compare(folder / "warehouse.duckdb")
        outcome.sessions, outcome.requests = len(killing.source.ever), simulator.requests.total()
        outcome.notes.append(killing.summary())
    return outcome.end()


class _Killing:
    """Kills one after the other in one data directory."""

    def __init__(self, simulator: Simulator, folder: Path, env: dict[str, str], outcome: Outcome, dice: Random) -> None:
        self.source = Source(simulator.world)
        self._simulator, self._folder, self._env = simulator, folder, env
        self._outcome, self._dice = outcome, dice
        self._first_seconds = self._night_seconds = 0.0
        self._changed = 0
        self._through = 0
        self._left: Counter[str] = Counter()

    def calibrate(self, changed: int) -> None:
        """See how long a sync takes that nobody harms: the first, and one after a night; in a folder of their own."""
        self._changed = changed
        unharmed = self._folder / "unharmed"
        env = self._env | {"SPSETL_DATA_DIR": str(unharmed)}
        self._first_seconds = self._run(env)
        self._pass_night()
        self._night_seconds = self._run(env)
        self._simulator.drop_snapshot()

    def _run(self, env: dict[str, str]) -> float:
        ended = run_spsetl("sync", env=env)
        self._outcome.claim(ended.code == 0, f"an unharmed sync gives {ended.code}: {ended.last_words}")
        return ended.seconds

    def kill_one(self, *, is_aimed: bool) -> None:
        """One sync, killed; where it got through before, a night passes."""
        is_published = (self._folder / "warehouse.duckdb").exists()
        longest = self._night_seconds if is_published else self._first_seconds
        instant = self._dice.uniform(0, _BEYOND * longest)
        began = time.time()
        ended = run_spsetl("sync", env=self._env, kill=self._aimed() if is_aimed else lambda passed: passed >= instant)
        self._outcome.failures += ended.code == KILLED
        self._outcome.claim(ended.code in {0, KILLED}, f"after a kill a sync gives {ended.code}: {ended.last_words}")
        self._note_leavings(began)
        if ended.code == 0:
            self._through += 1
            self._pass_night()
        if self._dice.random() < 0.5:
            self._simulator.drop_snapshot()  # else the next sync is given the one of the sync that was killed

    def _aimed(self) -> Callable[[float], bool]:
        """Kills soon after the publishing has begun."""
        partial = self._folder / "work" / "publish.duckdb"
        later = self._dice.uniform(0, _PUBLISHING_SECONDS)
        began: list[float] = []

        def kill(passed: float) -> bool:
            if partial.exists() and not began:
                began.append(passed)
            return bool(began) and passed >= began[0] + later

        partial.unlink(missing_ok=True)
        return kill

    def _note_leavings(self, began: float) -> None:
        """What a killed sync leaves behind says what it was doing."""
        places = {
            "amid publishing": "work/publish.duckdb",
            "after some merging": "work/warehouse.duckdb.wal",
            "amid writing Parquet": "lake/**/*.parquet.tmp",
        }
        for what, pattern in places.items():
            self._left[what] += any(file.stat().st_mtime >= began for file in self._folder.glob(pattern))

    def _pass_night(self) -> None:
        world = self._simulator.world
        self._simulator.advance_night()
        for key in self._dice.sample(world.keys(), min(self._changed, len(world))):
            world.change(key, {"verdict": self._dice.choice(["ACCEPT", "DENY", "TERMINATE"])})
        self.source.note_keys()

    def summary(self) -> str:
        """The figures of the note."""
        left = ", ".join(f"{count} {what}" for what, count in self._left.items())
        return (
            f"unharmed the first sync took {self._first_seconds:.1f} s, that of a night {self._night_seconds:.1f} s; "
            f"{self._through} syncs got through and a night passed; of the kills were {left}"
        )


@contextmanager
def _reader(folder: Path, outcome: Outcome) -> Iterator[None]:
    """A reader beside it all, whose complaints count as wrong."""
    stop, result = folder / "stop", folder / "result.json"
    command = [sys.executable, "-m", "tests.soak.reading", str(folder), str(stop), str(result)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            stop.touch()
            try:
                process.wait(_READER_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
    outcome.claim(process.returncode == 0, f"the reader ended with {process.returncode}")
    if result.exists():
        seen = json.loads(result.read_text(encoding="utf-8"))
        outcome.notes.append(f"the reader read {seen['readings']} times, {seen['states']} published states")
        for what, count in seen["wrong"].items():
            for _ in range(count):
                outcome.differences.note("wrong", f"reader: {what}")
        outcome.claim(seen["readings"] > 0, "the reader has read nothing")
