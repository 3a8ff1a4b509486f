"""Compaction: many small files become few, and no row is lost, doubled or changed.

A sync leaves some files for each window, which is right for the night and slow to read after a year. A compacted file
holds all rows of the files that it replaces, and its footer names them. It is whole, durable and visible before the
first of them is deleted; who lists the lake in between leaves those out that it names. They are gone, durably, before
anything else is gathered, so that no file is ever replaced by two.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import pyarrow as pa

from spsetl import schema
from spsetl.lake.footers import MONTH, REPLACES, Footer, read_batches, read_footer, replaced_by
from spsetl.lake.lake import Lake
from spsetl.lake.names import compacted_name, file_name, folder_of, may_be_compacted, month_of
from spsetl.lake.storage import storage_errors
from spsetl.lake.writer import TableFile

TARGET_BYTES: Final = 128 * 2**20

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


@dataclass(frozen=True)
class _File:
    """A file that can be gathered with others."""

    path: str
    size: int


class _Group(NamedTuple):
    """Whose files can be gathered."""

    table: str
    appliance: str
    month: str

    def folder(self, lake: Lake) -> str:
        return f"{lake.root}/{self.table}/{file_name(self.appliance)}/{self.month}"


def compact_lake(lake: Lake, *, target_bytes: int = TARGET_BYTES) -> CompactReport:
    """Gather the lake's small files by table, appliance and month of the run (UTC). Again, it changes nothing.

    Only for who holds the lock of the data directory: a writer that wrote a part of a run again after its file was
    gathered would write to a name that counts as replaced. A run that has ended is never written again, and no run is
    under way while the lock is held. It can be killed at any instant; what it left, the next `remove_leftovers` or
    compaction removes. A file that spsetl did not write, or with columns that this version does not know, is left as it
    is.

    Args:
        lake: Whose lock is held.
        target_bytes: Files are gathered as long as they are no larger together.

    Raises:
        NewerCopyError: A newer spsetl wrote a file; nothing is gathered.
        StorageError: A file is damaged, or the disk cannot be written; no row is lost by that.
    """
    lake.remove_leftovers()
    before: list[int] = []
    rows = 0
    groups: dict[_Group, list[_File]] = defaultdict(list)
    # Every footer is read before anything is written: what is damaged there stops it all.
    for table in schema.LAKE_TABLES:
        for path, size in sorted(lake.sizes(table.name).items()):
            footer = read_footer(lake.storage, path)
            footer.require_known(path)
            before.append(size)
            rows += footer.rows
            group = _recognise(lake, table, path, footer)
            if group is not None:
                groups[group].append(_File(path, size))
    for group, files in groups.items():
        _compact_group(lake, group, files, target_bytes)
    after = [size for table in schema.LAKE_TABLES for size in lake.sizes(table.name).values()]
    return CompactReport(len(before), len(after), sum(before), sum(after), rows)


def _recognise(lake: Lake, table: schema.Table, path: str, footer: Footer) -> _Group | None:
    """What the file belongs to, if this version wrote it or an older one: all it holds has a place in the table."""
    told = footer.told
    appliance = told.get("spsetl.appliance")
    run_id = told.get("spsetl.run_id")
    month = told.get(MONTH) if run_id is None else month_of(run_id)
    if appliance is not None and month is not None:
        group = _Group(table.name, appliance, month)
        is_at_home = folder_of(folder_of(path)) == folder_of(group.folder(lake))
        if told.get("spsetl.table") == table.name and is_at_home and _has_place(footer.columns, table.arrow_schema):
            return group
    _logger.warning("left as it is, since this version of spsetl did not write it: %s", path)
    return None


def _has_place(found: pa.Schema, columns: pa.Schema) -> bool:
    types = {field.name: field.type for field in columns}
    return len(set(found.names)) == len(found.names) and all(types.get(field.name) == field.type for field in found)


def _compact_group(lake: Lake, group: _Group, files: Sequence[_File], target_bytes: int) -> None:
    """Gather until no two files fit together: what is gathered is smaller than its parts, and may fit once more."""
    while chosen := _choose(files, target_bytes):
        gathered = _gather(lake, group, sorted(file.path for file in chosen))
        files = [*(file for file in files if file not in chosen), gathered]


def _choose(files: Iterable[_File], target_bytes: int) -> set[_File]:
    """As many of the smallest as fit into one file; none where no two do."""
    chosen: set[_File] = set()
    total = 0
    for file in sorted(files, key=lambda file: (file.size, file.path)):
        total += file.size
        if total > target_bytes:
            break
        chosen.add(file)
    return chosen if len(chosen) > 1 else set()


def _gather(lake: Lake, group: _Group, paths: Sequence[str]) -> _File:
    """Make one file of these, and delete them once it is durable."""
    path = f"{group.folder(lake)}/{compacted_name()}"
    told = {
        "spsetl.appliance": group.appliance,
        MONTH: group.month,
        REPLACES: json.dumps([replaced.removeprefix(f"{lake.root}/") for replaced in paths]),
    }
    with storage_errors("write", path):
        lake.folders.make(group.folder(lake))
        file = TableFile(lake.storage, path, group.table, told)
    try:
        _make_deletions_durable(lake, paths)
        _copy_rows(lake, paths, file)
    except BaseException:
        file.abandon()
        raise
    # From here on it stays, whatever happens: it may be the only one that has the rows.
    lake.folders.make_name_durable(path)
    for emptied in sorted(lake.folders.delete(paths)):
        lake.folders.remove_if_empty(emptied)
    with storage_errors("read", path):
        return _File(path, lake.storage.files.get_file_info(path).size)


def _make_deletions_durable(lake: Lake, paths: Iterable[str]) -> None:
    """Of what these replaced: who deleted it may have been killed before that was durable, and they soon go too."""
    replaced = set[str]().union(*(replaced_by(lake.folders, path) for path in paths if may_be_compacted(path)))
    lake.folders.make_durable({folder_of(path) for path in replaced})


def _copy_rows(lake: Lake, paths: Iterable[str], file: TableFile) -> None:
    for source in paths:
        for batch in read_batches(lake.storage, source, file.table.arrow_schema):
            with storage_errors("write", file.path):
                file.write(batch)
    with storage_errors("write", file.path):
        file.finish()
        file.show()
