"""The file for node_exporter: right by prometheus_client's own parser, and of all appliances that ever wrote to it."""

import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spsetl.errors import StorageError
from spsetl.metrics import FAMILIES, write_metrics
from spsetl.runs import CopyFigures, Kind, Run

SESSIONS = "spsetl_sessions"
HARD_NAME = 'a "b"\\c\nd'


def values(path: Path) -> dict[tuple[str, ...], float]:
    """Each value of the file by family and labels' values."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def write(
    file: Path, appliance: str, *, sessions: int | None = None, kind: Kind = "sync", success: int = 0, **requests: int
) -> None:
    """What a run writes that sent such requests; what is not given is not known."""
    run = Run(appliance=appliance, kind=kind, requests=requests)
    if sessions is not None:
        at = datetime.fromtimestamp(success, UTC)
        run.copy = CopyFigures(last_success_at=at, watermark=at, sessions=sessions, pending=0, quarantined=0)
    write_metrics(file, run, file.parent / "warehouse.duckdb")


def values_of(path: Path, *names: str) -> dict[tuple[str, ...], float]:
    """Of some families."""
    return {key: value for key, value in values(path).items() if key[0] in names}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where it will be."""
    return tmp_path / "spsetl.prom"


def test_appliances_do_not_erase_each_other(file: Path) -> None:
    """Each replaces its own figures alone, also with a name that has to be escaped."""
    for appliance, sessions in (("a", 1), (HARD_NAME, 2), ("a", 3)):
        write(file, appliance, sessions=sessions)
    assert values_of(file, SESSIONS) == {(SESSIONS, "a"): 3, (SESSIONS, HARD_NAME): 2}


def test_a_run_replaces_the_figures_of_its_kind_and_keeps_what_it_does_not_know(file: Path) -> None:
    """A kind of request that did not come again goes; a backfill's figures and the last success stay."""
    last_run, success = "spsetl_last_run_requests", "spsetl_last_success_timestamp_seconds"
    write(file, "a", list=7, login=1, sessions=1, success=99)
    write(file, "a", kind="backfill", list=7)
    write(file, "a", login=2)
    assert values_of(file, last_run, success) == {
        (last_run, "a", "list", "backfill"): 7,
        (last_run, "a", "login", "sync"): 2,
        (success, "a"): 99,
    }


@pytest.mark.parametrize(
    "before", [b"", b"\xff\xfe", b"not { a metric", b'a{b ="x\\n\\"", ="s"} 1."\nb 2\n', b"node_load1 0.5\n"]
)
def test_what_is_not_ours_is_replaced(before: bytes, file: Path) -> None:
    """A spoilt file does not stay spoilt."""
    file.write_bytes(before)
    write(file, "a", sessions=1)
    assert values_of(file, SESSIONS, "node_load1", "a", "b") == {(SESSIONS, "a"): 1}


def test_node_exporter_may_read_it_and_every_family_explains_itself(file: Path) -> None:
    """Whatever the umask; HELP and TYPE for each."""
    (file.parent / "warehouse.duckdb").write_bytes(b"x")
    write(file, "a", sessions=1, list=1)
    families = list(text_string_to_metric_families(file.read_text()))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert {(family.name, family.documentation, family.type) for family in families} == {
        (name, text, "gauge") for name, text in FAMILIES.items()
    }


def test_writers_at_the_same_time_lose_nothing(file: Path) -> None:
    """Each appliance that wrote is there."""
    names = [f"a{number}" for number in range(8)]
    threads = [threading.Thread(target=write, args=(file, name), kwargs={"sessions": 1}) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values_of(file, SESSIONS) == {(SESSIONS, name): 1 for name in names}


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """A folder that is not there, or is none."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere" / "m.prom", tmp_path / "file" / "m.prom"):
        with pytest.raises(StorageError, match=r"cannot write .*m\.prom"):
            write(path, "a", sessions=1)
