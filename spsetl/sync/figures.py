"""What a run and its copy look like to Prometheus."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from spsetl.seeing.figure import LAST_RUN, Figure
from spsetl.sync.report import SyncReport
from spsetl.warehouse.runs import CopyFigures


def figures_of(
    report: SyncReport, copy: CopyFigures | None, published: Path | None, *, seconds: float, exit_code: int
) -> Iterator[Figure]:
    """The figures that are known.

    Args:
        report: What the run did.
        copy: How far the copy is; None if that could not be asked.
        published: The published warehouse, which may not be there.
        seconds: How long the run took.
        exit_code: How it ended.
    """
    now = datetime.now(UTC)
    yield Figure(f"{LAST_RUN}timestamp_seconds", now.timestamp())
    yield Figure(f"{LAST_RUN}success", exit_code == 0)
    yield Figure(f"{LAST_RUN}exit_code", exit_code)
    yield Figure(f"{LAST_RUN}duration_seconds", seconds)
    yield from _of_report(report)
    if copy is not None:
        yield from _of_copy(copy, now)
    if published is not None and published.exists():
        yield Figure("spsetl_warehouse_bytes", published.stat().st_size)


def _of_report(report: SyncReport) -> Iterator[Figure]:
    for change, amount in report.as_json()["sessions"].items():
        yield Figure(f"{LAST_RUN}sessions", amount, {"change": change})
    yield Figure(f"{LAST_RUN}quarantined_rows", report.quarantined)
    for kind, amount in report.requests.items():
        yield Figure(f"{LAST_RUN}requests", amount, {"kind": kind})


def _of_copy(copy: CopyFigures, now: datetime) -> Iterator[Figure]:
    if copy.last_success_at:
        yield Figure("spsetl_last_success_timestamp_seconds", copy.last_success_at.timestamp())
    if copy.watermark:
        yield Figure("spsetl_watermark_timestamp_seconds", copy.watermark.timestamp())
        yield Figure("spsetl_lag_seconds", max((now - copy.watermark).total_seconds(), 0))
    yield Figure("spsetl_sessions", copy.sessions)
    yield Figure("spsetl_pending_sessions", copy.pending)
    yield Figure("spsetl_quarantined_rows", copy.quarantined)
