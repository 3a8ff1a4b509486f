"""Never locked: a reader that stays open for hours neither blocks 50 publishes nor is blocked by them."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Self

import duckdb
import pytest

from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.errors import SpsetlError
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase

PUBLISHES = 50
COUNT = "select count(*), max(session_key) from sessions"


class House:
    """A work database whose sessions grow by one with each publishing."""

    def __init__(self, folder: Path, work: WorkDatabase) -> None:
        self.folder = folder
        self._work = work
        self.states = 0
        self.publish_next()

    def publish_next(self) -> None:
        """One more session, checkpointed and published as by a sync."""
        self.states += 1
        with self._work.transaction() as connection:
            connection.execute(
                "insert into sessions (appliance, session_key) values ('sps', $1)", [f"key-{self.states:04}"]
            )
        self._work.checkpoint()
        publish(self._work.path, self._work.published)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One session, published."""
    with WorkDatabase(tmp_path / "work" / "warehouse.duckdb", published=tmp_path / "warehouse.duckdb") as work:
        yield House(tmp_path, work)


def replaced_files() -> list[str]:
    """Files that this process holds open though they are gone."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # that of this very listing
            continue
        if "warehouse.duckdb" in target and "(deleted)" in target:
            found.append(target)
    return found


def whole(state: tuple[int, str]) -> bool:
    """True if a state is one that was published: the newest key tells how many sessions there are."""
    return state[1] == f"key-{state[0]:04}"


def test_readers_stay_open_through_fifty_publishes(house: House, tmp_path: Path) -> None:
    """Threads of one warehouse, a second warehouse, DuckDB itself and another process ask all the while.

    Nobody fails, every answer is a published state, none goes back in time, the old answers stay whole, and no file
    that was replaced stays open.
    """
    done = Event()
    file = tmp_path / "warehouse.duckdb"
    with (
        open_warehouse(tmp_path) as shared,
        open_warehouse(file) as other,
        duckdb.connect(str(file), read_only=True) as plain,
        OtherProcess(file) as process,
        ThreadPoolExecutor(2) as threads,
        shared.hold() as old,
        old.stream("select range, session_key from sessions, range(100000)") as answer,
    ):
        first = next(answer.batches)
        asked = [threads.submit(ask_until, shared, done) for _ in range(2)]
        publisher = Thread(target=publish_all, args=(house, done))
        publisher.start()
        seen = ask_until(other, done)
        publisher.join()
        for states in (seen, *(future.result() for future in asked)):
            assert states == sorted(states)
            assert all(map(whole, states))
            assert len(set(states)) > 1
        assert house.states == PUBLISHES + 1
        assert [shared.rows(COUNT)[1], other.rows(COUNT)[1]] == [[(51, "key-0051")]] * 2
        assert len(first) + sum(map(len, answer.batches)) == 100_000
        assert old.rows(COUNT)[1] == [(1, "key-0001")]
        assert plain.execute(COUNT).fetchall() == [(1, "key-0001")]
        answers, complaints = process.communicate("last\n", timeout=60)
        assert (answers.splitlines()[0], answers.splitlines()[-1], complaints) == ("1", "51", "")
    assert replaced_files() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["warehouse.duckdb", "work"]


def ask_until(warehouse: Warehouse, done: Event) -> list[tuple[int, str]]:
    """Every state that the warehouse answered with until the last was published."""
    states = []
    while not done.is_set():
        states += warehouse.rows(COUNT)[1]
    return states


def publish_all(house: House, done: Event) -> None:
    """Publish the states, and say when all are there."""
    try:
        for _ in range(PUBLISHES):
            house.publish_next()
    finally:
        done.set()


class OtherProcess:
    """Another program that has opened the warehouse, and asks it once more when it is told to."""

    def __init__(self, file: Path) -> None:
        program = (
            "import spsetl, sys\n"
            "with spsetl.open_warehouse(sys.argv[1]) as warehouse:\n"
            "    print(warehouse.rows('select count(*) from sessions')[1][0][0], flush=True)\n"
            "    sys.stdin.readline()\n"
            "    print(warehouse.rows('select count(*) from sessions')[1][0][0])\n"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout
        self._first = self._process.stdout.readline()
        return self

    def communicate(self, text: str, timeout: float) -> tuple[str, str]:
        """Let it ask again; what it said from the beginning."""
        out, err = self._process.communicate(text, timeout=timeout)
        return self._first + out, err

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def test_a_question_that_takes_long_ends_on_the_state_it_began_with(house: House) -> None:
    """It is published while DuckDB is at work, and the next question sees it."""
    slow = "select count(distinct hash(range, session_key)), max(session_key) from sessions, range(1000000)"
    with open_warehouse(house.folder) as warehouse, ThreadPoolExecutor(1) as threads:
        working = threads.submit(warehouse.rows, slow)
        while not working.running():
            pass
        house.publish_next()
        assert working.result()[1][0][1] in {"key-0001", "key-0002"}
        assert warehouse.rows(COUNT)[1] == [(2, "key-0002")]
    assert replaced_files() == []


def test_questions_to_a_held_state_agree(house: House) -> None:
    """A report asks several questions; all are answered from one state, and only then the file is let go."""
    with open_warehouse(house.folder) as warehouse:
        with warehouse.hold() as state:
            assert state.rows(COUNT)[1] == [(1, "key-0001")]
            house.publish_next()
            assert warehouse.rows(COUNT)[1] == [(2, "key-0002")]
            assert state.rows(COUNT)[1] == [(1, "key-0001")]
            warehouse.close()
            assert state.rows(COUNT)[1] == [(1, "key-0001")]
            assert replaced_files() != []
        assert replaced_files() == []


def test_a_state_that_cannot_be_opened_leaves_nothing_behind(house: House) -> None:
    """A file damaged in its place is said, and the reader goes on with the next sound one."""
    file = house.folder / "warehouse.duckdb"
    with open_warehouse(house.folder) as warehouse:
        for damaged in strange_files(file):
            damaged.replace(file)
            with pytest.raises(SpsetlError, match="cannot read"):
                warehouse.rows(COUNT)
        house.publish_next()
        assert warehouse.rows(COUNT)[1] == [(2, "key-0002")]
    assert replaced_files() == []


def strange_files(file: Path) -> Iterator[Path]:
    """Files that are no warehouse."""
    for name, content in (("empty", b""), ("noise", b"\1" * 20_000)):
        strange = file.with_name(name)
        strange.write_bytes(content)
        yield strange
