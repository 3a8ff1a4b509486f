"""Writing the lake's files: rows are gathered to row groups, and a file is visible only when it is whole."""

import errno
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from spsetl import schema
from spsetl.lake.folders import Folders
from spsetl.lake.footers import who_writes
from spsetl.lake.names import TEMPORARY, WHOLE, file_name, folder_of, late_name, month_file
from spsetl.lake.storage import Storage, storage_errors

# Rows wait in memory until they make a row group that is worth reading by itself: bounded, for each table.
ROW_GROUP_ROWS: Final = 100_000
ROW_GROUP_BYTES: Final = 4 * 2**20


def _turn(table: schema.Table) -> int:
    """When a part's file is shown: a session's row makes its other rows count, and a window says that all are there."""
    if table is schema.SESSIONS:
        return 1
    return 2 if table in (schema.SYNC_WINDOWS, schema.MISSING_SESSIONS, schema.DETAIL_FETCHES) else 0


class TableFile:
    """One file that is being written: the rows that wait for the next row group, and those that are in it.

    Attributes:
        path: Where it will be visible.
        table: What its rows are.
        rows: How many are in row groups; all of them once it is finished.
    """

    def __init__(self, storage: Storage, path: str, table: str, metadata: Mapping[str, str]) -> None:
        self.path = path
        self.table = schema.BY_NAME[table]
        self.rows = 0
        self._storage = storage
        self._temporary = path + TEMPORARY
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
        self._writer.add_key_value_metadata({"spsetl.table": table, **who_writes(), **metadata})

    def write(self, batch: pa.RecordBatch) -> None:
        """Gather rows.

        Raises:
            OSError: The disk is full or cannot be written.
        """
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
        """Give the file its name; that is durable once its folder is."""
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


class LakeWriter:
    """Writes one part; its files become visible together when the `with` block ends, and not at all when it fails.

    Attributes:
        files: After the block: the absolute paths of the files, by table; tables without rows are left out.
        rows: Rows written, by table.
    """

    def __init__(self, folders: Folders, *, appliance: str, run_id: str, part: str) -> None:
        self.files: dict[str, list[str]] = {}
        self.rows: dict[str, int] = {}
        self._folders = folders
        self._metadata = {"spsetl.appliance": appliance, "spsetl.run_id": run_id, "spsetl.part": part}
        self._appliance = file_name(appliance)
        self._run_id = run_id
        self._name = f"{file_name(part)}{WHOLE}"
        self._open: dict[str, TableFile] = {}

    def __enter__(self) -> Self:
        return self

    def write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Gather rows, by table.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        for table, batch in batches.items():
            file = self._open.get(table) or self._start(table)
            with storage_errors("write", file.path):
                file.write(batch)

    def _start(self, table: str) -> TableFile:
        home = f"{self._folders.root}/{schema.BY_NAME[table].name}/{self._appliance}"
        folder = f"{home}/{file_name(self._run_id)}"
        path = f"{folder}/{self._name}"
        with storage_errors("write", path):
            month = month_file(path)
            if month is not None and self._folders.storage.files.get_file_info(month).is_file:
                folder = f"{home}/{late_name(self._run_id)}"
                path = f"{folder}/{self._name}"
            self._folders.make(folder)
            file = self._open[table] = TableFile(self._folders.storage, path, table, self._metadata)
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
            with storage_errors("write", file.path):
                file.finish()
        for file in sorted(self._open.values(), key=lambda file: _turn(file.table)):
            with storage_errors("write", file.path):
                file.show()
        for file in self._open.values():
            with storage_errors("write", file.path):
                self._folders.storage.make_durable(folder_of(file.path))

    def _abandon(self) -> None:
        for file in self._open.values():
            file.abandon()
