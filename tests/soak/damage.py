"""Files of a data directory that are spoilt: what is said, what stays readable, and whether the advice helps."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import duckdb

from spsetl.analysis.reader import open_warehouse
from spsetl.errors import SpsetlError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.soak.comparing import Source
from tests.soak.outcome import Outcome, Soak, laboratory
from tests.soak.programs import Ended, environment, gist, run_spsetl
from tests.soak.reading import read_once

_SESSIONS = 1200
_NIGHT_SECONDS = 86_400
_GARBAGE = 8192
_MIDDLES = 12

Spoil = Callable[[Path], object]


def damage(soak: Soak) -> Iterator[Outcome]:
    """The work database at several places, the lake, and last what is made anew from the lake."""
    yield _damage_work(soak)
    yield _damage_lake(soak)


class _Case:
    """One data directory with a published copy, and a night that has passed since."""

    def __init__(self, simulator: Simulator, folder: Path, outcome: Outcome) -> None:
        self.source = Source(simulator.world)
        self.work = folder / "work" / "warehouse.duckdb"
        self.published = folder / "warehouse.duckdb"
        self.folder = folder
        self._simulator, self._outcome = simulator, outcome
        self._env = environment(simulator, folder)
        self._whole: dict[Path, bytes] = {}

    def run(self, command: str, *arguments: str) -> Ended:
        """A command on this data directory."""
        return run_spsetl(command, *arguments, env=self._env)

    def expect(self, command: str, when: str) -> None:
        """It does what it should."""
        ended = self.run(command)
        self._outcome.claim(ended.code == 0, f"{when}: {command} gives {ended.code}: {ended.last_words}")

    def pass_night(self) -> None:
        """Sessions come, change and go."""
        self._simulator.advance_night()
        self._simulator.advance_clock(_NIGHT_SECONDS)
        world = self._simulator.world
        for key in world.keys()[::7]:
            world.change(key, {"verdict": "ACCEPT"})
        self.source.note_keys()

    def keep(self) -> None:
        """Remember the files as they are now, whole."""
        self._whole = {file: file.read_bytes() for file in (self.work, self.published)}

    def restore(self) -> None:
        """Put the files back that were whole."""
        for file, content in self._whole.items():
            file.write_bytes(content)
        self.work.with_name("warehouse.duckdb.wal").unlink(missing_ok=True)

    def fingerprint(self) -> str:
        """Of the published file."""
        return hashlib.blake2b(self.published.read_bytes()).hexdigest()

    def sync_spoilt(self, when: str) -> Ended:
        """Sync with a spoilt file: either it says so, and publishes nothing, or all is right."""
        before = self.fingerprint()
        ended = self.run("sync")
        outcome = self._outcome
        outcome.claim(ended.code in {0, 3}, f"{when}: the exit code is {ended.code}: {ended.last_words}")
        if ended.code:
            outcome.claim(ended.is_one_line, f"{when}: it complains in other than one line: {ended.last_words}")
            outcome.claim(self.fingerprint() == before, f"{when}: the published file is another after a failed sync")
        self.read(when)
        return ended

    def read(self, when: str) -> None:
        """The published file can be read, and says nothing wrong."""
        try:
            with open_warehouse(self.folder) as warehouse:
                _, complaints = read_once(warehouse)
        except SpsetlError as error:
            complaints = [str(error)]
        for complaint in complaints:
            self._outcome.differences.note("wrong", f"{when}, published: {complaint}")

    def compare(self, when: str) -> None:
        """Count the differences; what cannot be read at all is put back as it was before the damage."""
        try:
            found = self.source.compare(self.published)
        except duckdb.Error as error:
            self._outcome.differences.note("wrong", f"{when}: the published file cannot be read: {error}"[:300])
            self.restore()
            return
        found.examples = [f"{when}: {text}" for text in found.examples]
        self._outcome.differences += found


def _places(dice: Random, middles: int) -> Iterator[tuple[str, Spoil]]:
    """Where the work database is spoilt."""
    yield "header", lambda file: _overwrite(file, share=0.0)
    yield "second header", lambda file: _overwrite_at(file, 4096)
    yield "end", lambda file: _overwrite_at(file, file.stat().st_size - _GARBAGE)
    yield "cut in half", lambda file: _cut(file, 0.5)
    yield "emptied", lambda file: _cut(file, 0.0)
    yield "all garbage", lambda file: file.write_bytes(b"\x5a" * 50_000)
    for _ in range(middles):
        share = dice.uniform(0.02, 0.98)
        yield f"middle, at {share:.2f}", partial(_overwrite, share=share)


def _overwrite(file: Path, *, share: float) -> None:
    _overwrite_at(file, int(file.stat().st_size * share))


def _overwrite_at(file: Path, place: int) -> None:
    with file.open("r+b") as handle:
        handle.seek(place)
        handle.write(b"\x5a" * min(_GARBAGE, file.stat().st_size - place))


def _cut(file: Path, share: float) -> None:
    with file.open("r+b") as handle:
        handle.truncate(int(file.stat().st_size * share))


def _damage_work(soak: Soak) -> Outcome:
    outcome = Outcome("damage, work file")
    said: Counter[str] = Counter()
    world = World(WorldSpec(sessions=soak.scaled(_SESSIONS), seed=soak.seed))
    with laboratory(world, Quirks()) as (simulator, folder):
        case = _Case(simulator, folder, outcome)
        case.expect("sync", "the sync before")
        for where, spoil in _places(soak.dice("damage"), soak.scaled(_MIDDLES, 2)):
            case.pass_night()
            case.keep()
            spoil(case.work)
            outcome.failures += 1
            ended = case.sync_spoilt(where)
            said[f"{ended.code}: {gist(ended.last_words) if ended.code else 'done'}"] += 1
            if ended.code:
                outcome.claim(
                    "delete" in ended.complaint, f"{where}: no word of deleting the work file: {ended.last_words}"
                )
                case.work.unlink(missing_ok=True)
                case.work.with_name("warehouse.duckdb.wal").unlink(missing_ok=True)
                case.expect("sync", f"{where}, the work file deleted")
            case.compare(where)
        outcome.sessions, outcome.requests = len(case.source.ever), simulator.requests.total()
    outcome.notes += [f"{count} x exit code {what}" for what, count in said.most_common()]
    return outcome.end()


def _damage_lake(soak: Soak) -> Outcome:
    outcome = Outcome("damage, lake")
    world = World(WorldSpec(sessions=soak.scaled(_SESSIONS), seed=soak.seed))
    with laboratory(world, Quirks()) as (simulator, folder):
        case = _Case(simulator, folder, outcome)
        case.expect("sync", "the sync before")
        file = max(folder.glob("lake/sessions/**/*.parquet"), key=lambda path: path.stat().st_size)
        whole = file.read_bytes()
        _cut(file, 0.6)
        outcome.failures += 1
        case.pass_night()
        case.sync_spoilt("Parquet cut short")
        case.compare("Parquet cut short")
        outcome.sessions, outcome.requests = len(case.source.ever), simulator.requests.total()
        _rebuild(case, outcome, file, whole)
    return outcome.end()


def _rebuild(case: _Case, outcome: Outcome, file: Path, whole: bytes) -> None:
    """Make the warehouse anew: not from a lake that is spoilt, but from one that is whole."""
    if case.run("rebuild", "--help").code:
        outcome.notes.append("spsetl rebuild is not there yet: left out")
        return
    before = case.fingerprint()
    ended = case.run("rebuild")
    outcome.claim(ended.code == 3 and ended.is_one_line, f"rebuild of a spoilt lake: {ended.code}: {ended.last_words}")
    outcome.claim(case.fingerprint() == before, "a rebuild that failed changed the published file")
    file.write_bytes(whole)
    case.expect("rebuild", "with a whole lake")
    case.compare("rebuilt")
    case.work.write_bytes(b"\x5a" * 50_000)
    case.expect("rebuild", "with a spoilt work file")
    case.compare("rebuilt, work file spoilt")
