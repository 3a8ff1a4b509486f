"""What a run tells of itself: events from its begin to its end, telemetry, the metrics file, and how it went last."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import duckdb
from structlog.contextvars import bound_contextvars

from spsetl import __version__
from spsetl.errors import ApplianceNameError, IncompleteError, SpsetlError, StorageError
from spsetl.interrupts import exit_code_of
from spsetl.seeing import spans
from spsetl.seeing.logs import is_debugging, listen, log
from spsetl.seeing.telemetry import start_telemetry, traced
from spsetl.settings import Settings
from spsetl.sync.figures import figures_of
from spsetl.sync.last_runs import LastRun, Status, drop_last_run, keep_last_run
from spsetl.sync.places import Places
from spsetl.sync.progress import Progress, warn
from spsetl.sync.report import SyncReport
from spsetl.warehouse.runs import CopyFigures, RunKind, fetch_copy_figures
from spsetl.warehouse.work import WorkDatabase


@dataclass(frozen=True)
class End:
    """How a run ended; `error` without content."""

    status: Status
    exit_code: int
    error: str | None

    @classmethod
    def of(cls, report: SyncReport | None, error: BaseException | None) -> "End":
        """By its report and by what it raised."""
        if error is not None and not isinstance(error, Exception):  # Ctrl-C, or Prefect's cancelling
            return cls("interrupted", exit_code_of(error), "interrupted")
        if error is not None:
            code = error.exit_code if isinstance(error, SpsetlError) else SpsetlError.exit_code
            return cls("failed", code, spans.describe_error(error))
        if report is not None and not report.is_complete:
            return cls("incomplete", IncompleteError.exit_code, None)
        return cls("done", 0, None)


@dataclass
class Watch:
    """One run, as it is seen from outside. What is not known yet is None."""

    settings: Settings
    kind: RunKind
    progress: Progress
    appliance: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    run_id: str = ""
    report: SyncReport | None = None
    copy: CopyFigures | None = None
    places: Places | None = None
    requests_by_kind: Callable[[], Mapping[str, int]] = dict
    is_of_copy: bool = True  # a mistyped name is nobody's, and must not be waited for

    def __post_init__(self) -> None:
        self.run_id = f"{self.started_at:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
        self.telemetry, self._remarks = start_telemetry()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    @property
    def on_request(self) -> Callable[[str, int | None, float], None] | None:
        """Takes each request in: its kind, its status or None where no answer came, seconds. None if nobody asks."""
        return self._note_request if self.telemetry or is_debugging() else None

    def _note_request(self, kind: str, status: int | None, seconds: float) -> None:
        if self.telemetry:
            self.telemetry.note_request(kind, status, seconds)
            spans.note_request(kind, status, seconds)
        log.debug("request", kind=kind, status=status, seconds=seconds)

    def begin(self) -> None:
        """Tell that it begins."""
        listen(self.settings.log_level)
        log.info("run started", kind=self.kind, version=__version__)
        for remark in self.settings.remarks:
            log.warning("warning", message=remark)
        for remark in self._remarks:
            warn(self.progress, remark)

    @contextmanager
    def recorded(self, places: Places) -> Iterator[None]:
        """Write down how it goes, while the data directory is ours."""
        self.places = places
        self._keep(End("running", 0, None))
        try:
            yield
        except ApplianceNameError:
            self.is_of_copy = False
            drop_last_run(places.private, self.appliance, self.run_id)
            raise
        except BaseException as error:
            self._keep(End.of(self.report, error))
            raise
        self._keep(End.of(self.report, None))

    def _keep(self, end: End) -> None:
        has_ended = end.status != "running"
        run = LastRun(
            run_id=self.run_id,
            appliance=self.appliance,
            kind=self.kind,
            status=end.status,
            started_at=_text(self.started_at),
            finished_at=_text(datetime.now(UTC)) if has_ended else None,
            seconds=round(self.seconds, 3) if has_ended else None,
            exit_code=end.exit_code if has_ended else None,
            error=end.error,
            published=self.report is not None and self.report.published,
        )
        assert self.places is not None  # noqa: S101 - only called within `recorded`
        try:
            keep_last_run(self.places.private, run)
        except OSError as error:
            warn(self.progress, f"how the run goes cannot be written to {self.places.private}: {error.strerror}")

    @contextmanager
    def measured(self, work: WorkDatabase) -> Iterator[None]:
        """Look at the end of the block how far the copy is, if anybody asks."""
        try:
            yield
        finally:
            if self.settings.metrics_file:
                try:
                    self.copy = fetch_copy_figures(work, self.appliance)
                except duckdb.Error as error:  # what made the run fail is told by others
                    log.warning("the copy cannot be measured", error_type=type(error).__name__)

    def end(self, error: BaseException | None) -> None:
        """Tell how it ended."""
        end = End.of(self.report, error)
        report = self.report or SyncReport(self.run_id, self.appliance, "")
        report.requests = self.requests_by_kind() or report.requests
        self._write_metrics(end, report)
        figures = report.as_json() | {"seconds": round(self.seconds, 3)}
        if self.telemetry:
            self.telemetry.note_run(figures, kind=self.kind, status=end.status)
        self._tell_end(end, figures)

    def _tell_end(self, end: End, figures: dict[str, Any]) -> None:
        lines = figures.pop("warnings")
        for line in lines:
            log.warning("warning", message=line)
        known = {name: value for name, value in figures.items() if name not in {"run_id", "appliance"}}
        known |= {"kind": self.kind, "status": end.status, "exit_code": end.exit_code, "warnings": len(lines)}
        if end.exit_code == 0:
            log.info("run ended", **known)
        elif end.error is None:
            log.warning("run ended", **known)
        else:
            log.error("run failed", error=end.error, **known)

    def _write_metrics(self, end: End, report: SyncReport) -> None:
        path = self.settings.metrics_file
        if path is None or not self.appliance or not self.is_of_copy:
            return
        from spsetl.seeing.textfile import write_metrics  # noqa: PLC0415 - prometheus_client is not for every run

        published = self.places.published if self.places else None
        figures = figures_of(report, self.copy, published, seconds=self.seconds, exit_code=end.exit_code)
        try:
            write_metrics(path, self.appliance, figures, run=self.kind)
        except StorageError as error:
            warn(self.progress, str(error))

    def close(self) -> None:
        """Send what telemetry there is."""
        for remark in self.telemetry.close() if self.telemetry else ():
            warn(self.progress, remark)


@contextmanager
def watch_run(settings: Settings, *, kind: RunKind, progress: Progress) -> Iterator[Watch]:
    """Tell of the run that the block is. Nothing here changes how it ends, nor raises anything of its own."""
    watch = Watch(settings, kind, progress, settings.appliance or _host(settings.url))
    figures = {"kind": kind, "run_id": watch.run_id, "appliance": watch.appliance}
    with bound_contextvars(run_id=watch.run_id, appliance=watch.appliance):
        watch.begin()
        try:
            with traced(watch.telemetry, f"spsetl {kind}", **figures):
                yield watch
        except BaseException as error:
            watch.end(error)
            raise
        else:
            watch.end(None)
        finally:
            watch.close()


def _host(url: str | None) -> str:
    return (urlsplit(url).hostname if url else None) or ""


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
