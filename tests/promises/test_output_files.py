"""Files that a person asks for: under no name that another could foresee, through no link, for their owner."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import get_ident

import pytest

from spsetl.cli import run
from spsetl.extract.snapshot import Snapshots
from spsetl.metrics import write_metrics
from spsetl.runs import Run
from spsetl.settings import Settings
from spsetl.sync.data_dir import keep_last_run
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.publish import publish
from spsetl.warehouse.work import WorkDatabase
from tests.published import publish_sessions

VICTIM = "what was there"


@pytest.fixture
def data(no_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published copy, and no other settings."""
    data = publish_sessions(tmp_path / "data", [{"user_name": "ann", "protocol": "ssh"}])
    with WorkDatabase(data / "work" / "warehouse.duckdb", published=data / "warehouse.duckdb") as work:
        build_marts(work, Settings().office_hours)
        work.checkpoint()
    publish(data / "work" / "warehouse.duckdb", data / "warehouse.duckdb")
    monkeypatch.setenv("SPSETL_DATA_DIR", str(data))
    return data


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of ours that somebody would like to see overwritten."""
    victim = tmp_path / "victim"
    victim.write_text(VICTIM)
    return victim


def plant(folder: Path, victim: Path, names: list[str]) -> None:
    """What another user of the machine puts where a name can be foreseen."""
    for name in names:
        (folder / name).symlink_to(victim)


def mode(path: Path) -> int:
    """Its permissions."""
    return path.stat().st_mode & 0o777


def last_run(folder: Path) -> None:
    """Note how a run goes."""
    keep_last_run(folder, Run(appliance="sps"))


def metrics(folder: Path) -> None:
    """Write the metrics file."""
    write_metrics(folder / "spsetl.prom", Run(appliance="sps"), folder / "warehouse.duckdb")


def remember(folder: Path) -> None:
    """Note which snapshot was opened."""
    Snapshots(None, folder / "snapshot-sps.json", waits=False, sleep=lambda _: False)._remember("x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda folder: run(["sql", "select 1", "-o", str(folder / "out.csv")]), "out.csv"),
        (lambda folder: run(["search", "-o", str(folder / "out.parquet")]), "out.parquet"),
        (lambda folder: run(["stats", "protocol", "-o", str(folder / "out.parquet")]), "out.parquet"),
        (lambda folder: run(["histogram", "-o", str(folder / "out.json")]), "out.json"),
        (lambda folder: run(["quarantine", "-o", str(folder / "out.csv")]), "out.csv"),
        (lambda folder: run(["appliances", "-o", str(folder / "out.parquet")]), "out.parquet"),
        (lambda folder: run(["status", "-o", str(folder / "out.csv")]), "out.csv"),
        (lambda folder: run(["report", "-o", str(folder / "out.html")]), "out.html"),
        (last_run, "last-runs-sps.json"),
        (metrics, "spsetl.prom"),
        (remember, "snapshot-sps.json"),
    ],
)
def test_a_planted_name_is_not_followed(
    write: Callable[[Path], object], name: str, data: Path, victim: Path, tmp_path: Path
) -> None:
    """Neither that of the file while it is written, however a program might call it, nor its own."""
    folder = tmp_path / "shared"
    folder.mkdir()
    process, stem = os.getpid(), name.rpartition(".")[0]
    plant(
        folder,
        victim,
        [
            name, f".{name}.{process}.partial", f"{name}.partial", f"{stem}.new", f"{name}.new", f"{name}.tmp",
            f"{name}.{process}.{get_ident()}",  # as prometheus_client would have it
        ],
    )  # fmt: skip
    assert write(folder) in (0, None)
    assert victim.read_text() == VICTIM
    assert not (folder / name).is_symlink()
    assert (folder / name).stat().st_size > 0
    assert mode(folder / name) == (0o644 if name.endswith(".prom") else 0o600)
    assert not list(folder.glob(".*.partial")) or [path.is_symlink() for path in folder.glob(".*.partial")] == [True]


def test_exports_are_for_their_owner(data: Path, victim: Path, tmp_path: Path) -> None:
    """Every mart, whatever a generous umask would allow."""
    folder = tmp_path / "out"
    (folder / "dim_users").mkdir(parents=True)
    plant(folder / "dim_users", victim, ["dim_users.csv", f".dim_users.csv.{os.getpid()}.partial"])
    before = os.umask(0)
    try:
        assert run(["export", str(folder), "--format", "csv"]) == 0
        assert run(["report"]) == 0
    finally:
        os.umask(before)
    files = [path for path in folder.rglob("*.csv") if ".partial" not in path.name]
    assert files
    assert {mode(path) for path in (*files, *(data / "reports").iterdir())} == {0o600}
    assert mode(data / "reports") == 0o700
    assert victim.read_text() == VICTIM


def test_a_device_and_a_pipe_are_written_as_they_are(data: Path, tmp_path: Path) -> None:
    """Nothing takes the place of what is no file, and no mode is changed."""
    assert run(["sql", "select 1", "-o", "/dev/null"]) == 0
    assert not Path("/dev/null").is_file()


def test_a_foreign_pipe_is_not_filled(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that another user has put there would read what we write."""
    pipe = tmp_path / "out.csv"
    os.mkfifo(pipe)
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: pipe.stat().st_uid + 1)
    else:
        os.chown(pipe, 12345, -1)
    assert run(["sql", "select 1", "-o", str(pipe)]) == 2
