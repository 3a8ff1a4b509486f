"""Whether the appliance's clean-up may come before the copy, in words; the rule is sql/reports/retention.sql."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from spsetl.queries import read_statement

_REMEDY: Final = (
    "sync more often, let a sync spend more (SPSETL_MAX_REQUESTS, SPSETL_MAX_MINUTES), or raise the retention there"
)


def retention_query() -> str:
    """The question whose rows are told of here."""
    return read_statement("reports", "retention")


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
