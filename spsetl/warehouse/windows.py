"""Which windows of start_time were read, when, and what the appliance's own count said: sync_windows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from spsetl import schema
from spsetl.queries import read_statement
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import Window, aware_utc, naive_utc

WindowKind = Literal["list", "sweep", "open"]

EQUAL = "equal"
DIFFERS = "differs"
UNCOUNTED = "uncounted"
DOUBTED = "doubted"


@dataclass(frozen=True, kw_only=True)
class WindowRecord:
    """One window that was read to its end. `source_count` is the appliance's own count, None where it has none."""

    kind: WindowKind
    window: Window
    requests: int
    rows_received: int
    distinct_keys: int
    source_count: int | None
    verdict: str
    finished_at: datetime

    def as_row(self, appliance: str, run_id: str) -> dict[str, Any]:
        """The row of sync_windows."""
        return {
            "appliance": appliance,
            "run_id": run_id,
            "kind": self.kind,
            "window_start": naive_utc(self.window.start),
            "window_end": self.window.end and naive_utc(self.window.end),
            "requests": self.requests,
            "rows_received": self.rows_received,
            "distinct_keys": self.distinct_keys,
            "source_count": self.source_count,
            "verdict": self.verdict,
            "finished_at": naive_utc(self.finished_at),
        }

    def as_batch(self, appliance: str, run_id: str) -> pa.RecordBatch:
        """The row for the lake."""
        return pa.RecordBatch.from_pylist([self.as_row(appliance, run_id)], schema=schema.SYNC_WINDOWS.arrow_schema)


@dataclass(frozen=True)
class ReadWindow:
    """A window that an earlier step or run has read, and when (aware UTC)."""

    window: Window
    finished_at: datetime


def fetch_read_windows(
    work: WorkDatabase, appliance: str, *, since: datetime | None, of_unfinished_syncs: bool = False
) -> list[ReadWindow]:
    """The windows that were read whole after `since`, the newest reading first; those in doubt are left out.

    An open window says how far it got by the newest session that the copy had of it, or by its own start.

    Args:
        work: The work database.
        appliance: Whose windows.
        since: Only those that were finished after this; None for all.
        of_unfinished_syncs: Only those of syncs that were killed or failed.
    """
    rows = work.connection.execute(
        read_statement("plan", "read_windows"),
        {
            "appliance": appliance,
            "since": since and naive_utc(since),
            "now": naive_utc(datetime.now(UTC)),
            "of_unfinished_syncs": of_unfinished_syncs,
        },
    ).fetchall()
    return [
        ReadWindow(Window(aware_utc(start), aware_utc(end)), aware_utc(finished))
        for start, end, finished in rows
        if end is not None and end > start
    ]


def doubt_windows(work: WorkDatabase, appliance: str, *, since: datetime | None) -> None:
    """Let nobody rely on the windows read after `since`: they will be read again."""
    with work.transaction() as connection:
        connection.execute(
            "update sync_windows set verdict = 'doubted' where appliance = $appliance "
            "and ($since::timestamp is null or finished_at > $since::timestamp)",
            {"appliance": appliance, "since": since and naive_utc(since)},
        )
