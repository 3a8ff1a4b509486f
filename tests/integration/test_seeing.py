"""What a run shows of itself: one event a line, telemetry, the metrics file; never what the sessions hold."""

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import stamina
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spsetl import telemetry
from spsetl.cli import run
from spsetl.events import EventFormatter, write_to_stderr
from spsetl.runs import Run
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.syncing import sync
from tests.unit.test_seeing_metrics_file import values

MARK = "xyzzy-marker"
PASSWORD = "plugh-password"
SESSIONS = 24
KEYS = r"svc/|/audit/sessions/|[0-9a-f]{8}-[0-9a-f]{4}-"


def make_world() -> World:
    """Sessions with the marker in names, addresses and keys, and one that cannot be read."""
    world = World(WorldSpec(sessions=SESSIONS - 3, days=4))
    world.add(key=f"svc/{MARK}:1", fields={"user.name": MARK, "client.ip": MARK, "server.name": MARK})
    world.add(key=f"svc/{MARK}:2", fields={"recording.connection_policy": MARK, "user.gateway_username": MARK})
    world.add(key=f"svc/{MARK}:3", fields={"duration": MARK})
    return world


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings but the test's own, retries without waits, and lines for a person afterwards."""
    for name in list(os.environ):
        if name.startswith(("SPSETL_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with stamina.set_testing(True, attempts=3):
        yield
    write_to_stderr("text", "info")


@pytest.fixture(scope="module")
def appliance() -> Iterator[Simulator]:
    """An appliance that all tests of this module share."""
    with Simulator(make_world(), password=PASSWORD) as simulator:
        yield simulator


def use(monkeypatch: pytest.MonkeyPatch, simulator: Simulator, **more: str) -> None:
    """Set the environment for that appliance."""
    values = {"url": simulator.url, "username": simulator.username, "password": simulator.password, "appliance": "sps"}
    for name, value in (values | more).items():
        monkeypatch.setenv(f"SPSETL_{name.upper()}", value)


def events_of(text: str) -> list[dict[str, Any]]:
    """Each line as an event."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_sync_tells_each_phase_with_figures(
    appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line on stderr is an event of one run, from its begin to an end that has all figures of `sync --json`."""
    use(monkeypatch, appliance, log_format="json")
    assert run(["sync", "--json"]) == 0
    said = capsys.readouterr()
    report, events = json.loads(said.out), events_of(said.err)
    names = [event["event"] for event in events if event["level"] == "info"]
    phases = ["windows planned", "window read", "windows merged", "details planned", "details fetched", "published"]
    assert list(dict.fromkeys(names)) == ["run started", *phases, "run ended"]
    assert {(event["run_id"], event["appliance"]) for event in events} == {(report["run_id"], "sps")}
    end = events[-1]
    warnings = [event["message"] for event in events if event["event"] == "warning"]
    assert (warnings, end["warnings"]) == (report["warnings"], len(report["warnings"]))
    assert (end["status"], end["exit_code"]) == ("done", 0)
    kept = {name: value for name, value in report.items() if name not in {"warnings", "seconds"}}
    assert {name: end[name] for name in kept} == kept


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_form_shows_content_or_secrets(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """At the level debug, with retries and rows that cannot be read: neither values, keys nor the password."""
    caplog.set_level("DEBUG", "spsetl")
    with Simulator(make_world(), Quirks(bad_gateway=0.05), password=PASSWORD) as simulator:
        use(monkeypatch, simulator, log_format=form, log_level="debug", metrics_file="m.prom")
        with stamina.set_testing(True, attempts=30):
            assert run(["sync"]) == 0
    said = capsys.readouterr().err
    records = [record for record in caplog.records if record.name.startswith("spsetl")]
    told = [record.getMessage() for record in records]
    assert sum(line.startswith("request: ") for line in told) > 3 * SESSIONS
    assert any(line.startswith("request failed: ") for line in told)
    logfmt = [EventFormatter("logfmt").format(record) for record in records]
    for text in (
        said,
        *told,
        *logfmt,
        Path("m.prom").read_text(),
        *(file.read_text() for file in Path().rglob("last-*.json")),
    ):
        assert MARK not in text
        assert PASSWORD not in text
        assert not re.search(KEYS, text)
    assert len(said.splitlines()) > (3 * SESSIONS if form != "text" else 3)
    if form == "json":
        assert {event["event"] for event in events_of(said)} >= {"request", "request failed", "run ended"}


FAILURES: dict[str, tuple[Quirks, dict[str, str], int]] = {
    "wrong password": (Quirks(), {"password": f"not-{PASSWORD}"}, 4),
    "no right": (Quirks(search_right=False), {}, 4),
    "bad gateway": (Quirks(bad_gateway=1.0), {}, 5),
    "no url": (Quirks(), {"url": ""}, 2),
}


@pytest.mark.parametrize(("failure", "form"), [*((failure, "json") for failure in FAILURES), ("no right", "logfmt")])
def test_a_run_that_fails_ends_with_events_and_its_exit_code(
    failure: str, form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run says why, then the command; `status` and the metrics file know it, though nothing was published."""
    quirks, more, code = FAILURES[failure]
    with Simulator(make_world(), quirks, password=PASSWORD) as simulator:
        use(monkeypatch, simulator, **{"log_format": form, "log_level": "debug", "metrics_file": "m.prom"} | more)
        assert run(["sync"]) == code
        said = capsys.readouterr()
    assert said.out == ""
    assert MARK not in said.err
    assert PASSWORD not in said.err
    lines = said.err.splitlines()
    assert all(line.startswith("timestamp=" if form == "logfmt" else "{") for line in lines)
    if form == "json":
        failed, command = events_of(said.err)[-2:]
        assert (failed["event"], failed["status"], failed["exit_code"]) == ("run failed", "failed", code)
        assert (command["event"], command["exit_code"], command["error"]) == ("command failed", code, failed["error"])
    figures = values(Path("m.prom"))
    assert figures["spsetl_last_run_exit_code", "sps", "sync"] == code
    assert figures["spsetl_last_run_success", "sps", "sync"] == 0
    assert ("spsetl_last_success_timestamp_seconds", "sps") not in figures


def test_wrong_usage_is_an_event_where_the_environment_asks_for_events(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any setting is known, and of what is a setting's mistake."""
    monkeypatch.setenv("SPSETL_LOG_FORMAT", "json")
    monkeypatch.setenv("SPSETL_CONCURRENCY", "many")
    assert run(["snyc"]) == run(["sync"]) == 2
    assert [(event["event"], event["exit_code"]) for event in events_of(capsys.readouterr().err)] == [
        ("command failed", 2),
        ("command failed", 2),
    ]


def test_a_defect_is_one_event(
    appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback between the lines, and nothing of what the error says."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(MARK)

    monkeypatch.setattr("spsetl.sync.run.copy_policies", fail)
    use(monkeypatch, appliance, log_format="json", details="none")
    assert run(["sync"]) == 1
    said = capsys.readouterr().err
    assert MARK not in said
    failed, command = events_of(said)[-2:]
    assert (failed["error"], command["exit_code"]) == ("ZeroDivisionError", 1)
    assert "ZeroDivisionError in fail (" in command["error"]


def test_the_metrics_file_follows_a_success_and_a_failure(
    appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure changes the run's figures and leaves those of the copy and the last success."""
    use(monkeypatch, appliance, metrics_file="m.prom", details="channels")
    assert run(["sync"]) == 0
    good = values(Path("m.prom"))
    assert good["spsetl_last_run_sessions", "sps", "new", "sync"] == SESSIONS
    assert good["spsetl_last_run_requests", "sps", "channels", "sync"] == SESSIONS
    assert good["spsetl_warehouse_bytes", "sps"] == Path("data/warehouse.duckdb").stat().st_size
    assert good["spsetl_last_run_success", "sps", "sync"] == 1
    assert good["spsetl_lag_seconds", "sps"] > 0
    monkeypatch.setenv("SPSETL_PASSWORD", "wrong")
    assert run(["sync"]) == 4
    bad = values(Path("m.prom"))
    assert bad["spsetl_last_run_exit_code", "sps", "sync"] == 4
    assert bad["spsetl_last_run_sessions", "sps", "new", "sync"] == 0
    for name in ("spsetl_last_success_timestamp_seconds", "spsetl_sessions", "spsetl_warehouse_bytes"):
        assert bad[name, "sps"] == good[name, "sps"]
    capsys.readouterr()


@pytest.fixture(scope="module")
def traced(appliance: Simulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any], Run]:
    """A sync whose telemetry stays in memory: its spans, its metrics' points by name, and its report."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    collected: list[Any] = []
    close = telemetry.Telemetry.close

    def collect_and_close(one: telemetry.Telemetry) -> list[str]:
        collected.append(reader.get_metrics_data())
        return close(one)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry, "make_sinks", lambda _: (SimpleSpanProcessor(spans), reader))
        patch.setattr(telemetry.Telemetry, "close", collect_and_close)
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        report = sync(appliance, tmp_path_factory.mktemp("traced"), strategy="windows")
    [resource] = collected[0].resource_metrics
    assert resource.resource.attributes["service.name"] == "spsetl"
    points = {m.name: list(m.data.data_points) for scope in resource.scope_metrics for m in scope.metrics}
    return spans.get_finished_spans(), points, report


def test_spans_are_of_one_tree_without_content(traced: tuple[Any, dict[str, Any], Run]) -> None:
    """The run, its phases, windows, batches, and some requests of each, with status and without address."""
    spans, _, _ = traced
    by_id = {span.context.span_id: span for span in spans}
    places = {(by_id[span.parent.span_id].name if span.parent else None, span.name) for span in spans}
    assert places >= {
        (None, "spsetl sync"),
        ("spsetl sync", "plan"),
        ("spsetl sync", "list"),
        ("spsetl sync", "policies"),
        ("spsetl sync", "details"),
        ("spsetl sync", "publish"),
        ("list", "window"),
        ("details", "details batch"),
        ("window", "request"),
        ("details batch", "request"),
        ("policies", "request"),
    }
    assert len({span.context.trace_id for span in spans}) == 1
    shown = [f"{span.name} {dict(span.attributes)} {span.status.description} {span.events}" for span in spans]
    assert not re.search(f"{MARK}|{PASSWORD}|{KEYS}", " ".join(shown))
    requests = [span for span in spans if span.name == "request"]
    statuses = {span.attributes["spsetl.kind"]: span.attributes["http.response.status_code"] for span in requests}
    assert {kind: status for kind, status in statuses.items() if status != 200}.keys() <= {"snapshot"}
    assert all(span.end_time > span.start_time for span in requests)
    batches = [span for span in requests if by_id[span.parent.span_id].name == "details batch"]
    assert len(batches) == 10


def test_metrics_count_what_the_report_counts(traced: tuple[Any, dict[str, Any], Run]) -> None:
    """Every request with its kind and outcome, and how long each took."""
    _, points, outcome = traced
    report = outcome.as_json()

    def by(name: str, label: str) -> dict[str, int]:
        return {point.attributes[label]: point.value for point in points[name]}

    assert by("spsetl.requests", "spsetl.kind") == report["requests"]
    assert {point.attributes["spsetl.outcome"] for point in points["spsetl.requests"]} - {"429"} == {"200"}
    assert sum(point.count for point in points["spsetl.request.duration"]) == sum(report["requests"].values())
    assert by("spsetl.sessions", "spsetl.change") == report["sessions"]
    assert by("spsetl.rows", "spsetl.table") == report["rows"]
    assert {point.attributes["spsetl.appliance"] for point in points["spsetl.requests"]} == {"sps"}
    assert [point.attributes["spsetl.status"] for point in points["spsetl.run.duration"]] == ["done"]


class _Collector(ThreadingHTTPServer):
    """Takes what is sent over OTLP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[tuple[str, bytes]] = []


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Take it."""
        assert isinstance(self.server, _Collector)
        self.server.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Nothing."""


def test_a_real_collector_gets_protobuf_before_the_run_ends(
    appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spans and metrics, whole, over HTTP."""
    with _Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        use(monkeypatch, appliance, details="none")
        assert run(["sync"]) == 0
        collector.shutdown()
    assert "OpenTelemetry" not in capsys.readouterr().err
    spans, metrics = set(), set()
    for path, body in collector.taken:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                spans |= {span.name for scope in resource.scope_spans for span in scope.spans}
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                metrics |= {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
    assert spans >= {"spsetl sync", "window", "request", "publish"}
    assert metrics >= {"spsetl.requests", "spsetl.request.duration", "spsetl.sessions"}


def test_a_dead_collector_and_a_metrics_file_that_cannot_be_written_cost_a_line_each(
    appliance: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sync is done and published as ever, and hardly later."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(telemetry, "PATIENCE", 0.2)
    use(monkeypatch, appliance, details="none", metrics_file="nowhere/m.prom")
    ended: list[float] = []
    monkeypatch.setattr(telemetry.Telemetry, "end", lambda *_: ended.append(monotonic()))
    assert run(["sync"]) == 0
    assert monotonic() - ended[0] < 2
    said = capsys.readouterr().err.splitlines()
    warnings = [line.partition(":")[2].split(":")[0].strip() for line in said if line.startswith("warning: ")]
    assert {telemetry.NOT_TAKEN.split(":")[0], "cannot write nowhere/m.prom"} <= set(warnings)
    assert len(warnings) == len(set(warnings))
    assert Path("data/warehouse.duckdb").exists()
