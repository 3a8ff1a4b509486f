"""Compaction: the many small files of an ended month become one, and no row is lost, doubled or changed.

A sync leaves some files for each window, which is right for the night and slow to read after a year. The month's file
`<table>/<appliance>/<YYYY-MM>.parquet` stands for all folders of runs beside it that began in that month: by its name,
whatever is in them. It is whole, durable and visible before the first of their files is deleted, and is never written
again; a run that begins in such a month later, by a clock that was set back, has a folder of another name.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from spsetl import schema
from spsetl.lake.footers import Footer, read_batches, read_footer
from spsetl.lake.lake import Lake
from spsetl.lake.names import month_file
from spsetl.lake.storage import storage_errors
from spsetl.lake.writer import TableFile

_RUN_DEPTH: Final = 3  # <table>/<appliance>/<run_id>/<part>
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CompactReport:
    """What became of the lake's files.

    Attributes:
        files_before: How many there were.
        files_after: How many there are.
        bytes_before: How large they were, together.
        bytes_after: How large they are.
        rows: How many rows they hold, before and after.
    """

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rows: int


def compact_lake(lake: Lake, *, now: datetime | None = None) -> CompactReport:
    """Make one file of each ended month (UTC) of each table and appliance. Again, it changes nothing.

    Only for who holds the lock of the data directory: no run is under way, and one that has ended is never written
    again. It can be killed at any instant; what it left, the next `remove_leftovers` or compaction removes. A month is
    left as it is where spsetl did not write a file of it, or with columns that this version does not know.

    Args:
        lake: Whose lock is held.
        now: Aware; None for the present.

    Raises:
        NewerCopyError: A newer spsetl wrote a file; nothing is gathered.
        StorageError: A file is damaged, or the disk cannot be written; no row is lost by that.
    """
    lake.remove_leftovers()
    before: list[int] = []
    rows = 0
    this_month = f"{(now or datetime.now(UTC)).astimezone(UTC):%Y-%m}"
    months: dict[str, dict[str, Footer]] = defaultdict(dict)
    # Every footer is read before anything is written: what is damaged there stops it all.
    for table in schema.LAKE_TABLES:
        for path, size in sorted(lake.sizes(table.name).items()):
            footer = read_footer(lake.storage, path)
            footer.require_known(path)
            before.append(size)
            rows += footer.rows
            file = month_file(path)
            is_of_run = path.removeprefix(f"{lake.root}/").count("/") == _RUN_DEPTH
            if is_of_run and file is not None and Path(file).stem < this_month:
                months[file][path] = footer
    for path, footers in months.items():
        if (appliance := _whose(path, footers)) is not None:
            _gather(lake, path, appliance, sorted(footers))
    after = [size for table in schema.LAKE_TABLES for size in lake.sizes(table.name).values()]
    return CompactReport(len(before), len(after), sum(before), sum(after), rows)


def _whose(path: str, footers: dict[str, Footer]) -> str | None:
    """The appliance of a month's files, if spsetl wrote them all, and all that they hold has a place in the table."""
    table = schema.BY_NAME[path.rsplit("/", 3)[1]]
    named = {footer.told.get("spsetl.appliance") for footer in footers.values()}
    for file, footer in footers.items():
        if len(named) > 1 or None in named or not _has_place(footer.columns, table.arrow_schema):
            _logger.warning(
                "the files of a month are left as they are, since spsetl did not write all of them: %s", file
            )
            return None
    return named.pop()


def _has_place(found: pa.Schema, columns: pa.Schema) -> bool:
    types = {field.name: field.type for field in columns}
    return len(set(found.names)) == len(found.names) and all(types.get(field.name) == field.type for field in found)


def _gather(lake: Lake, path: str, appliance: str, paths: Sequence[str]) -> None:
    """Make one file of these, and delete them once it is durable."""
    table = path.rsplit("/", 3)[1]
    with storage_errors("write", path):
        file = TableFile(lake.storage, path, table, {"spsetl.appliance": appliance})
    try:
        _copy_rows(lake, paths, file)
    except BaseException:
        file.abandon()
        raise
    # From here on it stays, whatever happens: it may be the only one that has the rows.
    lake.folders.make_name_durable(path)
    for emptied in sorted(lake.folders.delete(paths)):
        lake.folders.remove_if_empty(emptied)


def _copy_rows(lake: Lake, paths: Iterable[str], file: TableFile) -> None:
    for source in paths:
        for batch in read_batches(lake.storage, source, file.table.arrow_schema):
            with storage_errors("write", file.path):
                file.write(batch)
    with storage_errors("write", file.path):
        file.finish()
        file.show()
