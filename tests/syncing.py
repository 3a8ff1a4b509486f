"""What tests of syncs share: settings for a simulated appliance, one sync, and what came of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from spsetl import schema
from spsetl.lake import CompactReport, Lake, compact_lake
from spsetl.runs import Run
from spsetl.settings import Settings, load_settings
from spsetl.simulator import Simulator, WorldSpec
from spsetl.sync import ThreadRunner, run_sync

NAME = "sps"
SMALL = WorldSpec(sessions=240, days=12)
FEW = WorldSpec(sessions=100, days=12)  # enough for each kind of details, where the number says nothing


def settings_for(simulator: Simulator, folder: Path, **more: object) -> Settings:
    """Settings for that appliance, as if nothing else were set."""
    arguments = {
        "url": simulator.url,
        "username": simulator.username,
        "password": simulator.password,
        "ca_file": simulator.ca_file,
        "appliance": NAME,
        "data_dir": folder,
    }
    return load_settings(arguments | more, environ={})


def sync(simulator: Simulator, folder: Path, *, accept_missing: bool = False, **more: object) -> Run:
    """One sync."""
    return run_sync(
        settings_for(simulator, folder, **more),
        runner=ThreadRunner(),
        accept_missing=accept_missing,
    )


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """What the published copy answers."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def all_rows(folder: Path, *, lineage: bool = True) -> dict[str, list[Any]]:
    """The whole published copy, without the records of the syncs themselves."""
    left_out = "" if lineage else " exclude (extracted_at, run_id)"
    return {
        table.name: ask(folder, f"select *{left_out} from {table.name} order by all") for table in schema.COPIED_TABLES
    }


def compact_all(folder: Path) -> CompactReport:
    """Compact a copy's lake when the month of its runs has ended."""
    return compact_lake(Lake(folder / "lake"), now=datetime.now(UTC) + timedelta(days=32))


def forget_snapshot(simulator: Simulator) -> None:
    """A night passes between two syncs: the snapshot of the first has died."""
    simulator.advance_clock(1000)
