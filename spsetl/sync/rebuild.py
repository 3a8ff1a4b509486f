"""The warehouse anew from the lake alone: for when the work database or the published file is lost or damaged."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spsetl import schema
from spsetl.errors import UsageError
from spsetl.lake import Lake
from spsetl.settings import Settings
from spsetl.sync.data_dir import DataDir, hold_lock
from spsetl.sync.names import change_lake
from spsetl.warehouse.checks import require_passed, run_checks
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.publish import discard_foreign, publish, remove_database, replace_database
from spsetl.warehouse.rebuild import rebuild_tables
from spsetl.warehouse.upgrade import require_known
from spsetl.warehouse.work import WorkDatabase


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild made.

    Attributes:
        rows: Rows of the warehouse, by table.
        files: Files of the lake that they came from.
        seconds: How long it took.
        warnings: What the checks found, a line each.
    """

    rows: dict[str, int]
    files: int
    seconds: float
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The object that `rebuild --json` ends with."""
        return {
            "rows": dict(sorted(self.rows.items())),
            "files": self.files,
            "warnings": self.warnings,
            "seconds": round(self.seconds, 3),
            "published": True,
        }


def run_rebuild(settings: Settings) -> RebuildReport:
    """Make the warehouse from the lake, put it in the place of the work database, and publish it.

    It asks no appliance. Killed at any instant it leaves readers the file that they had, and can be run again.

    Args:
        settings: Where the copy is, and which details are asked for.

    Raises:
        UsageError: There is no lake.
        NewerCopyError: A newer spsetl wrote the copy; nothing is replaced.
        LockedError: A sync holds the data directory.
        CheckError: The checks found wrong rows; nothing is replaced.
        StorageError: A file of the lake is damaged, or the disk is full; nothing is replaced.
    """
    began = time.monotonic()
    places = DataDir.of(settings.data_dir)
    if not places.lake.is_dir():
        raise UsageError(f"there is no lake at {places.lake}: see SPSETL_DATA_DIR, or run spsetl sync")
    places.prepare()
    with hold_lock(places.private):
        lake = Lake(places.lake)
        lake.remove_leftovers()
        change_lake(places, lake)
        files = sum(len(lake.files(table.name)) for table in schema.LAKE_TABLES)
        if not files:
            raise UsageError(f"the lake at {places.lake} is empty: there is nothing to rebuild from, run spsetl sync")
        lake.require_known()
        discard_foreign(places.published)
        require_known(places.work, places.published)
        private = places.private / "rebuild.duckdb"
        remove_database(private)
        rows, warnings = _build(private, lake, settings)
        replace_database(places.work, private)
        publish(places.work, places.published)
    return RebuildReport(rows, files, time.monotonic() - began, warnings)


def _build(path: Path, lake: Lake, settings: Settings) -> tuple[dict[str, int], list[str]]:
    """A whole, checked and closed work database; its rows by table, and what the checks warn of."""
    # It begins empty: there is nothing published under its own name.
    with WorkDatabase(path, published=path, memory=settings.merge_memory) as work:
        rows = rebuild_tables(work, lake)
        build_marts(work, settings.office_hours)
        results = run_checks(work)
        require_passed(results)
        work.checkpoint()
    return rows, [f"{r.name}: {r.offending_rows} rows" for r in results if r.offending_rows]
