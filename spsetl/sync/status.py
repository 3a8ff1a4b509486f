"""How a copy stands, for a person and for a monitor: what is published, how the last runs went, who is at work now."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from spsetl.analysis.reader import open_warehouse
from spsetl.errors import SettingsError
from spsetl.queries import read_statement
from spsetl.runs import Run
from spsetl.sync.data_dir import DataDir, Holder, fetch_last_runs, find_holder
from spsetl.window import aware_utc

_REMEDY: Final = (
    "sync more often, let a sync spend more (SPSETL_MAX_REQUESTS, SPSETL_MAX_MINUTES), or raise the retention there"
)


def retention_query() -> str:
    """The question whose rows are told of here."""
    return read_statement("status", "retention")


def as_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """The answer's rows by name."""
    return [dict(zip(columns, row, strict=True)) for row in rows]


def describe_retention(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each protocol whose clean-up may come before the copy, the worst first."""
    troubled = sorted((row for row in rows if row["state"] != "ok"), key=lambda row: (row["state"], row["protocol"]))
    return [_describe(row) for row in troubled]


def _describe(row: Mapping[str, Any]) -> str:
    days = row["retention_days"]
    head = f"{row['appliance']}, {row['protocol']}: the appliance keeps metadata for {days} days"
    if row["last_synced_at"] is None:
        return f"{head}, and no sync was ever complete: run spsetl sync"
    if row["state"] == "late":
        return f"{head}, and the copy lags {row['lag_days']:g} days behind: some may be lost already; {_REMEDY}"
    return f"{head}, and the copy lags {row['lag_days']:g} days behind: {row['days_left']:g} days are left; {_REMEDY}"


_SECONDS_OF_AN_HOUR: Final = 3600
_CLOCKS_DIFFER: Final = 300  # seconds


@dataclass(frozen=True)
class CopyState:
    """How a copy stands.

    Attributes:
        published: The published warehouse.
        published_at: When it was published (UTC); None while nothing is.
        appliances: One row per appliance, see sql/status/copy_status.sql, with `age_seconds` of the last complete
            sync, `last_run`, the newest of any kind, and `last_runs`, by kind; of runs also those that failed.
        retention: One row per appliance and protocol, see sql/status/retention.sql.
        holder: The process at work on it now.
        is_running: Whether there is one; None where this user may not look.
    """

    published: Path
    published_at: datetime | None
    appliances: Sequence[Mapping[str, Any]]
    retention: Sequence[Mapping[str, Any]]
    holder: Holder | None
    is_running: bool | None

    @property
    def warnings(self) -> list[str]:
        """Where the appliance's clean-up may come before the copy."""
        return describe_retention(self.retention)

    def stale(self, hours: float) -> list[str]:
        """A line for each appliance whose last complete sync is longer ago, or of which there is none."""
        if not self.appliances:
            return [f"nothing published yet at {self.published}, and no sync was tried: run spsetl sync"]
        return [_stale(one) for one in self.appliances if _is_older(one["age_seconds"], hours)]

    def as_json(self) -> dict[str, Any]:
        """The object of `status --json`."""
        return {
            "warehouse": str(self.published),
            "published_at": self.published_at,
            "is_running": self.is_running,
            "running": asdict(self.holder) if self.holder else None,
            "appliances": self.appliances,
            "retention": self.retention,
            "warnings": self.warnings,
        }


def fetch_state(data_dir: Path) -> CopyState:
    """How the copy in a data directory stands; also of one that is not there yet.

    Raises:
        StorageError: The published file is damaged.
    """
    places = DataDir.of(data_dir)
    holder = None
    with suppress(SettingsError):  # no run begins where nothing can be locked
        holder = find_holder(places.private)
    may_look = os.access(places.private, os.R_OK | os.X_OK) or not places.private.exists()
    now = datetime.now(UTC)
    published_at, rows, retention = _ask(places.published)
    last_runs = fetch_last_runs(places.private, is_running=holder is not None) if may_look else []
    known = {str(row["appliance"]): row for row in rows}
    names = sorted({*known, *(run.appliance for run in last_runs)})
    appliances = [
        _appliance(name, known.get(name, {}), [run for run in last_runs if run.appliance == name], now)
        for name in names
    ]
    return CopyState(
        places.published, published_at, appliances, retention, holder, holder is not None if may_look else None
    )


def _ask(published: Path) -> tuple[datetime | None, list[dict[str, Any]], list[dict[str, Any]]]:
    """When it was published, and what it says of its appliances and of what they keep; nothing while nothing is."""
    if not published.exists():
        return None, [], []
    with open_warehouse(published) as warehouse, warehouse.hold() as edition:
        rows = as_rows(*edition.rows(read_statement("status", "copy_status")))
        retention = as_rows(*edition.rows(retention_query()))
        at = datetime.fromtimestamp(published.stat().st_mtime, UTC)
    return at.replace(microsecond=0), rows, retention


def _appliance(name: str, row: Mapping[str, Any], last_runs: Sequence[Run], now: datetime) -> dict[str, Any]:
    succeeded_at = row.get("last_sync_at")
    newest = max(last_runs, key=lambda run: run.started_at, default=None)
    return {
        "appliance": name,
        "last_sync_at": succeeded_at,
        "age_seconds": round((now - aware_utc(succeeded_at)).total_seconds(), 3) if succeeded_at else None,
        **row,
        "misfits": json.loads(row.get("misfits") or "{}"),
        "last_run": newest.as_last() if newest else None,
        "last_runs": {run.kind: run.as_last() for run in last_runs},
    }


def _is_older(age: float | None, hours: float) -> bool:
    # What lies in the future was written under a wrong clock: nobody knows how old it is.
    return age is None or not -_CLOCKS_DIFFER <= age <= hours * _SECONDS_OF_AN_HOUR


def _stale(one: Mapping[str, Any]) -> str:
    age, name = one["age_seconds"], one["appliance"]
    if age is None:
        head = f"{name}: no sync was ever complete"
    elif age < 0:
        head = f"{name}: the last complete sync lies in the future: a clock was wrong"
    else:
        head = f"{name}: the last complete sync was {age / _SECONDS_OF_AN_HOUR:,.1f} hours ago"
    run = one["last_run"]
    if run and run["error"]:
        return f"{head}; the last {run['kind']} failed with exit code {run['exit_code']}: {run['error']}"
    return f"{head}; run spsetl sync"
