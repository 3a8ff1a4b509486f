"""What a sync did, for a person, for a program, and for the table sync_runs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from spsetl import schema
from spsetl.flatten import Quality

# Percent of a table's rows, and not only a few. More is no odd row here and there: the table cannot be trusted.
MOST_UNREADABLE: Final = 10
FEW_UNREADABLE: Final = 3
MOST_NAMED: Final = 5
TELL_US: Final = "tell the makers of spsetl, whose schema is wrong about these fields"


@dataclass
class SyncReport:
    """The outcome of a sync; grows while it runs.

    Attributes:
        sessions_seen: Distinct sessions that the appliance listed.
        sessions_new: Those that were not in the copy.
        sessions_changed: Those that had changed.
        sessions_missing: Those of the copy that the appliance no longer has.
        sessions_moved: Those that were listed under another start_time than before, or under two.
        rows: Rows written to the warehouse, by table.
        quality: What was given, and what of it could not be read or did not fit its column.
        sessions_without_start: Of these, sessions that no window can list, since they have no start_time.
        source_sessions: Sessions by the appliance's own count, whatever their start_time; None if it was not counted.
        windows_differing: Windows in which the appliance counts other than it lists.
        counts_differing: Days and protocols of which a reconciliation could not make the copy equal.
        details_gone: Details that the appliance has no more, sessions and kinds together.
        details_failed: Sessions whose details could not be fetched, now or since earlier runs; they stay pending.
        details_pending: Sessions of the copy whose details are not fetched.
        requests: Requests sent, by kind.
        seconds: How long it took.
        published: Whether readers see this state.
    """

    run_id: str
    appliance: str
    strategy: str
    sessions_seen: int = 0
    sessions_new: int = 0
    sessions_changed: int = 0
    sessions_missing: int = 0
    sessions_moved: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    quality: Quality = field(default_factory=Quality)
    source_sessions: int | None = None
    sessions_without_start: int = 0
    windows_differing: int = 0
    counts_differing: int = 0
    details_gone: int = 0
    details_failed: int = 0
    details_pending: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    published: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether the copy is known to equal the appliance, but for details that wait."""
        return not (
            self.details_failed
            or self.windows_differing
            or self.counts_differing
            or self.sessions_without_start
            or self.unreadable
        )

    @property
    def quarantined(self) -> int:
        """Rows that could not be read."""
        return self.quality.unreadable.total()

    @property
    def misfits(self) -> Counter[str]:
        """Values that fit no column and went to `extra`, by table and field: `sessions.vault.available`."""
        return self.quality.misfits

    @property
    def unreadable(self) -> list[str]:
        """A line for each table of which too much could not be read."""
        return [
            f"{count:,} of {self.quality.given[table]:,} rows of {table} could not be read: see spsetl quarantine"
            for table, count in sorted(self.quality.unreadable.items())
            if count > FEW_UNREADABLE and 100 * count > MOST_UNREADABLE * self.quality.given[table]
        ]

    @property
    def is_illegible(self) -> bool:
        """Whether the appliance gave sessions, and none of them could be read."""
        given = self.quality.given[schema.SESSIONS.name]
        return 0 < given == self.quality.unreadable[schema.SESSIONS.name]

    def as_json(self) -> dict[str, Any]:
        """The object that `sync --json` ends with."""
        return {
            "run_id": self.run_id,
            "appliance": self.appliance,
            "strategy": self.strategy,
            "requests": dict(sorted(self.requests.items())),
            "sessions": {
                "seen": self.sessions_seen,
                "new": self.sessions_new,
                "changed": self.sessions_changed,
                "missing": self.sessions_missing,
            },
            "rows": dict(sorted(self.rows.items())),
            "quarantined": self.quarantined,
            "misfits": dict(sorted(self.misfits.items())),
            "source_sessions": self.source_sessions,
            "windows_differing": self.windows_differing,
            "details_gone": self.details_gone,
            "details_failed": self.details_failed,
            "details_pending": self.details_pending,
            "warnings": self.warnings,
            "seconds": round(self.seconds, 3),
            "published": self.published,
        }


def describe_misfits(misfits: Mapping[str, int]) -> list[str]:
    """A line, if there are any."""
    named = name_misfits(misfits)
    return [f"values did not fit their columns and are kept in extra: {named}; {TELL_US}"] if named else []


def name_misfits(misfits: Mapping[str, int]) -> str:
    """The fields whose values did not fit most often."""
    first = sorted(misfits.items(), key=lambda one: (-one[1], one[0]))[:MOST_NAMED]
    more = f" and {len(misfits) - MOST_NAMED} more fields" if len(misfits) > MOST_NAMED else ""
    return ", ".join(f"{name} {count:,}" for name, count in first) + more
