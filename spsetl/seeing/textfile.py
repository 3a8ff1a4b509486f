"""A file for node_exporter's textfile collector: the figures of each appliance's last run, and of its copy.

Several appliances, several data directories even, may share one file: what is there of others is kept, as is what a
run that failed early does not know, such as the last success. The file is replaced whole.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from prometheus_client import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from spsetl.errors import StorageError
from spsetl.files import replacing
from spsetl.seeing.figure import LAST_RUN, Figure

FAMILIES: Final = {
    "spsetl_last_run_timestamp_seconds": "When the last run ended",
    "spsetl_last_run_success": "Whether the last run did all of what it was to do",
    "spsetl_last_run_exit_code": "Exit code of the last run",
    "spsetl_last_run_duration_seconds": "How long the last run took",
    "spsetl_last_run_sessions": "Sessions of the last run: seen, new, changed, missing",
    "spsetl_last_run_quarantined_rows": "Rows that the last run could not read",
    "spsetl_last_run_requests": "Requests of the last run by kind",
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


Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Known(Collector):
    """Values by family and labels, as prometheus_client wants them."""

    values: Mapping[str, Mapping[Labels, float]]

    def collect(self) -> Iterator[Metric]:
        """The families in the order of FAMILIES."""
        for name, text in FAMILIES.items():
            family = GaugeMetricFamily(name, text)
            for labels, value in sorted(self.values.get(name, {}).items()):
                family.add_sample(name, dict(labels), value)
            if family.samples:
                yield family


def write_metrics(path: Path, appliance: str, figures: Iterable[Figure], *, run: str) -> None:
    """Replace what the file says of this appliance, as far as it is known now.

    Args:
        path: The file; its folder must exist.
        appliance: Whose figures.
        figures: Of its run and its copy. Other figures of the appliance in the file stay.
        run: Kind of run.

    Raises:
        StorageError: It cannot be written.
    """
    with _changing(path) as values:
        for name, known in _by_family(appliance, figures, run).items():
            _drop(values, name, _own_labels(name, appliance, run))
            values[name] |= known


def forget_metrics(path: Path, appliance: str) -> None:
    """Take what the file says of an appliance out of it.

    Raises:
        StorageError: It cannot be written.
    """
    with _changing(path) as values:
        for name in values:
            _drop(values, name, {"appliance": appliance})


def _drop(values: dict[str, dict[Labels, float]], name: str, own: Mapping[str, str]) -> None:
    values[name] = {old: value for old, value in values.get(name, {}).items() if not own.items() <= set(old)}


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, dict[Labels, float]]]:
    if not path.parent.is_dir():
        raise StorageError(f"cannot write {path}: its folder is not there; make it, or correct SPSETL_METRICS_FILE")
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS):
            values = _read(path)
            yield values
            with replacing(path) as file:
                file.write(generate_latest(_Known(values)))
                os.fchmod(file.fileno(), _PUBLIC)
    except Timeout as error:
        raise StorageError(f"cannot write {path}: another process holds .{path.name}.lock beside it") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _by_family(appliance: str, figures: Iterable[Figure], run: str) -> dict[str, dict[Labels, float]]:
    values: dict[str, dict[Labels, float]] = {}
    for figure in figures:
        labels = {**figure.labels, **_own_labels(figure.name, appliance, run)}
        values.setdefault(figure.name, {})[tuple(sorted(labels.items()))] = float(figure.value)
    return values


def _own_labels(name: str, appliance: str, run: str) -> dict[str, str]:
    return {"appliance": appliance, "run": run} if name.startswith(LAST_RUN) else {"appliance": appliance}


def _read(path: Path) -> dict[str, dict[Labels, float]]:
    """What the file says; nothing where it is not there, or not of this kind."""
    values: dict[str, dict[Labels, float]] = {}
    try:
        text = path.read_text(encoding="utf-8")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in FAMILIES:
                    values.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    except FileNotFoundError:
        return {}
    except (ValueError, LookupError):  # what the parser raises over what is no such file
        return {}
    return values
