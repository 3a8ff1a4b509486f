"""What is in the lake's files: told by their footers, and read in pieces that fit in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from spsetl import __version__, schema
from spsetl.lake.storage import Storage, damaged, reading_errors

# Which tables its writer knew, and which spsetl that was.
SCHEMA: Final = "spsetl.schema"
WRITTEN_BY: Final = "spsetl.version"

_BATCH_ROWS: Final = 4096


@dataclass(frozen=True)
class Footer:
    """What a file says of itself.

    Attributes:
        rows: How many it has.
        columns: Their names and types.
        told: What spsetl wrote there: `spsetl.table`, `spsetl.appliance`, …; empty in a file from elsewhere.
    """

    rows: int
    columns: pa.Schema
    told: Mapping[str, str]

    def require_known(self, path: str) -> None:
        """Stop where a newer spsetl has written the file.

        Raises:
            NewerCopyError: Says which one is needed.
        """
        schema.require_known(path, int(self.told.get(SCHEMA, 0)), self.told.get(WRITTEN_BY))


def who_writes() -> dict[str, str]:
    """What every file says of its writer."""
    return {SCHEMA: str(schema.VERSION), WRITTEN_BY: __version__}


def read_footer(storage: Storage, path: str) -> Footer:
    """What the file says of itself.

    Raises:
        StorageError: It cannot be read or is damaged.
    """
    with reading_errors(path), storage.files.open_input_file(path) as source:
        metadata = pq.read_metadata(source)
        raw = metadata.metadata or {}
        told = {key.decode(): value.decode() for key, value in raw.items() if key.startswith(b"spsetl.")}
        return Footer(metadata.num_rows, metadata.schema.to_arrow_schema(), told)


def read_batches(storage: Storage, path: str, columns: pa.Schema) -> Iterator[pa.RecordBatch]:
    """All rows of the file in these columns; those that the file has not are NULL, or what its footer says of all.

    Raises:
        StorageError: The file cannot be read or is damaged.
    """
    found = 0
    with reading_errors(path), storage.files.open_input_file(path) as source:
        file = pq.ParquetFile(source)
        told = {"run_id": (file.metadata.metadata or {}).get(b"spsetl.run_id")}
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            found += batch.num_rows
            yield _conform(batch, columns, told)
        expected = file.metadata.num_rows
    if found != expected:
        raise damaged(path, f"{found} rows of {expected} can be read")


def _conform(batch: pa.RecordBatch, columns: pa.Schema, told: Mapping[str, bytes | None]) -> pa.RecordBatch:
    names = set(batch.schema.names)
    arrays = [
        batch.column(field.name)
        if field.name in names
        else pa.repeat(pa.scalar(told.get(field.name), field.type), batch.num_rows)
        for field in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)
