"""The marts of a simulated appliance: as boring Python reads it, and there for copies older than them."""

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import duckdb
import pytest

from spsetl import schema
from spsetl.analysis.reader import open_warehouse
from spsetl.simulator import Simulator, World
from tests.oracle import expected_session
from tests.syncing import NAME, SMALL, ask, sync

pytestmark = pytest.mark.usefixtures("without_waiting")

ZONE: Final = "Europe/Budapest"
HOURS: Final = f"Mon-Fri 08:00-18:00 {ZONE}"


def test_a_synced_world_is_in_the_marts_as_python_reads_it(tmp_path: Path) -> None:
    """Two syncs with a night between them: names, verdicts, hours, counts and first visits of every session."""
    world = World(SMALL)
    with Simulator(world) as simulator:
        sync(simulator, tmp_path, office_hours=HOURS)
        world.advance_night()
        sync(simulator, tmp_path, office_hours=HOURS)
    names = "user_name, server_key, verdict, started_hour, is_outside_office_hours, channel_count, event_count"
    columns = f"session_key, {names}, alert_count, is_first_user_server_pair"
    found = {key: rest for key, *rest in ask(tmp_path, f"select {columns} from mart.fct_sessions where not is_missing")}

    assert found == expected_marts(world)


def test_a_copy_older_than_the_marts_gets_them(tmp_path: Path) -> None:
    """A published warehouse without them is read as ever, and the next sync builds them, to what a new copy has."""
    with Simulator(World(SMALL)) as simulator:
        sync(simulator, tmp_path, details="none")
        built = ask(tmp_path, "select * from mart.fct_sessions order by all")
        shutil.rmtree(tmp_path / "work")
        with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
            connection.execute("drop schema mart cascade")
        with open_warehouse(tmp_path) as warehouse:
            assert warehouse.rows("select count(*) from sessions")[1] == [(len(built),)]

        sync(simulator, tmp_path, details="none", lookback=0)

    assert ask(tmp_path, "select * from mart.fct_sessions order by all") == built


def expected_marts(world: World) -> dict[str, list[Any]]:
    """The columns above of every session that the world shows."""
    sessions = {key: expected_session(world, key, NAME) for key in world.keys()}  # noqa: SIM118 no mapping
    pairs: dict[tuple[str, str], tuple[datetime, str]] = {}
    for key, s in sessions.items():
        pair = (s["user_name"] or s["user_gateway_username"], s["server_ip"] or s["server_name"])
        if None not in pair:
            pairs[pair] = min(pairs.get(pair, (datetime.max, "")), (s["start_time"], key))  # noqa: DTZ901 no zone
    firsts = Counter(key for _, key in pairs.values())
    expected = {}
    for key, s in sessions.items():
        local = s["start_time"].replace(tzinfo=UTC).astimezone(ZoneInfo(ZONE))
        is_inside = local.isoweekday() <= 5 and 8 <= local.hour < 18
        has_no_events = s["recording_index_status"] in schema.INDEX_STATUS_WITHOUT_EVENTS
        expected[key] = [
            s["user_name"] or s["user_gateway_username"],
            s["server_ip"] or s["server_name"],
            s["verdict"] and s["verdict"].upper().replace("-", "_"),
            local.hour,
            not is_inside,
            len(world.channels(key)),
            None if has_no_events else len(world.events(key)),
            len(world.alerts(key)),
            bool(firsts[key]),
        ]
    return expected
