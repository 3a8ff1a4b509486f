"""The one record of a run: what it counts while it works, and how it ended.

The row of `sync_runs`, the object that `--json` ends with, the exit code, the file of the last runs, the summary on
the terminal, metrics and Prefect's artifacts are all made from it.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self
from uuid import uuid4

import orjson

from spsetl import __version__
from spsetl.errors import IncompleteError, SpsetlError
from spsetl.interrupts import exit_code_of_signal

Kind = Literal["sync", "backfill", "reconcile", "dry run"]
Status = Literal["running", "done", "incomplete", "failed", "interrupted"]
Verdict = Literal["equal", "drift", "mended", "differs", "uncounted"]

# Percent of a table's rows, and not only a few. More is no odd row here and there: the table cannot be trusted.
MOST_UNREADABLE: Final = 10
FEW_UNREADABLE: Final = 3
MOST_NAMED: Final = 5
TELL_US: Final = "tell the makers of spsetl, whose schema is wrong about these fields"
KILLED: Final = "it was killed, or the machine went down; run it again"


@dataclass
class Compared:
    """One day, or one protocol: how many sessions the appliance counts, and how many the copy has.

    Verdicts: `equal`; `drift`, equal when it was counted again; `mended`, equal since it was read again;
    `differs`; `uncounted`, the appliance has no count of it alone.
    """

    what: str
    source: int | None
    copy: int
    verdict: Verdict

    def as_json(self, name: str) -> dict[str, Any]:
        """For programs; `name` of what it is."""
        return {name: self.what, "source": self.source, "copy": self.copy, "verdict": self.verdict}


@dataclass(kw_only=True)
class CopyFigures:
    """How far the copy of one appliance is. Times are aware UTC, None before the first complete sync."""

    last_success_at: datetime | None
    watermark: datetime | None
    sessions: int
    pending: int
    quarantined: int


@dataclass(kw_only=True)
class Run:
    """One run for one appliance; grows while it works. Times are aware UTC.

    Attributes:
        details: The kinds that are wanted, also of sessions that this run does not look at.
        range_start: It reads sessions that started at or after this; None for the first there is.
        range_end: And before this; None for no end.
        planned: The windows that a dry run found, each from and to.
        sessions_seen: Distinct sessions that the appliance listed.
        sessions_new: Those that were not in the copy.
        sessions_changed: Those that had changed.
        sessions_missing: Those of the copy that the appliance no longer has.
        sessions_moved: Those that were listed under another start_time than before, or under two.
        rows: Rows written to the warehouse, by table.
        given: Rows that the appliance gave, by table.
        unreadable: Of these, rows that could not be read.
        misfits: Values that fit no column and went to `extra`, by table and field: `sessions.vault.available`.
        source_sessions: Sessions by the appliance's own count, whatever their start_time; None if it was not counted.
        sessions_without_start: Of these, sessions that no window can list, since they have no start_time.
        windows_differing: Windows in which the appliance counts other than it lists.
        days: What a reconciliation compared.
        protocols: Likewise.
        details_gone: Details that the appliance has no more, sessions and kinds together.
        details_failed: Sessions whose details could not be fetched, now or since earlier runs; they stay pending.
        details_pending: Sessions of the copy whose details are not fetched.
        requests: Requests sent, by kind.
        seconds: How long it took.
        published: Whether readers see this state.
        warnings: What a person should know, a line each.
        error: Why it failed, one line without content.
        copy: How far the copy is, where that is asked for.
        is_of_copy: False of a mistyped name, which is nobody's and must not be waited for.
    """

    appliance: str
    kind: Kind = "sync"
    run_id: str = ""
    strategy: str = "windows"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    details: tuple[str, ...] = ()
    range_start: datetime | None = None
    range_end: datetime | None = None
    planned: Sequence[tuple[datetime, datetime | None]] = ()
    sessions_seen: int = 0
    sessions_new: int = 0
    sessions_changed: int = 0
    sessions_missing: int = 0
    sessions_moved: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    misfits: Counter[str] = field(default_factory=Counter)
    source_sessions: int | None = None
    sessions_without_start: int = 0
    windows_differing: int = 0
    days: Sequence[Compared] = ()
    protocols: Sequence[Compared] = ()
    details_gone: int = 0
    details_failed: int = 0
    details_pending: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    published: bool = False
    warnings: list[str] = field(default_factory=list)
    status: Status = "running"
    finished_at: datetime | None = None
    seconds: float = 0.0
    exit_code: int = 0
    error: str | None = None
    copy: CopyFigures | None = None
    is_of_copy: bool = True
    began: float = field(default_factory=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self.run_id = self.run_id or f"{self.started_at:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"

    @property
    def differing(self) -> list[Compared]:
        """Days and protocols of which a reconciliation could not make the copy equal."""
        return [one for one in (*self.days, *self.protocols) if one.verdict == "differs"]

    @property
    def is_complete(self) -> bool:
        """Whether the copy is known to equal the appliance, but for details that wait."""
        return not (
            self.details_failed
            or self.windows_differing
            or self.differing
            or self.sessions_without_start
            or self.unreadable_tables
        )

    @property
    def quarantined(self) -> int:
        """Rows that could not be read."""
        return self.unreadable.total()

    @property
    def unreadable_tables(self) -> list[str]:
        """A line for each table of which too much could not be read."""
        return [
            f"{count:,} of {self.given[table]:,} rows of {table} could not be read: see spsetl quarantine"
            for table, count in sorted(self.unreadable.items())
            if count > FEW_UNREADABLE and 100 * count > MOST_UNREADABLE * self.given[table]
        ]

    @property
    def is_illegible(self) -> bool:
        """Whether the appliance gave sessions, and none of them could be read."""
        return 0 < self.given["sessions"] == self.unreadable["sessions"]

    def end(self, error: BaseException | None = None) -> None:
        """It ends: done, or incomplete, or failed with an error, or interrupted by Ctrl-C, SIGTERM or Prefect."""
        self.finished_at = datetime.now(UTC)
        self.seconds = time.monotonic() - self.began
        self.error = None if error is None else describe_error(error)
        if error is None:
            self.status = "done" if self.is_complete else "incomplete"
            self.exit_code = 0 if self.is_complete else IncompleteError.exit_code
        elif isinstance(error, Exception):
            self.status = "failed"
            self.exit_code = error.exit_code if isinstance(error, SpsetlError) else SpsetlError.exit_code
        else:
            self.status, self.exit_code, self.error = "interrupted", exit_code_of_signal(error), "interrupted"

    def as_json(self) -> dict[str, Any]:
        """The object that the command ends with under `--json`."""
        head = {"run_id": self.run_id, "appliance": self.appliance}
        if self.kind == "dry run":
            windows = [{"start": start.isoformat(), "end": end and end.isoformat()} for start, end in self.planned]
            return {"appliance": self.appliance, "windows": windows}
        tail = {"warnings": self.warnings, "seconds": round(self.seconds, 3)}
        requests = dict(sorted(self.requests.items()))
        if self.kind == "reconcile":
            return head | {
                "start": self.range_start and self.range_start.isoformat(),
                "end": self.range_end and self.range_end.isoformat(),
                "is_equal": not self.differing,
                "days": [one.as_json("day") for one in self.days],
                "protocols": [one.as_json("protocol") for one in self.protocols],
                "requests": requests,
                **tail,
            }
        return head | {
            "strategy": self.strategy,
            "requests": requests,
            "sessions": self.sessions,
            "rows": dict(sorted(self.rows.items())),
            "quarantined": self.quarantined,
            "misfits": dict(sorted(self.misfits.items())),
            "source_sessions": self.source_sessions,
            "windows_differing": self.windows_differing,
            "details_gone": self.details_gone,
            "details_failed": self.details_failed,
            "details_pending": self.details_pending,
            **tail,
            "published": self.published,
        }

    @property
    def sessions(self) -> dict[str, int]:
        """Sessions by what became of them."""
        return {
            "seen": self.sessions_seen,
            "new": self.sessions_new,
            "changed": self.sessions_changed,
            "missing": self.sessions_missing,
        }

    def as_row(self, *, ordered_at: datetime | None = None, watermark: datetime | None = None) -> dict[str, Any]:
        """The row of `sync_runs`, times without zone. What was incomplete is `done` there: the table has the counts.

        Args:
            ordered_at: The time by which the run ordered what it fetched, at its end.
            watermark: All sessions that started up to then are in the copy.
        """
        row = {
            "run_id": self.run_id,
            "appliance": self.appliance,
            "kind": self.kind,
            "status": "done" if self.status == "incomplete" else self.status,
            "strategy": self.strategy,
            "details": ",".join(self.details),
            "started_at": self.started_at,
            "range_start": self.range_start,
            "range_end": self.range_end,
            "spsetl_version": __version__,
        }
        if self.status != "running":
            row |= {
                "finished_at": self.finished_at,
                "ordered_at": ordered_at,
                "seconds": self.seconds,
                "watermark": watermark,
                "sessions_seen": self.sessions_seen,
                "sessions_new": self.sessions_new,
                "sessions_changed": self.sessions_changed,
                "sessions_missing": self.sessions_missing,
                "sessions_moved": self.sessions_moved,
                "quarantined": self.quarantined,
                "requests": sum(self.requests.values()),
                "requests_by_kind": _sorted_json(self.requests),
                "misfits": _sorted_json(self.misfits),
                "details_failed": self.details_failed,
                "details_gone": self.details_gone,
                "source_sessions": self.source_sessions,
                "error": self.error,
            }
        times = {
            name: value.astimezone(UTC).replace(tzinfo=None)
            for name, value in row.items()
            if isinstance(value, datetime)
        }
        return row | times

    def as_last(self) -> dict[str, Any]:
        """What the file of the last runs, and `status`, say of it; times are UTC, as text."""
        has_ended = self.status != "running"
        return {
            "run_id": self.run_id,
            "appliance": self.appliance,
            "kind": self.kind,
            "status": self.status,
            "started_at": _as_text(self.started_at),
            "finished_at": _as_text(self.finished_at) if self.finished_at else None,
            "seconds": round(self.seconds, 3) if has_ended else None,
            "exit_code": self.exit_code if has_ended else None,
            "error": self.error,
            "published": self.published,
        }

    @classmethod
    def from_last(cls, said: Mapping[str, Any]) -> Self:
        """The run that `as_last` was said of.

        Raises:
            ValueError, TypeError: It is not of that kind.
        """
        times = {name: said[name] and datetime.fromisoformat(said[name]) for name in ("started_at", "finished_at")}
        numbers = {name: said[name] or 0 for name in ("seconds", "exit_code")}
        return cls(**{**said, **times, **numbers})


def exit_code_of(runs: Iterable[Run]) -> int:
    """That of the first that did not do all; 0 where each did."""
    return next((run.exit_code for run in runs if run.exit_code), 0)


def describe_error(error: BaseException) -> str:
    """In words where the words are ours; of others the kind alone, for what they say may be content."""
    return str(error) if isinstance(error, SpsetlError) else type(error).__name__


def describe_misfits(misfits: Mapping[str, int]) -> list[str]:
    """A line, if there are any."""
    named = name_misfits(misfits)
    return [f"values did not fit their columns and are kept in extra: {named}; {TELL_US}"] if named else []


def name_misfits(misfits: Mapping[str, int]) -> str:
    """The fields whose values did not fit most often."""
    first = sorted(misfits.items(), key=lambda one: (-one[1], one[0]))[:MOST_NAMED]
    more = f" and {len(misfits) - MOST_NAMED} more fields" if len(misfits) > MOST_NAMED else ""
    return ", ".join(f"{name} {count:,}" for name, count in first) + more


def _sorted_json(counts: Mapping[str, int]) -> str:
    return orjson.dumps(dict(counts), option=orjson.OPT_SORT_KEYS).decode()


def _as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
