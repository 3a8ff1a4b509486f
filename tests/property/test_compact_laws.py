"""The law of compaction: whatever happens, the lake has the rows that were written, each as often as it was written."""

import errno
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.lake import Disk, Lake, compact_lake

TABLES = ("session_scores", "session_lists")
APPLIANCES = ("sps-1", "a=b/..")
RUNS = ("20261031T220000Z-00000000", "20261101T220000Z-00000000", "20261102T220000Z-00000000", "undated run")
NEVER = 10**9
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)

# After `power`: the changes of names that the disk forgets, unless they were made durable; `runs` are their folders'.
FAULTS = ("kill", "error", "power: all", "power: moves", "power: deletes", "power: runs")


class Killed(BaseException):
    """The process has died, or the power has gone."""


@dataclass
class Change:
    """What was done to a name and is not durable yet."""

    kind: str
    folder: Path
    undo: Callable[[], None]


class Medium:
    """What a disk holds only in its memory."""

    def __init__(self, backup: Path) -> None:
        self.files: set[Path] = set()
        self.changes: list[Change] = []
        self._backup = backup
        self._numbers = count()

    def move(self, path: Path, target: Path) -> None:
        """Rename."""
        assert path not in self.files, "a file became visible before it was durable"
        assert not target.exists()
        path.rename(target)
        self.changes.append(Change("moves", target.parent, lambda: target.unlink(missing_ok=True)))

    def delete(self, path: Path) -> None:
        """Delete."""
        kept = self._backup / str(next(self._numbers))
        kept.hardlink_to(path)
        path.unlink()

        def undo() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(kept)

        self.changes.append(Change("deletes", path.parent, undo))

    def make_durable(self, path: Path) -> None:
        """Of a file or a folder."""
        self.files.discard(path)
        self.changes = [change for change in self.changes if change.folder != path]

    def lose_power(self, fault: str) -> None:
        """Files are empty, and changes of names have not been: all or some, as a disk writes them in any order."""
        for change in reversed(self.changes):
            kinds = {"all", change.kind} | ({"runs"} if "Z-" in change.folder.name else set())
            if fault.removeprefix("power: ") in kinds:
                change.undo()
        for path in filter(Path.exists, self.files):
            path.write_bytes(b"")
        self.files, self.changes = set(), []


class Machine(Disk):
    """A disk where, before some step, the process is killed or the power goes, or where that one step fails."""

    def __init__(self, medium: Medium, fault: str | None = None, at: int = 0) -> None:
        super().__init__()
        self.steps = 0
        self.medium = medium
        self.files: Any = _Files(self)
        self._fault = fault
        self._at = at

    def step(self) -> None:
        """What comes before each step."""
        self.steps += 1
        if self._fault == "error" and self.steps == self._at:
            raise OSError(errno.EIO, "fault")
        if self._fault not in {None, "error"} and self.steps >= self._at:
            raise Killed

    def make_durable(self, path: str) -> None:
        """A step; the medium notes it, and nothing waits for the real disk."""
        self.step()
        self.medium.make_durable(Path(path))

    def remove_empty_folder(self, path: str) -> None:
        """A step."""
        self.step()
        super().remove_empty_folder(path)


class _Files:
    """The machine's file system, step by step."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._local = Disk().files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._local, name)

    def create_dir(self, path: str, *, recursive: bool) -> None:
        self._machine.step()
        self._local.create_dir(path, recursive=recursive)

    def open_output_stream(self, path: str) -> Any:
        self._machine.step()
        self._machine.medium.files.add(Path(path))
        return self._local.open_output_stream(path)

    def open_input_file(self, path: str) -> Any:
        self._machine.step()
        return self._local.open_input_file(path)

    def move(self, path: str, target: str) -> None:
        self._machine.step()
        self._machine.medium.move(Path(path), Path(target))

    def delete_file(self, path: str) -> None:
        self._machine.step()
        self._machine.medium.delete(Path(path))


Rows = Counter[tuple[str, ...]]
COLUMNS = ["appliance", "session_key", "run_id"]


def compact(lake: Lake) -> object:
    """When all months of the runs have ended."""
    return compact_lake(lake, now=DECEMBER)


class World:
    """A lake, and what must be in it."""

    def __init__(self, folder: Path, tables: tuple[str, ...] = TABLES) -> None:
        self.root = folder / "lake"
        self.tables = tables
        self.expected: dict[str, Rows] = {table: Counter() for table in tables}
        (folder / "backup").mkdir(parents=True)
        self._medium = Medium(folder / "backup")
        self._numbers = count()
        self._pending: dict[str, tuple[Rows, Rows]] = {}

    def write(self, run: str, appliance: str, copies: int) -> Callable[[Lake], None]:
        """A part of a run, with rows that tell it, each as often as said."""
        part = str(next(self._numbers))
        rows = [{"appliance": appliance, "session_key": key, "run_id": run} for key in (part, "same")] * copies
        new = Counter((appliance, row["session_key"], run) for row in rows)

        def act(lake: Lake) -> None:
            before = dict(self.expected)
            try:
                with lake.writer(appliance=appliance, run_id=run, part=part) as writer:
                    columns = {table: schema.BY_NAME[table].arrow_schema for table in self.tables}
                    writer.write({name: pa.RecordBatch.from_pylist(rows, schema=columns[name]) for name in self.tables})
            finally:
                self._pending = {table: (before[table], before[table] + new) for table in self.tables}

        return act

    def do(self, act: Callable[[Lake], object], fault: str | None = None, at: int = 0) -> int:
        """Do it, whatever happens; the number of steps that it took."""
        self._pending = {}
        machine = Machine(self._medium, fault, at)
        is_done = False
        with suppress(Killed, StorageError):
            act(Lake(self.root, machine))
            is_done = True
        if fault is not None and fault.startswith("power"):
            self._medium.lose_power(fault)
        self._settle(is_done=is_done)
        return machine.steps

    def _settle(self, *, is_done: bool) -> None:
        """A part that was not finished may be there or not, each of its files on its own, but not in pieces."""
        seen = self.seen() if self._pending else {}
        for table, (before, after) in self._pending.items():
            assert seen[table] == after or (not is_done and seen[table] == before)
            self.expected[table] = seen[table]

    def seen(self) -> dict[str, Rows]:
        """The rows, as the lake lists its files."""
        lake = Lake(self.root)
        return {
            table: Counter(
                tuple(row.values())
                for path in lake.files(table)
                for row in pq.ParquetFile(path).read(COLUMNS).to_pylist()
            )
            for table in self.tables
        }

    def seen_by_pattern(self) -> dict[str, Rows]:
        """The rows, as a reader finds them who knows of no lake."""
        with duckdb.connect() as connection:
            return {
                table: Counter(
                    connection.read_parquet(f"{self.root}/{table}/**/*.parquet").select(*COLUMNS).fetchall()
                    if next((self.root / table).rglob("*.parquet"), None)
                    else ()
                )
                for table in self.tables
            }

    def check(self) -> None:
        """Nothing is lost and nothing doubled; also for those who know of no lake, once it is tidy."""
        assert self.seen() == self.expected
        Lake(self.root).remove_leftovers()
        assert self.seen_by_pattern() == self.expected
        assert list(self.root.rglob("*.tmp")) == []


def worked(folder: Path) -> World:
    """A lake with some runs, one month of which was gathered before."""
    world = World(folder, TABLES[:1])
    for run in (RUNS[0], RUNS[0], RUNS[3]):
        world.do(world.write(run, APPLIANCES[0], 1))
    world.do(compact)
    for run in RUNS[:3]:
        world.do(world.write(run, APPLIANCES[0], 2))
        world.do(world.write(run, APPLIANCES[0], 1))
    # One run's folder stays when its files have gone, the other's does not.
    (world.root / TABLES[0] / APPLIANCES[0] / RUNS[1] / "note.txt").touch()
    return world


def number_of_steps(folder: Path) -> int:
    """How many steps a compaction takes there."""
    return worked(folder).do(compact)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_at_any_step_of_a_compaction(tmp_path: Path, fault: str) -> None:
    """Wherever it stops, and what the disk forgets then, all rows are there once, and the next one gathers them all."""
    steps = number_of_steps(tmp_path / "0")

    assert steps > 20
    for at in range(1, steps + 2):
        world = worked(tmp_path / str(at))
        world.do(compact, fault, at)
        assert world.seen() == world.expected
        world.do(world.write("20261203T220000Z-00000000", APPLIANCES[0], 1))
        world.do(compact, "power: runs", NEVER)
        world.check()
        # October and November, what came to October late, what has no date, and December.
        assert len(Lake(world.root).files(TABLES[0])) == 6


@pytest.mark.parametrize("fault", ["error", "power: moves", "power: runs"])
def test_fault_while_tidying_after_a_kill(tmp_path: Path, fault: str) -> None:
    """What a killed compaction left can be removed, and that can stop anywhere too."""
    left = []
    for at in range(1, number_of_steps(tmp_path / "0") + 1):
        world = worked(tmp_path / f"{at}")
        world.do(compact, "kill", at)
        steps = world.do(lambda lake: lake.files(TABLES[0]))
        left.append(len(list(world.root.rglob("*.parquet"))) - len(Lake(world.root).files(TABLES[0])))
        if left[-1]:
            world.do(Lake.remove_leftovers, fault, steps + at % 7)
            assert world.seen() == world.expected
            world.check()

    assert max(left) == 4
    assert len(set(left)) == 5


OPERATIONS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(RUNS), st.sampled_from(APPLIANCES), st.integers(1, 3)),
    st.tuples(st.just("compact")),
    st.tuples(st.just("tidy")),
)
ACCIDENTS = st.one_of(st.just((None, 0)), st.tuples(st.sampled_from(FAULTS), st.integers(1, 60)))


@settings(max_examples=40)
@given(st.lists(st.tuples(OPERATIONS, ACCIDENTS), min_size=3, max_size=14))
def test_any_history_leaves_the_rows_that_were_written(history: list[tuple[tuple[Any, ...], tuple[Any, int]]]) -> None:
    """Whatever is written, gathered and tidied, and wherever that stops, the lake has each row as often as written."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for (name, *details), (fault, at) in history:
            if name == "write":
                world.do(world.write(*details), fault, at)
            elif name == "compact":
                world.do(compact, fault, at)
            else:
                world.do(Lake.remove_leftovers, fault, at)
            assert world.seen() == world.expected
        world.check()
