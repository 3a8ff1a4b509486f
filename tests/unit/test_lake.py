"""Parquet files that are whole or not there at all."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from textwrap import dedent
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spsetl import __version__
from spsetl.errors import StorageError
from spsetl.lake import Disk, Lake, LakeWriter
from spsetl.lake import writer as writer_module
from spsetl.schema import SESSION_LISTS, SESSION_SCORES, SESSIONS, VERSION, Table

REPOSITORY = Path(__file__).parents[2]
ODD_NAME = "appliance=sps [1]/../*ü?"


def batch_of(table: Table, *keys: str, **columns: Any) -> pa.RecordBatch:
    """Rows with these session keys and, in each, these values."""
    rows = [{"session_key": key} | columns for key in keys]
    return pa.RecordBatch.from_pylist(rows, schema=table.arrow_schema)


def names_below(root: Path) -> list[str]:
    """All files, relative to the root."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def keys_in(path: str) -> list[str]:
    """The session keys in a file."""
    return [key.as_py() for key in pq.read_table(path)["session_key"]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "lake")


def writer(lake: Lake, part: str = "p") -> LakeWriter:
    """A writer of one part of one run."""
    return lake.writer(appliance="sps-1", run_id="run-1", part=part)


def test_names_tell_table_appliance_run_and_part(lake: Lake) -> None:
    """A part is one file for each table that has rows, and its names say what it is."""
    with writer(lake, "20261101T000000.000000Z-open") as part:
        part.write({"sessions": batch_of(SESSIONS, "a"), "session_lists": batch_of(SESSION_LISTS, "a", "a")})
        part.write({"sessions": batch_of(SESSIONS, "b")})

    assert names_below(lake.root) == [
        "session_lists/sps-1/run-1/20261101T000000.000000Z-open.parquet",
        "sessions/sps-1/run-1/20261101T000000.000000Z-open.parquet",
    ]
    assert part.rows == {"sessions": 2, "session_lists": 2}
    assert part.files == {table: [str(next((lake.root / table).rglob("*.parquet")))] for table in part.rows}
    assert keys_in(part.files["sessions"][0]) == ["a", "b"]


def test_duckdb_reads_a_list_and_a_glob(tmp_path: Path) -> None:
    """No folder's name is taken for a column, and no name for a pattern, whatever the appliance is called."""
    lake = Lake(tmp_path / "data [1]" / "lake")
    with lake.writer(appliance=ODD_NAME, run_id="run_id=7", part="a b") as part:
        part.write({"sessions": batch_of(SESSIONS, "k", appliance=ODD_NAME, run_id="run_id=7")})
    query = "select appliance, session_key, run_id from read_parquet($files)"

    assert duckdb.execute(query, {"files": part.files["sessions"]}).fetchall() == [(ODD_NAME, "k", "run_id=7")]
    folder = lake.root.parent.rename(tmp_path / "data")
    pattern = f"{folder}/lake/sessions/**/*.parquet"
    assert duckdb.execute(query, {"files": pattern}).fetchall() == [(ODD_NAME, "k", "run_id=7")]
    assert duckdb.execute("describe from read_parquet($files)", {"files": pattern}).fetchall()[0][0] == "appliance"


def test_footer_says_where_the_file_comes_from(lake: Lake) -> None:
    """A file that was moved elsewhere still tells its table, appliance, run and part."""
    with writer(lake) as part:
        part.write({"sessions": batch_of(SESSIONS, "k")})
    metadata = pq.read_metadata(part.files["sessions"][0])

    told = {key.decode(): value.decode() for key, value in metadata.metadata.items() if key.startswith(b"spsetl.")}
    assert told == {
        "spsetl.table": "sessions",
        "spsetl.appliance": "sps-1",
        "spsetl.run_id": "run-1",
        "spsetl.part": "p",
        "spsetl.schema": str(VERSION),
        "spsetl.version": __version__,
    }
    assert metadata.row_group(0).column(1).compression == "ZSTD"
    assert metadata.row_group(0).column(1).statistics.min == "k"


def test_nothing_written_is_no_file(lake: Lake) -> None:
    """A part without rows leaves no file."""
    with writer(lake) as part:
        part.write({})

    assert part.files == {}
    assert names_below(lake.root) == []


def test_nothing_is_visible_before_the_end(lake: Lake) -> None:
    """While a part is written no reader's pattern finds it."""
    with writer(lake) as part:
        part.write({"sessions": batch_of(SESSIONS, "k")})
        assert list(lake.root.rglob("*.parquet")) == []
        assert part.files == {}


def test_exception_leaves_nothing(lake: Lake) -> None:
    """A block that fails leaves neither files nor temporary ones, and its own exception comes through."""
    part = writer(lake)
    with pytest.raises(KeyError, match="nowhere"), part:
        part.write({"sessions": batch_of(SESSIONS, "k"), "nowhere": batch_of(SESSIONS, "k")})

    assert names_below(lake.root) == []
    assert part.files == {}


def test_same_part_again_replaces_its_file(lake: Lake) -> None:
    """Replaying a part of a run leaves one file; another part adds one."""
    for key in ("old", "new"):
        with writer(lake) as part:
            part.write({"sessions": batch_of(SESSIONS, key)})
    with writer(lake, "other") as other:
        other.write({"sessions": batch_of(SESSIONS, "x")})

    assert names_below(lake.root) == ["sessions/sps-1/run-1/other.parquet", "sessions/sps-1/run-1/p.parquet"]
    assert keys_in(part.files["sessions"][0]) == ["new"]


@pytest.mark.parametrize(("rows", "size", "groups"), [(10, 2**30, [12, 8]), (10**6, 1, [4, 4, 4, 4, 4])])
def test_small_batches_are_gathered(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, rows: int, size: int, groups: list[int]
) -> None:
    """Rows wait until they make a good row group, by number or by size, and never longer."""
    monkeypatch.setattr(writer_module, "ROW_GROUP_ROWS", rows + 2)
    monkeypatch.setattr(writer_module, "ROW_GROUP_BYTES", size)
    with writer(lake) as part:
        for _ in range(5):
            part.write({"sessions": batch_of(SESSIONS, *"abcd")})
    metadata = pq.read_metadata(part.files["sessions"][0])

    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == groups


def test_batch_with_other_columns_is_refused(lake: Lake) -> None:
    """A batch that is not its table's never reaches a file."""
    with pytest.raises(ValueError, match="sessions has not its columns"), writer(lake) as part:
        part.write({"sessions": batch_of(SESSION_LISTS, "k")})

    assert names_below(lake.root) == []


class Recorder(Disk):
    """A disk that notes what becomes durable, and whether a file is visible at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.durable: list[tuple[str, bool]] = []

    def make_durable(self, path: str) -> None:
        """Note it, and do it."""
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        self.durable.append((Path(path).name, any(folder.glob("*.parquet"))))
        super().make_durable(path)


def test_file_is_durable_before_it_is_visible_and_its_name_afterwards(tmp_path: Path) -> None:
    """After a loss of power a file is whole or absent, and once the block has ended it is there."""
    disk = Recorder()
    with Lake(tmp_path / "lake", disk).writer(appliance="a", run_id="r", part="p") as part:
        part.write({"sessions": batch_of(SESSIONS, "k")})

    assert disk.durable == [
        ("a", False),
        ("sessions", False),
        ("lake", False),
        (tmp_path.name, False),
        ("p.parquet.tmp", False),
        ("r", True),
    ]


class Failing(Disk):
    """A disk on which making some name durable goes wrong."""

    def __init__(self, ending: str, fail: Callable[[str], None]) -> None:
        super().__init__()
        self._ending = ending
        self._fail = fail

    def make_durable(self, path: str) -> None:
        """Fail for paths of that ending."""
        if path.endswith(self._ending):
            self._fail(path)
        super().make_durable(path)


def no_space(path: str) -> None:
    """What a full disk says at the last moment."""
    raise OSError(errno.ENOSPC, "full", path)


def damage(path: str) -> None:
    """What a bad disk does."""
    Path(path).write_bytes(Path(path).read_bytes()[:-20])


def swallow(path: str) -> None:
    """A file without the rows that were written to it."""
    pq.write_table(SESSION_SCORES.arrow_schema.empty_table(), path)


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        (no_space, "No space left on device: free some space and run again"),
        (damage, "check the disk and run again"),
        (swallow, "Input/output error: check the disk and run again"),
    ],
)
def test_file_that_is_not_whole_is_never_visible(tmp_path: Path, fail: Callable[[str], None], message: str) -> None:
    """Where the last file of a part fails, none of the part is there, and the error says what to do."""
    lake = Lake(tmp_path / "lake", Failing("session_scores/sps-1/run-1/p.parquet.tmp", fail))
    with pytest.raises(StorageError, match=message) as caught, writer(lake) as part:
        part.write({"sessions": batch_of(SESSIONS, "k"), "session_scores": batch_of(SESSION_SCORES, "k")})

    assert names_below(lake.root) == []
    assert "\n" not in str(caught.value)
    assert str(lake.root / "session_scores") in str(caught.value)


def test_part_that_fails_while_it_becomes_visible(tmp_path: Path) -> None:
    """Sessions become visible last; where they cannot, what was new is taken away, what was replaced stays."""
    lake = Lake(tmp_path / "lake")
    with writer(lake) as part:
        part.write({"session_lists": batch_of(SESSION_LISTS, "k")})
    in_the_way = lake.root / "sessions/sps-1/run-1/p.parquet"
    in_the_way.mkdir(parents=True)

    with pytest.raises(StorageError, match="Is a directory"), writer(lake) as part:
        part.write({table.name: batch_of(table, "k") for table in (SESSIONS, SESSION_LISTS, SESSION_SCORES)})

    assert names_below(lake.root) == ["session_lists/sps-1/run-1/p.parquet"]


def test_sessions_become_visible_last(lake: Lake) -> None:
    """A session's row, which makes its other rows count, is there only when they are."""
    with writer(lake) as part:
        part.write({"sessions": batch_of(SESSIONS, "old")})
    (lake.root / "session_scores/sps-1/run-1/p.parquet").mkdir(parents=True)

    with pytest.raises(StorageError, match="Is a directory"), writer(lake) as again:
        again.write({table.name: batch_of(table, "new") for table in (SESSIONS, SESSION_SCORES)})

    assert keys_in(part.files["sessions"][0]) == ["old"]
    assert names_below(lake.root) == ["sessions/sps-1/run-1/p.parquet"]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the place of the lake is an error of one line."""
    (tmp_path / "lake").write_text("")
    with (
        pytest.raises(StorageError, match=r"cannot write .*: Not a directory"),
        writer(Lake(tmp_path / "lake")) as part,
    ):
        part.write({"sessions": batch_of(SESSIONS, "k")})


def run_python(script: str, lake: Lake) -> subprocess.CompletedProcess[str]:
    """Run the script as a program of its own, with the lake's folder as its argument."""
    start = f"import sys; sys.path[0] = {str(REPOSITORY)!r}\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", start + dedent(script), str(lake.root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


WRITE_A_LOT = """
import os, resource, signal
from pathlib import Path
from random import Random
import pyarrow as pa
from spsetl.errors import StorageError
from spsetl.lake import Lake, writer
from spsetl.schema import EVENTS

writer.ROW_GROUP_ROWS = 1000
def write(before, after):
    before()
    with Lake(Path(sys.argv[1])).writer(appliance="sps-1", run_id="run-1", part="p") as part:
        for n in range(10):
            rows = [{"content": Random(1000 * n + i).randbytes(200).hex()} for i in range(1000)]
            part.write({"events": pa.RecordBatch.from_pylist(rows, schema=EVENTS.arrow_schema)})
        after()
"""


def test_full_disk(lake: Lake) -> None:
    """Where no more can be written, the part is not there at all, and the error says what to do."""
    script = """
    try:
        write(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)), lambda: None)
    except StorageError as error:
        print(error)
    """
    done = run_python(WRITE_A_LOT + dedent(script), lake)

    path = lake.root / "events/sps-1/run-1/p.parquet"
    assert done.stdout == f"cannot write {path}: File too large: raise the limit on the size of files and run again\n"
    assert (done.stderr, done.returncode) == ("", 0)
    assert names_below(lake.root) == []


def test_kill_in_mid_write(lake: Lake) -> None:
    """A killed process leaves no visible file, and its leftover goes when the next one tidies up."""
    done = run_python(WRITE_A_LOT + "write(lambda: None, lambda: os.kill(os.getpid(), signal.SIGKILL))\n", lake)

    assert done.returncode == -signal.SIGKILL
    assert names_below(lake.root) == ["events/sps-1/run-1/p.parquet.tmp"]
    assert (lake.root / "events/sps-1/run-1/p.parquet.tmp").stat().st_size > 500_000
    assert lake.remove_leftovers() == 1
    assert names_below(lake.root) == []


def test_tidying_spares_what_is_whole(lake: Lake) -> None:
    """Only temporary files go; a lake that is not there yet is tidy."""
    assert lake.remove_leftovers() == 0
    with writer(lake) as part:
        part.write({"sessions": batch_of(SESSIONS, "k")})

    assert lake.remove_leftovers() == 0
    assert keys_in(part.files["sessions"][0]) == ["k"]


def test_rows_of_any_number_come_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """However rows are cut into batches, the file holds all of them in their order."""
    monkeypatch.setattr(writer_module, "ROW_GROUP_ROWS", 7)
    keys = [f"{n:04}" for n in range(500)]
    random = Random(5)  # noqa: S311 any cuts will do, the same each time
    with writer(lake) as part:
        start = 0
        while start < len(keys):
            end = start + random.randint(0, 20)
            part.write({"sessions": batch_of(SESSIONS, *keys[start:end])})
            start = end

    assert keys_in(part.files["sessions"][0]) == keys
