"""The file for node_exporter: right by prometheus_client's own parser, and of all appliances that ever wrote to it."""

import stat
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spsetl.errors import StorageError
from spsetl.seeing.figure import Figure
from spsetl.seeing.textfile import FAMILIES, write_metrics

HARD_NAME = 'a "b"\\c\nd'


def values(path: Path) -> dict[tuple[str, ...], float]:
    """Each value of the file by family and labels' values."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where it will be."""
    return tmp_path / "spsetl.prom"


def test_appliances_do_not_erase_each_other(file: Path) -> None:
    """Each replaces its own figures alone, also with a name that has to be escaped."""
    for appliance, sessions in (("a", 1), (HARD_NAME, 2), ("a", 3)):
        write_metrics(file, appliance, [Figure("spsetl_sessions", sessions)], run="sync")
    assert values(file) == {("spsetl_sessions", "a"): 3, ("spsetl_sessions", HARD_NAME): 2}


def test_a_run_replaces_the_figures_of_its_kind_and_keeps_what_it_does_not_know(file: Path) -> None:
    """A kind of request that did not come again goes; a backfill's figures and the last success stay."""
    last_run, success = "spsetl_last_run_requests", "spsetl_last_success_timestamp_seconds"
    first = [Figure(last_run, 7, {"kind": "list"}), Figure(last_run, 1, {"kind": "login"}), Figure(success, 99)]
    write_metrics(file, "a", first, run="sync")
    write_metrics(file, "a", first[:1], run="backfill")
    write_metrics(file, "a", [Figure(last_run, 2, {"kind": "login"})], run="sync")
    assert values(file) == {
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
    write_metrics(file, "a", [Figure("spsetl_sessions", 1)], run="sync")
    assert values(file) == {("spsetl_sessions", "a"): 1}


def test_node_exporter_may_read_it_and_every_family_explains_itself(file: Path) -> None:
    """Whatever the umask; HELP and TYPE for each."""
    write_metrics(file, "a", [Figure(name, 1) for name in FAMILIES], run="sync")
    families = list(text_string_to_metric_families(file.read_text()))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert {(family.name, family.documentation, family.type) for family in families} == {
        (name, text, "gauge") for name, text in FAMILIES.items()
    }


def test_writers_at_the_same_time_lose_nothing(file: Path) -> None:
    """Each appliance that wrote is there."""
    names = [f"a{number}" for number in range(8)]
    threads = [
        threading.Thread(
            target=write_metrics, args=(file, name, [Figure("spsetl_sessions", 1)]), kwargs={"run": "sync"}
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(file) == {("spsetl_sessions", name): 1 for name in names}


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """A folder that is not there, or is none."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere" / "m.prom", tmp_path / "file" / "m.prom"):
        with pytest.raises(StorageError, match=r"cannot write .*m\.prom"):
            write_metrics(path, "a", [Figure("spsetl_sessions", 1)], run="sync")
