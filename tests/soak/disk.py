"""Disks that are full in the middle of a sync, at ever another place of it."""

import hashlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from spsetl.analysis.reader import open_warehouse
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.soak.comparing import Source
from tests.soak.outcome import Outcome, Soak
from tests.soak.programs import Ended, environment, gist, run_spsetl
from tests.soak.reading import read_once

_SESSIONS = 500
_ARRIVING = 400
_PAGE = 4096
# What stays free when the sync begins, in KB.
_FREE = (0, 4, 12, 40, 150, 400, 800, 1400, 2200, 3200, 4500, 7000)
_ENOUGH = "size=600m"
_NIGHT_SECONDS = 86_400


class Disk:
    """A small disk: a file system in memory, or where that cannot be mounted, a limit on the size of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = _mount("-t", "tmpfs", "-o", _ENOUGH, "tmpfs", str(folder))

    def leave(self, free: int) -> int | None:
        """Leave so many KB; where there is no file system of our own, how large a file may become then."""
        if not self.is_mounted:
            largest = max((path.stat().st_size for path in self.folder.rglob("*") if path.is_file()), default=0)
            return largest // 4 + free * 1024
        stat = os.statvfs(self.folder)
        used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
        size = max(-(-used // _PAGE) * _PAGE + free * 1024, _PAGE)  # 0 would be as much as there is
        if not _mount("-o", f"remount,size={size}", str(self.folder)):
            raise OSError(f"cannot make {self.folder} smaller")
        return None

    def enlarge(self) -> None:
        """More space than is needed."""
        if self.is_mounted:
            _mount("-o", f"remount,{_ENOUGH}", str(self.folder))

    def close(self) -> None:
        """Nothing is left of it."""
        if self.is_mounted:
            subprocess.run(["umount", str(self.folder)], check=True)
        shutil.rmtree(self.folder)


def _mount(*arguments: str) -> bool:
    mount = shutil.which("mount")
    return mount is not None and subprocess.run([mount, *arguments], check=False, capture_output=True).returncode == 0


@contextmanager
def _small_disk() -> Iterator[Disk]:
    disk = Disk(Path(mkdtemp(prefix="spsetl-soak-")))
    try:
        yield disk
    finally:
        disk.close()


def disk(soak: Soak) -> Iterator[Outcome]:
    """First syncs and later ones, with ever more space."""
    for begins_empty in (False, True):
        outcome = Outcome("full disk, first sync" if begins_empty else "full disk, a night")
        places: Counter[str] = Counter()
        through = 0
        for free in _FREE[::4] if soak.quick else _FREE:
            through += _fill(soak, outcome, places, free, begins_empty=begins_empty)
        outcome.claim(outcome.failures > 0, "no disk was full")
        outcome.notes.append(f"with enough space {through} got through at once")
        outcome.notes += [f"{count} x {place}" for place, count in places.most_common()]
        yield outcome.end()


def _fill(soak: Soak, outcome: Outcome, places: Counter[str], free: int, *, begins_empty: bool) -> bool:
    """One sync with so many KB left, and one with more; whether the first got through."""
    world = World(WorldSpec(sessions=soak.scaled(_SESSIONS), seed=soak.seed))
    with _small_disk() as small, Simulator(world, Quirks()) as simulator:
        data = small.folder / "data"
        env = environment(simulator, data)
        source = Source(world)
        if not begins_empty:
            _expect(outcome, run_spsetl("sync", env=env), 0, "the sync before")
            _pass_night(simulator, soak)
        source.note_keys()
        before = _published(data)
        starved = run_spsetl("sync", env=env, largest_file=small.leave(free))
        if starved.code != 0:
            outcome.failures += 1
            places[gist(starved.last_words)] += 1
            _expect(outcome, starved, 3, f"with {free} KB")
            outcome.claim(
                starved.is_one_line, f"with {free} KB it complains in other than a line: {starved.last_words}"
            )
            outcome.claim(_published(data) == before, f"with {free} KB the published file is another afterwards")
            if before:
                _read(outcome, data, free)
        small.enlarge()
        if starved.code != 0:
            simulator.advance_clock(_NIGHT_SECONDS)
            _expect(outcome, run_spsetl("sync", env=env), 0, f"with more space after {free} KB")
        if _published(data):
            outcome.differences += source.compare(data / "warehouse.duckdb")
        else:
            outcome.differences.note("lost", f"with more space after {free} KB nothing is published")
        outcome.sessions, outcome.requests = len(world), outcome.requests + simulator.requests.total()
        outcome.claim(small.is_mounted, "no file system could be mounted: files were limited in size instead")
    return starved.code == 0


def _pass_night(simulator: Simulator, soak: Soak) -> None:
    world = simulator.world
    simulator.advance_night()
    world.add_many(soak.scaled(_ARRIVING), start_time=world.now, end_time=world.now)
    for key in world.keys()[::3]:
        world.change(key, {"verdict": "ACCEPT"})
    simulator.advance_clock(_NIGHT_SECONDS)


def _expect(outcome: Outcome, ended: Ended, code: int, when: str) -> None:
    outcome.claim(ended.code == code, f"{when} the exit code is {ended.code}, not {code}: {ended.last_words}")


def _read(outcome: Outcome, data: Path, free: int) -> None:
    with open_warehouse(data) as warehouse:
        _, complaints = read_once(warehouse)
    for complaint in complaints:
        outcome.differences.note("wrong", f"with {free} KB, published: {complaint}")


def _published(data: Path) -> str:
    """A fingerprint of the published file, empty where there is none."""
    file = data / "warehouse.duckdb"
    return hashlib.blake2b(file.read_bytes()).hexdigest() if file.exists() else ""
