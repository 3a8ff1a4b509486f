"""Gathering the lake's small files."""

import errno
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spsetl import __version__, schema
from spsetl.errors import StorageError
from spsetl.lake import CompactReport, Disk, Lake, compact_lake

REPOSITORY = Path(__file__).parents[2]
ODD_NAME = "appliance=sps [1]/../*ü?"
OCTOBER, NOVEMBER = "20261031T235959Z-0a1b2c3d", "20261101T000000Z-4e5f6071"


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


def compact(lake: Lake, *, now: datetime = datetime(2026, 12, 1, tzinfo=UTC)) -> CompactReport:
    """On the first day of December."""
    return compact_lake(lake, now=now)


def names_below(lake: Lake) -> list[str]:
    """All files and empty folders, relative to the lake."""
    found = [path for path in lake.root.rglob("*") if path.is_file() or not any(path.iterdir())]
    return sorted(path.relative_to(lake.root).as_posix() for path in found)


def keys_in(lake: Lake, table: str = "session_scores") -> list[str]:
    """The session keys of a table, sorted."""
    return sorted(key for path in lake.files(table) for key in pq.read_table(path)["session_key"].to_pylist())


def contents(lake: Lake) -> dict[str, bytes]:
    """All files with what is in them."""
    return {str(path): path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}


def test_files_are_gathered_by_table_appliance_and_month(lake: Lake) -> None:
    """Each table has one file for each appliance and month, in the order of the runs, and no folder stays empty."""
    for table in ("session_scores", "events"):
        for appliance in ("sps-1", ODD_NAME):
            for run_id in (OCTOBER, NOVEMBER, "20261130T120000Z-00000000"):
                for part in "ab":
                    key = f"{run_id}-{part}"
                    write(lake, key, table=table, appliance=appliance, run_id=run_id, part=part)
    report = compact_lake(lake, now=datetime(2027, 1, 1, tzinfo=UTC))

    odd = "appliance%3Dsps%20%5B1%5D%2F..%2F%2A%C3%BC%3F"
    assert names_below(lake) == [
        f"{table}/{folder}/{month}.parquet"
        for table in ("events", "session_scores")
        for folder in (odd, "sps-1")
        for month in ("2026-10", "2026-11")
    ]
    assert (report.files_before, report.files_after, report.rows) == (24, 8, 24)
    assert report.bytes_after == sum(len(data) for data in contents(lake).values()) < report.bytes_before
    november = lake.files("events", ODD_NAME)[1]
    assert pq.read_table(november)["run_id"].to_pylist() == [NOVEMBER] * 2 + ["20261130T120000Z-00000000"] * 2


def test_rows_stay_as_they_are(lake: Lake) -> None:
    """Each column of each version of a row is kept, whatever its type, and so is a row that is there twice."""
    columns = schema.SESSIONS.arrow_schema
    values = {"bool": True, "int64": 2**60, "double": 0.1, "string": "ü\0", "timestamp[us]": datetime(2026, 11, 1, 2)}  # noqa: DTZ001
    row = {field.name: values[str(field.type)] for field in columns}
    for part in "ab":
        with lake.writer(appliance="sps-1", run_id=NOVEMBER, part=part) as writer:
            writer.write({"sessions": pa.RecordBatch.from_pylist([row, {"session_key": part}, row], schema=columns)})
    compact(lake)

    table = pq.read_table(lake.files("sessions")[0])
    empty = dict.fromkeys(columns.names)
    assert table.schema.equals(columns)
    assert table.to_pylist() == [row, empty | {"session_key": "a"}, row, row, empty | {"session_key": "b"}, row]


def test_only_months_that_have_ended_are_gathered(lake: Lake) -> None:
    """Of the present one some runs are still to come; of a run whose name tells no month, nobody knows."""
    for run_id in (OCTOBER, NOVEMBER, "run-1", "20261301T000000Z-00000000"):
        for part in "ab":
            write(lake, f"{run_id}{part}", run_id=run_id, part=part)
    compact(lake, now=datetime(2026, 11, 30, 23, 59, tzinfo=UTC))

    assert names_below(lake) == [
        "session_scores/sps-1/2026-10.parquet",
        *(
            f"session_scores/sps-1/{run}/{part}.parquet"
            for run in (NOVEMBER, "20261301T000000Z-00000000", "run-1")
            for part in "ab"
        ),
    ]
    assert len(keys_in(lake)) == 8


def test_footer_says_whose_the_file_is(lake: Lake) -> None:
    """The footer names table and appliance, and rows are packed as the writer does it."""
    for part in "ab":
        write(lake, part, part=part)
    compact(lake)
    metadata = pq.read_metadata(lake.files("session_scores")[0])

    told = {key.decode(): value.decode() for key, value in metadata.metadata.items() if key.startswith(b"spsetl.")}
    assert (told.pop("spsetl.schema"), told.pop("spsetl.version")) == (str(schema.VERSION), __version__)
    assert told == {"spsetl.table": "session_scores", "spsetl.appliance": "sps-1"}
    assert (metadata.num_row_groups, metadata.row_group(0).column(1).compression) == (1, "ZSTD")


def test_again_changes_nothing(lake: Lake) -> None:
    """What is compact stays as it is, to the byte."""
    for part in "abc":
        write(lake, part, part=part)
    write(lake, "alone", run_id=OCTOBER, part="p")
    compact(lake)
    before = contents(lake)
    size = sum(map(len, before.values()))

    assert compact(lake) == CompactReport(2, 2, size, size, 4)
    assert contents(lake) == before


def test_empty_lake_is_compact(lake: Lake) -> None:
    """A lake that is not there yet is compact, and has no appliances and no files."""
    assert compact(lake) == CompactReport(0, 0, 0, 0, 0)
    assert lake.appliances() == []
    assert lake.files("sessions") == []
    assert not lake.root.exists()


def rewrite(path: str, table: pa.Table) -> None:
    """Replace what is in a file, but not what its footer says of it."""
    told = pq.read_metadata(path).metadata
    pq.write_table(table.replace_schema_metadata({key: told[key] for key in told if key != b"ARROW:schema"}), path)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"session_key": ["a"], "from_the_future": [1]}),
        pa.table({"session_key": [1]}),
        pa.table([pa.array(["a"]), pa.array(["b"])], names=["session_key", "session_key"]),
    ],
    ids=["a column more", "another type", "a column twice"],
)
def test_file_that_cannot_be_kept_whole_is_left(lake: Lake, caplog: pytest.LogCaptureFixture, table: pa.Table) -> None:
    """A file with what has no place in the table keeps its month from being gathered, and that is said."""
    newer, *_ = (write(lake, part, part=part) for part in "abc")
    rewrite(newer, table)
    before = Path(newer).read_bytes()
    with caplog.at_level(logging.WARNING):
        compact(lake)

    assert Path(newer).read_bytes() == before
    assert len(lake.files("session_scores")) == 3
    assert newer in caplog.text


def test_month_with_a_file_from_elsewhere_is_left(lake: Lake) -> None:
    """What a person put there, or moved to another appliance's folder; other months and appliances are gathered."""
    paths = [Path(write(lake, part, part=part)) for part in "ab"]
    moved = Path(write(lake, "x", appliance="sps-2", part="x")).rename(paths[0].with_name("x.parquet"))
    for appliance, run_id in (("sps-1", OCTOBER), ("sps-2", NOVEMBER)):
        pq.write_table(pa.table({"session_key": ["y"]}), write(lake, "y", appliance=appliance, run_id=run_id, part="y"))
        write(lake, "z", appliance=appliance, run_id=run_id, part="z")
    write(lake, "c", appliance="sps-3", part="c")
    compact(lake)

    assert {*map(str, paths), str(moved)} < set(lake.files("session_scores"))
    assert len(lake.files("session_scores")) == 8
    assert names_below(lake)[-1] == "session_scores/sps-3/2026-11.parquet"


def cut(path: str) -> None:
    """Take the end away."""
    Path(path).write_bytes(Path(path).read_bytes()[:-20])


def garble(path: str) -> None:
    """Spoil the rows, and leave the footer whole."""
    data = bytearray(Path(path).read_bytes())
    data[4:200] = b"\xff" * 196
    Path(path).write_bytes(data)


def fill(path: str) -> None:
    """Something else altogether, in several lines."""
    Path(path).write_bytes(b"nothing\nof\nthe\nkind\n" * 50)


@pytest.mark.parametrize("damage", [cut, garble, fill])
def test_damaged_file_stops_the_compaction(lake: Lake, damage: Callable[[str], None]) -> None:
    """A damaged file is named with what to do, in one line; it stays, and so do those to be gathered with it."""
    paths = [write(lake, *(f"{part}{i}" for i in range(100)), part=part) for part in "abc"]
    damage(paths[1])
    before = contents(lake)
    with pytest.raises(
        StorageError, match=r"damaged .*: restore it from a backup, or move it out of the lake"
    ) as caught:
        compact(lake)

    assert paths[1] in str(caught.value)
    assert "spsetl rebuild" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(lake) == before
    assert lake.files("session_scores") == paths


class Full(Disk):
    """A disk without space for a month's file."""

    def make_durable(self, path: str) -> None:
        """Fail at the moment when the month's file would become visible."""
        if "/2026-11.parquet" in path:
            raise OSError(errno.ENOSPC, "full", path)
        super().make_durable(path)


def test_full_disk_leaves_what_was_there(lake: Lake) -> None:
    """Where the month's file cannot be written, all stays as it was, and the error says what to do."""
    for part in "ab":
        write(lake, part, part=part)
    before = contents(lake)
    with pytest.raises(StorageError, match="No space left on device: free some space and run again"):
        compact(Lake(lake.root, Full()))

    assert contents(lake) == before


def restore(files: dict[str, bytes]) -> None:
    """Bring files back, as from a backup."""
    for path, data in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)


@pytest.mark.parametrize("tidy", [Lake.remove_leftovers, compact])
def test_replaced_files_that_came_back_are_left_out_and_removed(lake: Lake, tidy: Callable[[Lake], object]) -> None:
    """As from a backup, or since a killed compaction could not delete them: the month's file stands for them."""
    for part in "ab":
        write(lake, part, part=part)
    first = contents(lake)
    compact(lake)
    for path, data in first.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)

    assert names_below(lake)[1:] == [f"session_scores/sps-1/{NOVEMBER}/{part}.parquet" for part in "ab"]
    assert keys_in(lake) == ["a", "b"]
    tidy(lake)
    assert names_below(lake) == ["session_scores/sps-1/2026-11.parquet"]
    assert keys_in(lake) == ["a", "b"]


def test_a_run_in_a_month_that_is_compact_counts_beside_it(lake: Lake) -> None:
    """Its clock was set back: it has a folder for which no month's file stands."""
    write(lake, "a", part="a")
    compact(lake)
    late = write(lake, "b", run_id="20261101T000001Z-00000000", part="b")
    write(lake, "c", run_id=OCTOBER, part="c")
    compact(lake)
    lake.remove_leftovers()

    assert late in lake.files("session_scores")
    assert keys_in(lake) == ["a", "b", "c"]
    assert [name.split("/")[2] for name in names_below(lake)] == [
        "2026-10.parquet",
        "2026-11.parquet",
        "late-20261101T000001Z-00000000",
    ]


def test_duckdb_reads_a_compacted_lake(lake: Lake) -> None:
    """After a compaction a pattern finds each row once, with its own columns only."""
    for part in "abc":
        write(lake, part, appliance=ODD_NAME, part=part)
    compact(lake)

    with duckdb.connect() as connection:
        found = connection.read_parquet(f"{lake.root}/session_scores/**/*.parquet")
        assert found.columns == list(schema.SESSION_SCORES.names)
        assert found.select("session_key").fetchall() == [("a",), ("b",), ("c",)]


MUCH = """
import sys; sys.path[0] = sys.argv[2]
from datetime import UTC, datetime
from pathlib import Path
from random import Random
import pyarrow as pa
from spsetl.lake import Lake, compact_lake
from spsetl.schema import EVENTS

lake = Lake(Path(sys.argv[1]))
for part in range(24):
    with lake.writer(appliance="a", run_id="20261101T000000Z-0", part=str(part)) as writer:
        rows = [{"content": Random(1000 * part + row).randbytes(1000).hex()} for row in range(1000)]
        writer.write({"events": pa.RecordBatch.from_pylist(rows, schema=EVENTS.arrow_schema)})
        del rows
report = compact_lake(lake, now=datetime(2027, 1, 1, tzinfo=UTC))
print(report.files_after, report.rows, pa.default_memory_pool().max_memory())
"""


def test_memory_does_not_grow_with_the_month(lake: Lake) -> None:
    """48 MB of rows are gathered within a fraction of that in memory."""
    command = [sys.executable, "-W", "error", "-c", dedent(MUCH), str(lake.root), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    files, rows, peak = map(int, done.stdout.split())

    assert (files, rows) == (1, 24_000)
    assert peak < 24_000_000
