"""What an older spsetl could not read, and a newer one can: listed, and taken into the copy."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest

from spsetl import schema
from spsetl.cli import run
from spsetl.errors import ApplianceError
from spsetl.flatten import read_key
from spsetl.flatten import rows as flatten_rows
from spsetl.flatten.items import Answer, Item, Unreadable, open_items
from spsetl.lake import Lake
from spsetl.settings import load_settings
from spsetl.simulator import Simulator, World, WorldSpec
from spsetl.sync import ThreadRunner, run_sync
from tests.oracle import assert_equal_copy

pytestmark = pytest.mark.usefixtures("alone", "two_tries")

SMALL = WorldSpec(sessions=60, days=6)
SIGKILLED = -9
Refuses = Callable[[str, Any], bool]


def sync(simulator: Simulator, folder: Path, details: str = "channels,events,alerts") -> None:
    """One sync."""
    access = {"url": simulator.url, "username": simulator.username, "password": simulator.password}
    more = {"appliance": "sps", "data_dir": folder, "details": details, "lookback": 24 * 60}
    run_sync(load_settings(access | more, environ={}), runner=ThreadRunner())


@contextmanager
def older(refuses: Refuses) -> Iterator[None]:
    """A version that cannot read some rows: it is told the table and the item."""

    def older_items(table: schema.Table, answers: Iterable[Answer], unreadable: list[Unreadable]) -> Iterator[Item]:
        for item in open_items(table, answers, unreadable):
            if refuses(table.name, item.item):
                unreadable.append(Unreadable(item.session_key, item.item, item.extracted_at, "too new"))
            else:
                yield item

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flatten_rows, "open_items", older_items)
        yield


def sync_by_older(simulator: Simulator, folder: Path, refuses: Refuses, **more: str) -> None:
    """A sync by a version that cannot read some rows."""
    with older(refuses):
        sync(simulator, folder, **more)


def replay(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `quarantine replay --json` says."""
    capsys.readouterr()
    assert run(["quarantine", "replay", "--json", "--data-dir", str(folder)]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return shown


def rows(folder: Path, query: str) -> list[Any]:
    """What the published warehouse answers."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def all_rows(folder: Path) -> dict[str, list[Any]]:
    """The whole published copy, lineage too."""
    return {table.name: rows(folder, f"select * from {table.name} order by all") for table in schema.COPIED_TABLES}


def rebuilt(folder: Path) -> dict[str, list[Any]]:
    """The same, made anew from the lake."""
    assert run(["rebuild", "--data-dir", str(folder)]) == 0
    return all_rows(folder)


def test_quarantine_is_listed_without_what_people_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which row, and why; its content only where it is asked for."""
    world = World(SMALL)
    key = world.keys()[10]
    world.change(key, {"protocol": "secret protocol"})
    with Simulator(world) as simulator:
        sync_by_older(simulator, tmp_path, lambda table, item: table == "sessions" and read_key(item) == key)
    for more, is_shown in (([], False), (["--raw"], True)):
        assert run(["quarantine", "--data-dir", str(tmp_path), *more]) == 0
        table = capsys.readouterr().out
        assert run(["quarantine", "list", "--json", "--data-dir", str(tmp_path), *more]) == 0
        [row] = json.loads(capsys.readouterr().out)["quarantine"]
        assert (row["appliance"], row["table_name"], row["session_key"]) == ("sps", "sessions", key)
        assert row["reason"] == "too new"
        assert "too new" in table
        assert ("secret protocol" in table, "raw" in row) == (is_shown, is_shown)


def test_an_empty_quarantine_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stdout, and no failure; without a copy there is nothing to list or to read."""
    assert run(["quarantine", "--data-dir", str(tmp_path)]) == 2
    assert run(["quarantine", "replay", "--data-dir", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []
    with Simulator(World(SMALL)) as simulator:
        sync(simulator, tmp_path, details="none")
    capsys.readouterr()
    assert run(["quarantine", "--data-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert (shown.out, "nothing is in quarantine" in shown.err) == ("", True)
    assert replay(tmp_path, capsys)["replayed"] == 0


def test_sessions_that_can_be_read_now_come_into_the_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of when the appliance gave them; their details come with the next sync, and then nothing is missing."""
    world = World(SMALL)
    odd = set(world.keys()[10:14])
    with Simulator(world) as simulator:
        sync_by_older(simulator, tmp_path, lambda table, item: table == "sessions" and read_key(item) in odd)
        assert rows(tmp_path, "select count(*) from quarantine") == [(4,)]
        given = rows(tmp_path, "select session_key, extracted_at from quarantine order by all")

        report = replay(tmp_path, capsys)

        assert (report["replayed"], report["kept"], report["published"]) == (4, 0, True)
        found = f"from sessions where run_id = '{report['run_id']}'"
        assert rows(tmp_path, f"select session_key, extracted_at {found} order by all") == given
        details = f"session_details where session_key in (select session_key {found})"
        assert rows(tmp_path, f"select distinct channels_status, indexing_status from {details}") == [
            ("pending", "not_requested")
        ]
        before = all_rows(tmp_path)
        assert rebuilt(tmp_path) == before
        assert replay(tmp_path, capsys)["replayed"] == 0
        assert all_rows(tmp_path) == before
        sync(simulator, tmp_path)
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance="sps")


def test_details_that_can_be_read_now_join_those_of_their_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once nothing is missing; a fetch of the session's next revision replaces all of them."""
    world = World(SMALL)
    refused: list[Any] = []

    def refuses(table: str, item: Any) -> bool:
        is_refused = (table == "events" and item["record_id"] % 3 == 0) or (table == "channels" and len(refused) < 5)
        refused.extend([item] if is_refused else [])
        return is_refused

    with Simulator(world) as simulator:
        sync_by_older(simulator, tmp_path, refuses)
        assert replay(tmp_path, capsys)["replayed"] == len(refused) > 10
        assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance="sps")
        before = all_rows(tmp_path)
        assert rebuilt(tmp_path) == before
        simulator.advance_night()
        sync(simulator, tmp_path)
        before = all_rows(tmp_path)
    assert rebuilt(tmp_path) == before


def test_a_row_without_a_key_of_its_own_gets_the_place_that_is_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the whole list knew the place of a download; one gap is one place."""
    world = World(WorldSpec(sessions=200, days=6))
    seen: list[Any] = []

    def refuses_every_fourth(table: str, item: Any) -> bool:
        seen.extend([item] if table == "trail_downloads" else [])
        return table == "trail_downloads" and len(seen) % 4 == 0

    with Simulator(world) as simulator:
        sync(simulator, tmp_path / "whole", details="trail_downloads")
        sync_by_older(simulator, tmp_path / "copy", refuses_every_fourth, details="trail_downloads")
        places = "select session_key, position from trail_downloads order by all"
        expected = rows(tmp_path / "whole", places)
        assert len(rows(tmp_path / "copy", places)) < len(expected)
        replay(tmp_path / "copy", capsys)
    assert rows(tmp_path / "copy", places) == expected
    before = all_rows(tmp_path / "copy")
    assert rebuilt(tmp_path / "copy") == before


def test_what_still_cannot_be_read_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And leaves nothing in the lake."""
    world = World(SMALL)
    odd = world.keys()[10]
    with Simulator(world) as simulator, older(lambda table, item: table == "sessions" and read_key(item) == odd):
        sync(simulator, tmp_path)
        before, files = all_rows(tmp_path), Lake(tmp_path / "lake").files("quarantine")
        report = replay(tmp_path, capsys)
        assert (report["replayed"], report["kept"]) == (0, 1)
        assert all_rows(tmp_path) == before
        assert Lake(tmp_path / "lake").files("quarantine") == files
        assert run(["quarantine", "replay", "--data-dir", str(tmp_path)]) == 0
    assert "0 rows could be read now, 1 stay" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["merge_part", "build_marts", "publish"])
def test_killed_anywhere_a_replay_can_be_run_again(
    step: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the lake already counts once."""
    world = World(SMALL)
    odd = set(world.keys()[10:14])
    with Simulator(world) as simulator:
        sync_by_older(
            simulator,
            tmp_path,
            lambda table, item: (
                (table == "sessions" and read_key(item) in odd) or (table == "events" and item["record_id"] == 1)
            ),
        )
    before = (tmp_path / "warehouse.duckdb").read_bytes()
    program = f"""
        import os, signal, sys
        from pathlib import Path
        from spsetl.settings import load_settings
        from spsetl.sync import quarantine as replaying

        replaying.{step} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        replaying.run_replay(load_settings({{"data_dir": Path(sys.argv[1])}}, environ={{}}))
    """
    killed = subprocess.run([sys.executable, "-c", dedent(program), str(tmp_path)], check=False, timeout=60)
    assert killed.returncode == SIGKILLED
    assert (tmp_path / "warehouse.duckdb").read_bytes() == before

    assert replay(tmp_path, capsys)["kept"] == 0

    copied = all_rows(tmp_path)
    assert len(copied["sessions"]) == 60
    assert rebuilt(tmp_path) == copied


def test_a_replay_does_not_publish_what_a_failed_sync_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Readers keep a whole state; the next sync publishes both."""
    world = World(SMALL)
    odd = world.keys()[10]
    with Simulator(world) as simulator:
        sync_by_older(simulator, tmp_path, lambda table, item: table == "sessions" and read_key(item) == odd)
        simulator.advance_night()

        def cut(kind: str, path: str, params: Any) -> None:
            if kind == "channels":
                simulator.cut_power()

        simulator.on_request = cut
        with pytest.raises(ApplianceError):
            sync_by_older(simulator, tmp_path, lambda table, item: table == "sessions" and read_key(item) == odd)
        before = (tmp_path / "warehouse.duckdb").read_bytes()
        report = replay(tmp_path, capsys)
        assert (report["replayed"], report["published"]) == (1, False)
        assert (tmp_path / "warehouse.duckdb").read_bytes() == before
        simulator.on_request = None
        simulator.restore_power()
        sync(simulator, tmp_path)
    assert rows(tmp_path, f"select count(*) from sessions where session_key = '{odd}'") == [(1,)]
    before_rebuild = all_rows(tmp_path)
    assert rebuilt(tmp_path) == before_rebuild
