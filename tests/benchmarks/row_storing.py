"""Row H: what a copy takes on disk, fresh and after thirty nights of change."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import duckdb

from spsetl.lake import Lake, compact_lake
from tests.benchmarks.appliances import appliance
from tests.benchmarks.programs import Measured, fresh, run
from tests.benchmarks.results import Given, Row, Verdict
from tests.benchmarks.systems import OURS, STARTS, Work, ours

_NIGHTS: Final = 30
_CONNECTIONS: Final = 8
_CHANGED: Final = 100  # beside what a night does by itself, one session in so many is scored anew
_TABLES: Final = ("sessions", "session_lists", "session_scores", "channels", "events", "alerts")
_WAREHOUSE: Final = 1.3


def measure_h(given: Given) -> Row:
    """A first sync with details, thirty nights, and then the same copy built anew and compacted."""
    sessions, nights = given.scaled(4000, 200), given.scaled(_NIGHTS, 3) if given.scale < 1 else _NIGHTS
    row = Row("H", f"bytes on disk: {sessions:,} sessions with details, then {nights} nights of change")
    folder = fresh(given.folder / "storing")
    row.measured = [Measured("spsetl, first sync"), Measured(f"spsetl, a night of {nights}")]
    with appliance(sessions=sessions) as source:
        work = Work(source, folder, _CONNECTIONS, details=True)
        row.measured[0].samples.append(run(STARTS[OURS](work), source))
        first = _sizes(folder / "data")
        for _ in range(nights):
            source.order("night")
            source.order("change", every=_CHANGED, late=0, late_days=1)
            row.measured[1].samples.append(run(STARTS[OURS](work), source))
        after = _sizes(folder / "data")
        fresh_build = _anew(work)
    row.figures = {"after the first sync": first, "after the nights": after, "built anew and compacted": fresh_build}
    row.figures["beside"] = _text_sizes(folder / "data/warehouse.duckdb", folder)
    row.verdicts = [
        Verdict.at_most("a fresh build of the warehouse", after["warehouse"] / fresh_build["warehouse"], _WAREHOUSE),
        Verdict("lake files compacted", f"{after['lake_files']:,} → {fresh_build['lake_files']:,} files", None),
        Verdict("bytes a session", _bytes_a_session(row.figures), None),
    ]
    return row


def _anew(work: Work) -> dict[str, Any]:
    """The same copy: its lake compacted, its warehouse rebuilt from that."""
    other = fresh(work.folder / "anew")
    copytree(work.folder / "data", other / "data")
    compact_lake(Lake(other / "data/lake"), now=datetime.now(UTC) + timedelta(days=32))
    run(ours(work.into(other), "rebuild"))
    return _sizes(other / "data")


def _sizes(data: Path) -> dict[str, Any]:
    files = list((data / "lake").rglob("*.parquet"))
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        (sessions,) = connection.execute("select count(*) from sessions").fetchone() or (0,)
    return {
        "sessions": sessions,
        "warehouse": (data / "warehouse.duckdb").stat().st_size,
        "lake": sum(path.stat().st_size for path in files),
        "lake_files": len(files),
    }


def _text_sizes(warehouse: Path, folder: Path) -> dict[str, int]:
    """The same rows as CSV and as JSON."""
    sizes = {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for form in ("csv", "json"):
            paths = [folder / f"{table}.{form}" for table in _TABLES]
            for table, path in zip(_TABLES, paths, strict=True):
                connection.execute(f"copy {table} to '{path}' (format {form})")
            sizes[form] = sum(path.stat().st_size for path in paths)
    return sizes


def _bytes_a_session(figures: dict[str, Any]) -> str:
    first, after, anew = (
        figures[name] for name in ("after the first sync", "after the nights", "built anew and compacted")
    )
    text = {form: size / after["sessions"] for form, size in figures["beside"].items()}
    lakes = " → ".join(f"{sizes['lake'] / sizes['sessions']:,.0f}" for sizes in (first, after, anew))
    houses = " → ".join(f"{sizes['warehouse'] / sizes['sessions']:,.0f}" for sizes in (first, after, anew))
    return f"lake {lakes}, warehouse {houses} (first, nights, anew); CSV {text['csv']:,.0f}, JSON {text['json']:,.0f}"
