"""OpenTelemetry's traces and metrics of a run, sent as OTLP over HTTP where its standard variables ask for them.

The SDK reads `OTEL_EXPORTER_OTLP_*` itself. A collector that does not answer costs the run nothing while it works, and
three seconds at its end. The extra [otel] may be missing: then a line says so.

A span for the run, its phases, each window and each batch of details. Requests are many, three for each session: within
each of those, the first ones and those that failed get a span of their own, without address; metrics count them all.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from spsetl import __version__
from spsetl.events import Listener
from spsetl.runs import Run, describe_error

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

REQUESTS_WITH_A_SPAN: Final = 10  # within each span
FAILURES_WITH_A_SPAN: Final = 100
PATIENCE: Final = 3.0  # seconds for what is not sent yet when a run ends
SIGNALS: Final = ("traces", "metrics")
MISSING: Final = "OTEL_ variables ask for telemetry, which is not installed: pip install 'spsetl[otel]', or unset them"
NOT_TAKEN: Final = "the OpenTelemetry collector did not take everything: see OTEL_EXPORTER_OTLP_ENDPOINT"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "http/protobuf"
_LOGGER: Final = logging.getLogger("opentelemetry")
# How many requests, and how many that failed, were seen within the span that is open.
_seen: ContextVar[tuple[Iterator[int], Iterator[int]] | None] = ContextVar("spsetl_requests_seen", default=None)


def find_wanted(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The signals that the standard variables ask for; and, a line each, what is asked for and cannot be done."""
    signals: list[str] = []
    remarks: list[str] = []
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true":
        for signal in SIGNALS:
            is_wanted, remark = _is_wanted(signal, environ)
            signals += [signal] if is_wanted else []
            remarks += [remark] if remark else []
    return signals, remarks


def _is_wanted(signal: str, environ: Mapping[str, str]) -> tuple[bool, str | None]:
    name = f"OTEL_{signal.upper()}_EXPORTER"
    given = environ.get(name, "").strip().lower()
    endpoints = (_ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    if given == "none" or not (given or any(environ.get(variable, "").strip() for variable in endpoints)):
        return False, None
    if given not in {"", "otlp"}:
        return False, f"{name} is neither otlp nor none: no {signal} are sent"
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = environ.get(variable, "").strip().lower()
        if protocol and protocol != _PROTOCOL:
            return False, f"{variable} is not {_PROTOCOL}, the only one spoken here: no {signal} are sent"
        if protocol:
            break
    return True, None


def start_telemetry(environ: Mapping[str, str] | None = None) -> "tuple[Telemetry | None, list[str]]":
    """The telemetry of a run that begins, None where none is wanted; and what to warn of, a line each."""
    signals, remarks = find_wanted(os.environ if environ is None else environ)
    if not signals:
        return None, remarks
    try:
        return Telemetry(*make_sinks(signals)), remarks
    except ImportError:
        return None, [*remarks, MISSING]
    except Exception as error:  # noqa: BLE001 - whatever a wrong variable makes the SDK raise: the run matters more
        return None, [*remarks, f"no telemetry is sent, see the OTEL_ variables: {type(error).__name__}"]


def make_sinks(signals: Sequence[str]) -> "tuple[SpanProcessor | None, MetricReader | None]":
    """Where spans and metrics go, None for nowhere: over HTTP to the collector that the standard variables name."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - an extra
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    return (
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

    def remarks(self) -> list[str]:
        """What to say of it: that something was not sent, or else what is wrong with a variable."""
        if self.worst >= logging.ERROR:
            return [NOT_TAKEN]
        return [f"OpenTelemetry says, see the OTEL_ variables: {wording}" for wording in sorted(self.wordings)]


class Telemetry(Listener):
    """Spans and metrics of one run. Metrics carry the appliance's name."""

    def __init__(self, spans: "SpanProcessor | None", metrics: "MetricReader | None") -> None:
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        # Complaints about a dead collector are one line of ours, not many of the SDK's between a person's bars.
        self._complaints = _Complaints()
        _LOGGER.propagate = False
        _LOGGER.handlers = [self._complaints]
        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "spsetl"}))
        resource = resource.merge(Resource({"service.version": __version__}))
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._tracers.get_tracer("spsetl", __version__) if spans else None
        if spans:
            self._tracers.add_span_processor(spans)
        self._meters = MeterProvider([metrics] if metrics else [], resource, shutdown_on_exit=False)
        meter = self._meters.get_meter("spsetl", __version__)
        self._requests = meter.create_counter("spsetl.requests", "{request}", "Requests by kind and outcome")
        self._request_seconds = meter.create_histogram("spsetl.request.duration", "s", "Duration of requests")
        self._sessions = meter.create_counter("spsetl.sessions", "{session}", "Sessions by what became of them")
        self._rows = meter.create_counter("spsetl.rows", "{row}", "Rows written, by table")
        self._quarantined = meter.create_counter("spsetl.quarantined", "{row}", "Rows that could not be read")
        self._pending = meter.create_gauge("spsetl.details.pending", "{session}", "Sessions that wait for details")
        self._run_seconds = meter.create_histogram("spsetl.run.duration", "s", "Duration of runs")
        self._common: dict[str, Any] = {}

    @contextmanager
    def span(self, name: str, figures: Mapping[str, Any]) -> Iterator[None]:
        """A span within the one that is open in this context; the first is the run's."""
        if "appliance" in figures:
            self._common = {"spsetl.appliance": figures["appliance"]}
        if self._tracer is None:
            yield
            return
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - an extra

        token = _seen.set((count(), count()))
        attributes = {f"spsetl.{key}": value for key, value in figures.items()}
        try:
            with self._tracer.start_as_current_span(
                name, attributes=attributes, record_exception=False, set_status_on_exception=False
            ) as span:
                try:
                    yield
                except BaseException as error:
                    span.set_status(Status(StatusCode.ERROR, describe_error(error)))
                    raise
        finally:
            _seen.reset(token)

    def request(self, kind: str, status: int | None, seconds: float) -> None:
        """Count it; the first ones within a span, and those that failed, get a span of their own."""
        labels = self._common | {"spsetl.kind": kind}
        self._request_seconds.record(seconds, labels)
        self._requests.add(1, labels | {"spsetl.outcome": "no answer" if status is None else str(status)})
        seen = _seen.get()
        if self._tracer is None or seen is None:
            return
        has_failed = status != HTTPStatus.OK
        if next(seen[has_failed]) >= (FAILURES_WITH_A_SPAN if has_failed else REQUESTS_WITH_A_SPAN):
            return
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - an extra

        attributes = {"spsetl.kind": kind} | ({} if status is None else {"http.response.status_code": status})
        span = self._tracer.start_span("request", attributes=attributes, start_time=time.time_ns() - int(seconds * 1e9))
        if has_failed:
            span.set_status(Status(StatusCode.ERROR, "no answer" if status is None else f"status {status}"))
        span.end()

    def end(self, run: Run) -> None:
        """How the run ended, by the figures of `sync --json`."""
        for what, amount in run.sessions.items():
            self._sessions.add(amount, self._common | {"spsetl.change": what})
        for table, amount in run.rows.items():
            self._rows.add(amount, self._common | {"spsetl.table": table})
        self._quarantined.add(run.quarantined, self._common)
        self._pending.set(run.details_pending, self._common)
        self._run_seconds.record(run.seconds, self._common | {"spsetl.kind": run.kind, "spsetl.status": run.status})

    def close(self) -> list[str]:
        """Send what is not sent yet, as far as that goes soon; what to warn of, a line each."""
        deadline = time.monotonic() + PATIENCE
        closing = [self._meters.shutdown, self._tracers.shutdown]
        threads = [threading.Thread(target=close, daemon=True, name="telemetry-end") for close in closing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return [NOT_TAKEN] if any(thread.is_alive() for thread in threads) else self._complaints.remarks()
