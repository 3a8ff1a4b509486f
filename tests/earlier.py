"""Data directories that earlier versions of spsetl wrote, and the appliance that they are copies of."""

import tarfile
from pathlib import Path
from typing import Any, Final

import duckdb

from spsetl import schema
from spsetl.simulator import World, WorldSpec

SAMPLES: Final = Path(__file__).parent / "samples" / "earlier"
VERSIONS: Final = (1, 2, 3)
SESSIONS: Final = 17
"""Of the first night and the second; the appliance has one of them no more."""


def unpack(version: int, folder: Path) -> Path:
    """A data directory of that schema, to be spoilt."""
    with tarfile.open(SAMPLES / f"schema-{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def world_of_samples() -> World:
    """The appliance's sessions when the samples were made, after their second night."""
    world = World(WorldSpec(sessions=14, days=4, seed=172))
    world.advance_night()
    return world


def rows_of_present(folder: Path) -> dict[str, list[Any]]:
    """The published rows of all sessions that are on the appliance still, without their lineage."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return {
            table.name: connection.execute(
                f"select * exclude (extracted_at, run_id) from {table.name} anti join "
                "(select session_key from sessions where missing_since is not null) using (session_key) order by all"
            ).fetchall()
            for table in schema.COPIED_TABLES
        }


def missing_sessions(folder: Path) -> int:
    """How many sessions the published copy keeps though the appliance has them no more."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute("select count(*) from sessions where missing_since is not null").fetchone()
    return int(row[0]) if row else 0
