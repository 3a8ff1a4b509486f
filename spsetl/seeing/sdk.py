"""OpenTelemetry's SDK: the only module that imports it, from the extra [otel]."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as Spanned
from opentelemetry.trace import Status, StatusCode, Tracer, set_span_in_context

from spsetl import __version__

PATIENCE: Final = 3.0  # seconds for what is not sent yet when a run ends
NOT_TAKEN: Final = "the OpenTelemetry collector did not take everything: see OTEL_EXPORTER_OTLP_ENDPOINT"
_NAME: Final = "spsetl"
_UNKNOWN: Final = "unknown_service"
_LOGGER: Final = logging.getLogger("opentelemetry")


@dataclass(frozen=True)
class Sinks:
    """Where spans and metrics go; None for nowhere."""

    spans: SpanProcessor | None
    metrics: MetricReader | None


def make_sinks(signals: Sequence[str]) -> Sinks:
    """Over HTTP to the collector that the standard variables name."""
    return Sinks(
        BatchSpanProcessor(OTLPSpanExporter()) if "traces" in signals else None,
        PeriodicExportingMetricReader(OTLPMetricExporter()) if "metrics" in signals else None,
    )


class _Complaints(logging.Handler):
    """Keeps what the SDK complains of, instead of showing each: the wording, without what was put in."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.worst = logging.NOTSET
        self.wordings: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        self.worst = max(self.worst, record.levelno)
        self.wordings.add(str(record.msg))

    def forget(self) -> None:
        """Begin anew."""
        self.worst = logging.NOTSET
        self.wordings = set()

    def remarks(self) -> list[str]:
        """What to say of it: that something was not sent, or else what is wrong with a variable."""
        if self.worst >= logging.ERROR:
            return [NOT_TAKEN]
        return [f"OpenTelemetry says, see the OTEL_ variables: {wording}" for wording in sorted(self.wordings)]


_complaints: Final = _Complaints()


def start(signals: Sequence[str]) -> "Telemetry":
    """The telemetry of a run that begins."""
    # Complaints about a dead collector are one line of ours, not many of the SDK's between a person's bars.
    _LOGGER.propagate = False
    if _complaints not in _LOGGER.handlers:
        _LOGGER.addHandler(_complaints)
    _complaints.forget()
    return Telemetry(make_sinks(signals))


class OneSpan:
    """A span of OpenTelemetry, see `spans.Span`."""

    def __init__(self, tracer: Tracer, span: Spanned) -> None:
        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span)

    def begin(self, name: str, figures: Mapping[str, Any], *, start_time: int | None = None) -> "OneSpan":
        """A span within this one."""
        span = self._tracer.start_span(name, self._context, attributes=_attributes(figures), start_time=start_time)
        return OneSpan(self._tracer, span)

    def end(self, *, error: str | None) -> None:
        """It ends now."""
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class Telemetry:
    """Spans and metrics of one run. Metrics carry the appliance's name."""

    def __init__(self, sinks: Sinks) -> None:
        resource = _resource()
        self._tracers: TracerProvider | None = None
        if sinks.spans:
            self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._tracers.add_span_processor(sinks.spans)
        self._meters = MeterProvider([sinks.metrics] if sinks.metrics else [], resource, shutdown_on_exit=False)
        meter = self._meters.get_meter(_NAME, __version__)
        self._requests = meter.create_counter("spsetl.requests", "{request}", "Requests by kind and outcome")
        self._request_seconds = meter.create_histogram("spsetl.request.duration", "s", "Duration of requests")
        self._sessions = meter.create_counter("spsetl.sessions", "{session}", "Sessions by what became of them")
        self._rows = meter.create_counter("spsetl.rows", "{row}", "Rows written, by table")
        self._quarantined = meter.create_counter("spsetl.quarantined", "{row}", "Rows that could not be read")
        self._pending = meter.create_gauge("spsetl.details.pending", "{session}", "Sessions that wait for details")
        self._run_seconds = meter.create_histogram("spsetl.run.duration", "s", "Duration of runs")
        self._common: dict[str, Any] = {}

    def begin(self, name: str, figures: Mapping[str, Any]) -> OneSpan | None:
        """The run's span; None where no traces are sent."""
        self._common = {f"{_NAME}.appliance": figures["appliance"]}
        if self._tracers is None:
            return None
        tracer = self._tracers.get_tracer(_NAME, __version__)
        return OneSpan(tracer, tracer.start_span(name, attributes=_attributes(figures)))

    def note_request(self, kind: str, status: int | None, seconds: float) -> None:
        """One request; `status` None where no answer came."""
        labels = self._common | {"spsetl.kind": kind}
        self._request_seconds.record(seconds, labels)
        self._requests.add(1, labels | {"spsetl.outcome": "no answer" if status is None else str(status)})

    def note_run(self, figures: Mapping[str, Any], *, kind: str, status: str) -> None:
        """How the run ended, by the figures of `sync --json`."""
        for what, amount in figures["sessions"].items():
            self._sessions.add(amount, self._common | {"spsetl.change": what})
        for table, amount in figures["rows"].items():
            self._rows.add(amount, self._common | {"spsetl.table": table})
        self._quarantined.add(figures["quarantined"], self._common)
        self._pending.set(figures["details_pending"], self._common)
        labels = self._common | {"spsetl.kind": kind, "spsetl.status": status}
        self._run_seconds.record(figures["seconds"], labels)

    def close(self) -> list[str]:
        """Send what is not sent yet, as far as that goes soon; what to warn of, a line each."""
        deadline = time.monotonic() + PATIENCE
        closing = [self._meters.shutdown, *([self._tracers.shutdown] if self._tracers else [])]
        threads = [threading.Thread(target=close, daemon=True, name="telemetry-end") for close in closing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return [NOT_TAKEN] if any(thread.is_alive() for thread in threads) else _complaints.remarks()


def _resource() -> Resource:
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, _UNKNOWN)).startswith(_UNKNOWN):
        found = found.merge(Resource({SERVICE_NAME: _NAME}))
    return found.merge(Resource({"service.version": __version__}))


def _attributes(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name if "." in name else f"{_NAME}.{name}": value for name, value in figures.items()}
