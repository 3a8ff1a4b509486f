"""A file for node_exporter's textfile collector: what each appliance's last run of a kind did, and how its copy is.

Several appliances, several data directories even, may share one file: what is there of others is kept, as is what a
run that failed early does not know, such as the last success. The file is replaced whole.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from filelock import FileLock, Timeout
from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from spsetl.errors import StorageError
from spsetl.events import Listener
from spsetl.files import replacing
from spsetl.runs import Run

LAST_RUN: Final = "spsetl_last_run_"
FAMILIES: Final = {
    f"{LAST_RUN}timestamp_seconds": "When the last run ended",
    f"{LAST_RUN}success": "Whether the last run did all of what it was to do",
    f"{LAST_RUN}exit_code": "Exit code of the last run",
    f"{LAST_RUN}duration_seconds": "How long the last run took",
    f"{LAST_RUN}sessions": "Sessions of the last run: seen, new, changed, missing",
    f"{LAST_RUN}quarantined_rows": "Rows that the last run could not read",
    f"{LAST_RUN}failed_details": "Sessions whose details the last run could not fetch",
    f"{LAST_RUN}requests": "Requests of the last run by kind",
    "spsetl_last_success_timestamp_seconds": "When the last complete sync ended",
    "spsetl_watermark_timestamp_seconds": "All sessions that started up to then are in the copy",
    "spsetl_lag_seconds": "How far the watermark was behind when the last run ended",
    "spsetl_sessions": "Sessions of the copy",
    "spsetl_pending_sessions": "Sessions of the copy whose details are not fetched",
    "spsetl_quarantined_rows": "Rows in quarantine",
    "spsetl_warehouse_bytes": "Size of the published warehouse",
}
_LOCK_SECONDS: Final = 5
_PUBLIC: Final = 0o644  # node_exporter is another user; figures are no content

Sample = tuple[str, Mapping[str, str], float]


class MetricsFile(Listener):
    """Writes the file when a run has ended; the file's folder must exist."""

    def __init__(self, path: Path, published: Path, *, warn: Callable[[str], None]) -> None:
        self._path = path
        self._published = published
        self._warn = warn

    def end(self, run: Run) -> None:
        """The run's figures take the place of those of the last run of its kind."""
        if not run.is_of_copy:
            return
        try:
            write_metrics(self._path, run, self._published)
        except StorageError as error:
            self._warn(str(error))


def write_metrics(path: Path, run: Run, published: Path) -> None:
    """Replace what the file says of the run's appliance and kind, as far as it is known now.

    Raises:
        StorageError: It cannot be written.
    """
    with _changing(path) as families:
        replaced: set[str] = set()
        for name, labels, value in _samples(run, published):
            own = _own_labels(name, run)
            if name not in replaced:
                _drop(families, name, own)
                replaced.add(name)
            families.setdefault(name, GaugeMetricFamily(name, FAMILIES[name])).add_sample(
                name, {**labels, **own}, value
            )


def forget_metrics(path: Path, appliance: str) -> None:
    """Take what the file says of an appliance out of it.

    Raises:
        StorageError: It cannot be written.
    """
    with _changing(path) as families:
        for name in families:
            _drop(families, name, {"appliance": appliance})


def _samples(run: Run, published: Path) -> Iterator[Sample]:
    now = datetime.now(UTC)
    yield f"{LAST_RUN}timestamp_seconds", {}, now.timestamp()
    yield f"{LAST_RUN}success", {}, run.exit_code == 0
    yield f"{LAST_RUN}exit_code", {}, run.exit_code
    yield f"{LAST_RUN}duration_seconds", {}, run.seconds
    for change, amount in run.sessions.items():
        yield f"{LAST_RUN}sessions", {"change": change}, amount
    yield f"{LAST_RUN}quarantined_rows", {}, run.quarantined
    yield f"{LAST_RUN}failed_details", {}, run.details_failed
    for kind, amount in run.requests.items():
        yield f"{LAST_RUN}requests", {"kind": kind}, amount
    if (copy := run.copy) is not None:
        if copy.last_success_at:
            yield "spsetl_last_success_timestamp_seconds", {}, copy.last_success_at.timestamp()
        if copy.watermark:
            yield "spsetl_watermark_timestamp_seconds", {}, copy.watermark.timestamp()
            yield "spsetl_lag_seconds", {}, max((now - copy.watermark).total_seconds(), 0)
        yield "spsetl_sessions", {}, copy.sessions
        yield "spsetl_pending_sessions", {}, copy.pending
        yield "spsetl_quarantined_rows", {}, copy.quarantined
    if published.exists():
        yield "spsetl_warehouse_bytes", {}, published.stat().st_size


def _own_labels(name: str, run: Run) -> dict[str, str]:
    own = {"appliance": run.appliance}
    return own | {"run": run.kind} if name.startswith(LAST_RUN) else own


def _drop(families: Mapping[str, Any], name: str, own: Mapping[str, str]) -> None:
    if name in families:
        families[name].samples = [one for one in families[name].samples if not own.items() <= one.labels.items()]


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Metric]]:
    if not path.parent.is_dir():
        raise StorageError(f"cannot write {path}: its folder is not there; make it, or correct SPSETL_METRICS_FILE")
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS):
            families = _read(path)
            yield families
            found = [families[name] for name in FAMILIES if name in families and families[name].samples]
            with replacing(path) as file:
                file.write(generate_latest(SimpleNamespace(collect=lambda: found)))
                os.fchmod(file.fileno(), _PUBLIC)
    except Timeout as error:
        raise StorageError(f"cannot write {path}: another process holds .{path.name}.lock beside it") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _read(path: Path) -> dict[str, Metric]:
    """What the file says; nothing where it is not there, or not of this kind."""
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, LookupError):  # what the parser raises over what is no such file
        return {}
    return {one.name: one for one in families}
