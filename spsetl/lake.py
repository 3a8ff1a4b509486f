"""The lake: Parquet files of every version ever fetched, append-only, each of them whole or not there at all.

`<root>/<table>/<appliance>/<run_id>/<part>.parquet`. A file is written under a temporary name that `**/*.parquet` does
not match, made durable, and renamed. No folder is called `key=value`: DuckDB and Arrow would take it for a column, in
front of the one in the file.
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from spsetl import schema
from spsetl.errors import StorageError

# Rows wait in memory until they make a row group that is worth reading by itself: bounded, for each table.
ROW_GROUP_ROWS: Final = 100_000
ROW_GROUP_BYTES: Final = 4 * 2**20

_TEMPORARY: Final = ".tmp"
_LONGEST_NAME: Final = 120
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]|^[._]")
_ADVICE: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
    errno.EROFS: "mount it for writing",
}


class Storage(Protocol):
    """Where files are kept: a disk today. An object store needs only these, and `make_durable` does nothing there."""

    files: fs.FileSystem

    def make_durable(self, path: str) -> None:
        """Return when the file, or the names in the folder, would survive a loss of power."""


class Disk:
    """A local file system."""

    def __init__(self) -> None:
        self.files: fs.FileSystem = fs.LocalFileSystem()

    def make_durable(self, path: str) -> None:
        """`fsync` of a file or a folder."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Lake:
    """The Parquet files under one folder.

    Args:
        root: The folder; made when the first file is written.
        storage: Where it is.
    """

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root.absolute()
        self.storage: Storage = storage or Disk()
        self._durable_folders: set[str] = set()

    def writer(self, *, appliance: str, run_id: str, part: str) -> "LakeWriter":
        """Write one part of a run: a window of sessions, or a batch of details.

        Writing the same part of the same run again replaces its files.

        Args:
            appliance: Any name; what a file name cannot hold is quoted.
            run_id: The sync.
            part: Which part, unique within the run; no content of a session.
        """
        return LakeWriter(self, appliance=appliance, run_id=run_id, part=part)

    def remove_leftovers(self) -> int:
        """Remove what killed processes left half-written; only while no writer is open. The number of files removed.

        Raises:
            StorageError: A file cannot be removed.
        """
        with _storage_errors("tidy", str(self.root)):
            files = self.storage.files
            found = files.get_file_info(fs.FileSelector(str(self.root), allow_not_found=True, recursive=True))
            leftovers = [info.path for info in found if info.is_file and info.path.endswith(f".parquet{_TEMPORARY}")]
            for path in leftovers:
                files.delete_file(path)
        return len(leftovers)

    def make_folder(self, path: str) -> None:
        """Make the folder, and durable with all above it up to the lake's own."""
        if path in self._durable_folders:
            return
        self.storage.files.create_dir(path, recursive=True)
        folder = Path(path)
        for parent in folder.parents:
            if not parent.is_relative_to(self.root.parent):
                break
            self.storage.make_durable(str(parent))
        self._durable_folders.add(path)


class LakeWriter:
    """Writes one part; its files become visible together when the `with` block ends, and not at all when it fails.

    Attributes:
        files: After the block: the absolute paths of the files, by table; tables without rows are left out.
        rows: Rows written, by table.
    """

    def __init__(self, lake: Lake, *, appliance: str, run_id: str, part: str) -> None:
        self.files: dict[str, list[str]] = {}
        self.rows: dict[str, int] = {}
        self._lake = lake
        self._metadata = {"spsetl.appliance": appliance, "spsetl.run_id": run_id, "spsetl.part": part}
        self._folder = f"{file_name(appliance)}/{file_name(run_id)}"
        self._name = f"{file_name(part)}.parquet"
        self._open: dict[str, _TableFile] = {}

    def __enter__(self) -> Self:
        return self

    def write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Gather rows, by table.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        for table, batch in batches.items():
            file = self._open.get(table) or self._start(table)
            with _storage_errors("write", file.path):
                file.write(batch)

    def _start(self, table: str) -> "_TableFile":
        folder = f"{self._lake.root}/{schema.BY_NAME[table].name}/{self._folder}"
        path = f"{folder}/{self._name}"
        with _storage_errors("write", path):
            self._lake.make_folder(folder)
            file = self._open[table] = _TableFile(self._lake.storage, path, table, self._metadata)
        return file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._publish()
        except BaseException:
            self._abandon()
            raise
        self.rows = {table: file.rows for table, file in self._open.items()}
        self.files = {table: [file.path] for table, file in self._open.items()}

    def _publish(self) -> None:
        for file in self._open.values():
            with _storage_errors("write", file.path):
                file.finish()
        # The sessions come last: their rows make the others count.
        for file in sorted(self._open.values(), key=lambda file: file.table is schema.SESSIONS):
            with _storage_errors("write", file.path):
                file.show()
        for file in self._open.values():
            with _storage_errors("write", file.path):
                self._lake.storage.make_durable(os.path.dirname(file.path))  # noqa: PTH120 a path of any storage

    def _abandon(self) -> None:
        for file in self._open.values():
            file.abandon()


class _TableFile:
    """One file that is being written: the rows that wait for the next row group, and those that are in it."""

    def __init__(self, storage: Storage, path: str, table: str, metadata: Mapping[str, str]) -> None:
        self.path = path
        self.table = schema.BY_NAME[table]
        self.rows = 0
        self._storage = storage
        self._temporary = path + _TEMPORARY
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._is_shown = False
        self._replaced = storage.files.get_file_info(path).is_file
        self._schema = self.table.arrow_schema
        self._sink = storage.files.open_output_stream(self._temporary)
        try:
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        except BaseException:
            self._sink.close()
            storage.files.delete_file(self._temporary)
            raise
        self._writer.add_key_value_metadata({"spsetl.table": table, **metadata})

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.schema.equals(self._schema):
            raise ValueError(f"a batch of {self.table.name} has not its columns")
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= ROW_GROUP_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=ROW_GROUP_ROWS)
        self.rows += self._waiting_rows
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def finish(self) -> None:
        """Everything durable under the temporary name, and read back as far as its footer says how much there is."""
        self._flush()
        self._writer.close()
        self._sink.close()
        self._storage.make_durable(self._temporary)
        with self._storage.files.open_input_file(self._temporary) as source:
            found = pq.read_metadata(source).num_rows
        if found != self.rows:
            raise OSError(errno.EIO, f"{found} rows of {self.rows} can be read back")

    def show(self) -> None:
        self._storage.files.move(self._temporary, self.path)
        self._is_shown = True

    def abandon(self) -> None:
        """Leave nothing of this part: what it replaced cannot come back, but says the same."""
        for close in (self._writer.close, self._sink.close):
            with suppress(OSError, pa.ArrowException):  # the error that brought us here is the one to report
                close()
        with suppress(OSError):
            if self._is_shown and not self._replaced:
                self._storage.files.delete_file(self.path)
            elif not self._is_shown:
                self._storage.files.delete_file(self._temporary)


def file_name(name: str) -> str:
    """The name as part of a path on any file system: other than letters, digits, `.`, `_` and `-` as %XX.

    A leading dot or underscore is quoted too: some readers skip such a name as hidden, and `..` is no name. A name that
    is too long is cut, and told apart by its hash.
    """
    quoted = (
        _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogateescape")), name)
        or "%"
    )
    if len(quoted) <= _LONGEST_NAME:
        return quoted
    digest = blake2b(name.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{quoted[: _LONGEST_NAME - len(digest) - 1]}-{digest}"


@contextmanager
def _storage_errors(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else (str(error).splitlines() or ["unknown reason"])[0]
        advice = _ADVICE.get(number or 0, "check the disk")
        raise StorageError(f"cannot {verb} {path}: {reason}: {advice} and run again") from error
