"""Whether a run is to send telemetry, by OpenTelemetry's standard variables, and the telemetry of one run.

Sent is OTLP over HTTP; the SDK reads `OTEL_EXPORTER_OTLP_*` itself. A collector that does not answer costs the run
nothing while it works, and three seconds at its end. The extra [otel] may be missing: then a line says so.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from spsetl.seeing.spans import opened

if TYPE_CHECKING:
    from spsetl.seeing.sdk import Telemetry

SIGNALS: Final = ("traces", "metrics")
MISSING: Final = "OTEL_ variables ask for telemetry, which is not installed: pip install 'spsetl[otel]', or unset them"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "http/protobuf"


@dataclass(frozen=True)
class Wanted:
    """The signals to send, and, a line each, what is asked for and cannot be done."""

    signals: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def find_wanted(environ: Mapping[str, str]) -> Wanted:
    """What the standard variables ask for."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Wanted(())
    signals, remarks = [], []
    for signal in SIGNALS:
        exporter, remark = _exporter(signal, environ)
        remarks += [remark] if remark else []
        if exporter:
            signals.append(signal)
    return Wanted(tuple(signals), tuple(remarks))


def _exporter(signal: str, environ: Mapping[str, str]) -> tuple[bool, str | None]:
    """Whether the signal is to be sent, and what is in the way."""
    name = f"OTEL_{signal.upper()}_EXPORTER"
    given = environ.get(name, "").strip().lower()
    has_endpoint = any(
        environ.get(variable, "").strip() for variable in (_ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    )
    if given == "none" or (not given and not has_endpoint):
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


def start_telemetry(environ: Mapping[str, str] | None = None) -> "tuple[Telemetry | None, tuple[str, ...]]":
    """The telemetry of a run that begins, None where none is wanted; and what to warn of, a line each."""
    wanted = find_wanted(os.environ if environ is None else environ)
    if not wanted.signals:
        return None, wanted.remarks
    if not _is_installed():
        return None, (*wanted.remarks, MISSING)
    from spsetl.seeing import sdk  # noqa: PLC0415 - an extra

    try:
        return sdk.start(wanted.signals), wanted.remarks
    except Exception as error:  # noqa: BLE001 - whatever a wrong variable makes the SDK raise: the run matters more
        return None, (*wanted.remarks, f"no telemetry is sent, see the OTEL_ variables: {type(error).__name__}")


def _is_installed() -> bool:
    try:
        return all(
            find_spec(name) is not None
            for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
        )
    except ModuleNotFoundError:
        return False


@contextmanager
def traced(telemetry: "Telemetry | None", name: str, **figures: Any) -> Iterator[None]:
    """The block is the run's span."""
    root = telemetry.begin(name, figures) if telemetry else None
    if root is None:
        yield
        return
    with opened(root):
        yield
