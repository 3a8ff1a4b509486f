"""Which of OpenTelemetry's standard variables turn on what."""

import subprocess
import sys

import pytest

from spsetl.telemetry import MISSING, find_wanted, start_telemetry

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
BOTH = ("traces", "metrics")


@pytest.mark.parametrize(
    ("environ", "signals", "remarks"),
    [
        ({}, (), 0),
        (ENDPOINT, BOTH, 0),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, (), 0),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, ("traces",), 0),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("traces",), 0),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1/v1/metrics"}, ("metrics",), 0),
        ({"OTEL_TRACES_EXPORTER": "console"}, (), 1),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, (), 2),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, BOTH, 0),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            ("traces",),
            1,
        ),
    ],
)
def test_the_standard_variables_say_what_is_sent(
    environ: dict[str, str], signals: tuple[str, ...], remarks: int
) -> None:
    """By signal; what cannot be done is said, a line each."""
    wanted, said = find_wanted(environ)
    assert tuple(wanted) == signals
    assert len(said) == remarks


def test_what_is_asked_for_and_not_installed_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; and without variables nothing is said."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    assert start_telemetry(ENDPOINT) == (None, [MISSING])
    assert start_telemetry({}) == (None, [])


def test_a_variable_that_the_sdk_refuses_costs_the_telemetry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that points to the variables."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    started, remarks = start_telemetry(ENDPOINT)
    assert started is None
    assert ["OTEL_" in remark for remark in remarks] == [True]


def test_without_the_variables_nothing_of_it_is_imported() -> None:
    """Neither OpenTelemetry nor prometheus_client, by all that a sync imports."""
    code = (
        "import sys, spsetl.cli.sync; print([n for n in sys.modules if n.startswith(('opentelemetry', 'prometheus'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
