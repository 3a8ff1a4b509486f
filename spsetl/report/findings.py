"""Whether the copy can be relied on, in one line for each thing that speaks against it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from spsetl.report.contents import Contents, Row
from spsetl.report.wording import as_moment, as_span, one_or_many, visible

Level = Literal["bad", "look"]
# A nightly sync, and half a night more.
LATE: Final = timedelta(hours=36)


@dataclass(frozen=True)
class Finding:
    """Something that a reader should know first: `bad`, the copy is not what it should be; `look`, it may not be."""

    level: Level
    appliance: str
    says: str


def find_all(contents: Contents) -> list[Finding]:
    """What speaks against the copy, the worst first."""
    found = [*_of_retention(contents.retention)]
    for row in contents.freshness:
        found += _of_appliance(row)
    return sorted(found, key=lambda finding: (finding.level != "bad", finding.appliance))


def level_of(findings: Iterable[Finding]) -> str:
    """The worst of them, or `good`."""
    levels = {finding.level for finding in findings}
    return next((level for level in ("bad", "look") if level in levels), "good")


def _of_appliance(row: Row) -> Iterator[Finding]:
    name = row["appliance"]
    if row["last_sync_at"] is None:
        yield Finding("bad", name, "no sync was ever complete: run spsetl sync")
        return
    if row["lag_seconds"] > LATE.total_seconds():
        yield Finding("bad", name, f"the last complete sync ended {as_span(row['lag_seconds'])} ago")
    windows = one_or_many(row["window_count"], "window", "windows")
    if row["differing_window_count"]:
        yield Finding(
            "bad",
            name,
            f"{row['differing_window_count']:,} of {windows} of the last sync hold another number of sessions than "
            "the appliance counts: run spsetl reconcile",
        )
    if row["differing_day_count"]:
        days = one_or_many(row["differing_day_count"], "day differs", "days differ")
        yield Finding(
            "bad", name, f"{days} from the appliance's count, compared {as_moment(row['last_compared_at'])} UTC"
        )
    yield from _to_look_at(row)


def _to_look_at(row: Row) -> Iterator[Finding]:
    name = row["appliance"]
    if row["uncounted_window_count"]:
        yield Finding(
            "look",
            name,
            f"the appliance gave no count for {row['uncounted_window_count']:,} of the last sync's windows",
        )
    if row["last_compared_at"] is None and row["day_count"]:
        yield Finding("look", name, "never compared with the appliance day by day: run spsetl reconcile")
    if row["pending_count"]:
        sessions = one_or_many(row["pending_count"], "session waits", "sessions wait")
        yield Finding("look", name, f"{sessions} for details: the next sync goes on with them")
    if row["quarantined_count"]:
        rows = one_or_many(row["quarantined_count"], "row", "rows")
        yield Finding("look", name, f"{rows} could not be read: see spsetl quarantine")


def _of_retention(rows: Iterable[Row]) -> Iterator[Finding]:
    """What the appliance will clean up before it is copied, if nothing is done."""
    for row in rows:
        if row["state"] in {"soon", "late"}:
            what = f"{visible(row['protocol']).upper()}: the appliance keeps {row['retention_days']:,.0f} days"
            said = {
                "late": "what was not copied may be gone already",
                "soon": "what is not copied yet will be cleaned up soon",
            }[row["state"]]
            yield Finding("bad" if row["state"] == "late" else "look", row["appliance"], f"{what}; {said}")
