"""Which files of the lake count, and whose they are."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spsetl import schema
from spsetl.lake import Lake, compact_lake

ODD_NAME = "appliance=sps [1]/../*ü?"
NOVEMBER = "20261101T000000Z-4e5f6071"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "lake")


def write(
    lake: Lake, *keys: str, table: str = "session_scores", appliance: str = "sps-1", run_id: str = NOVEMBER, part: str
) -> str:
    """Write a row for each of the keys; the file's path."""
    rows = [{"appliance": appliance, "session_key": key, "run_id": run_id} for key in keys]
    columns = schema.BY_NAME[table].arrow_schema
    with lake.writer(appliance=appliance, run_id=run_id, part=part) as writer:
        writer.write({table: pa.RecordBatch.from_pylist(rows, schema=columns)})
    return writer.files[table][0]


def names_below(lake: Lake) -> list[str]:
    """All files and empty folders, relative to the lake."""
    found = [path for path in lake.root.rglob("*") if path.is_file() or not any(path.iterdir())]
    return sorted(path.relative_to(lake.root).as_posix() for path in found)


def keys_in(lake: Lake, table: str = "session_scores") -> list[str]:
    """The session keys of a table, sorted."""
    return sorted(key for path in lake.files(table) for key in pq.read_table(path)["session_key"].to_pylist())


def test_appliances_have_their_own_names(lake: Lake) -> None:
    """Appliances are told as they are called, from any of their files, compacted or not."""
    write(lake, "a", appliance=ODD_NAME, part="p")
    for part in "ab":
        write(lake, "a", table="events", appliance="b", part=part)
    foreign = lake.root / "events/b/2026/p.parquet"
    foreign.parent.mkdir()
    pq.write_table(pa.table({"x": [1]}), foreign)

    assert lake.appliances() == [ODD_NAME, "b"]
    compact_lake(lake, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert lake.appliances() == [ODD_NAME, "b"]


def test_files_of_one_appliance(lake: Lake) -> None:
    """Files can be had by appliance; half-written ones, and other tables', are none."""
    own = [write(lake, "a", part=part) for part in "ba"]
    other = write(lake, "a", appliance=ODD_NAME, part="p")
    write(lake, "a", table="events", part="p")
    Path(f"{other}.tmp").touch()

    assert lake.files("session_scores", "sps-1") == sorted(own)
    assert lake.files("session_scores", ODD_NAME) == [other]
    assert lake.files("session_scores") == sorted([*own, other])
    assert lake.files("session_scores", "nobody") == []


def test_no_file_is_read(lake: Lake) -> None:
    """Listing and tidying ten thousand files opens none: most here are not even Parquet."""
    for part in "ab":
        write(lake, part, part=part)
    compact_lake(lake, now=datetime(2026, 12, 1, tzinfo=UTC))
    for run in range(100):
        folder = lake.root / f"session_scores/sps-1/run-{run}"
        folder.mkdir()
        for part in range(100):
            (folder / f"{part}.parquet").touch()

    assert len(lake.files("session_scores")) == 10_001
    assert lake.remove_leftovers() == 0


def test_empty_folders_of_runs_go(lake: Lake) -> None:
    """A run's folder without files is removed; one in which a person keeps something is not."""
    (lake.root / "events/sps-1/run-1").mkdir(parents=True)
    (lake.root / "events/sps-1/run-2").mkdir()
    (lake.root / "events/sps-1/run-2/note.txt").touch()

    assert lake.remove_leftovers() == 0
    assert names_below(lake) == ["events/sps-1/run-2/note.txt"]
