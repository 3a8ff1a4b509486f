"""An appliance's files under another name, or gone: what `spsetl appliances` does to the lake.

A file is written anew under its new name, durable and visible, before the old one is deleted. Stopped at any instant it
can be run again, to the same end; until then nobody may read the lake, who would find rows twice.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spsetl.lake.lake import Lake
from spsetl.lake.names import TEMPORARY, WHOLE, file_name, folder_of
from spsetl.lake.storage import reading_errors, storage_errors

_NAME = "appliance"


def rename_files(lake: Lake, old: str, new: str) -> None:
    """Give all files of an appliance another name: their folders, their column `appliance`, and their footers.

    Args:
        lake: With nothing half-written left over, for who holds the lock.
        old: The name that they have.
        new: One that nothing in the lake has, but for what a run of this that was stopped has left.

    Raises:
        StorageError: A file is damaged, or the disk is full; what is done stays, and the rest can be done later.
    """
    for folder, paths in _files_of(lake, old).items():
        table, _, *below = folder.removeprefix(f"{lake.root}/").split("/")
        target = "/".join((str(lake.root), table, file_name(new), *below))
        with storage_errors("write", target):
            lake.folders.make(target)
        whole = [path for path in paths if path.endswith(WHOLE)]
        for path in whole:
            _rewrite(lake, path, f"{target}/{Path(path).name}", old, new)
        lake.folders.make_name_durable(f"{target}/any")
        lake.folders.delete(whole)
    _remove_folders(lake, old)


def forget_files(lake: Lake, name: str) -> None:
    """Delete all files of an appliance, unread.

    Args:
        lake: For who holds the lock.
        name: Whose.

    Raises:
        StorageError: A file cannot be deleted; the rest can be done later.
    """
    for paths in _files_of(lake, name).values():
        lake.folders.delete(paths)
    _remove_folders(lake, name)


def _files_of(lake: Lake, name: str) -> Mapping[str, list[str]]:
    """The files of an appliance by their folder, in every table's, also in those that this version does not know."""
    found: dict[str, list[str]] = defaultdict(list)
    for home in _homes(lake, name):
        for info in lake.find(home):
            if info.is_file:
                found[folder_of(info.path)].append(info.path)
    return {folder: sorted(found[folder]) for folder in sorted(found)}


def _homes(lake: Lake, name: str) -> list[str]:
    root = Path(lake.root)
    return [f"{table}/{file_name(name)}" for table in sorted(root.iterdir())] if root.is_dir() else []


def _remove_folders(lake: Lake, name: str) -> None:
    for home in _homes(lake, name):
        folders = [info.path for info in lake.find(home) if not info.is_file]
        for folder in sorted([home, *folders], reverse=True):
            if Path(folder).is_dir():
                lake.folders.remove_if_empty(folder)


def _rewrite(lake: Lake, source: str, target: str, old: str, new: str) -> None:
    """The same row groups with the new name; whatever columns the file has, it keeps."""
    storage = lake.storage
    with reading_errors(source), storage.files.open_input_file(source) as file:
        parquet = pq.ParquetFile(file)
        raw = parquet.metadata.metadata or {}
        told = {key.decode(): value.decode() for key, value in raw.items() if key.startswith(b"spsetl.")}
        with (
            storage_errors("write", target),
            storage.files.open_output_stream(target + TEMPORARY) as sink,
            pq.ParquetWriter(sink, parquet.schema_arrow, compression="zstd") as writer,
        ):
            writer.add_key_value_metadata(told | {"spsetl.appliance": new})
            for number in range(parquet.num_row_groups):
                writer.write_table(_renamed(parquet.read_row_group(number), old, new))
    with storage_errors("write", target):
        storage.make_durable(target + TEMPORARY)
        storage.files.move(target + TEMPORARY, target)


def _renamed(rows: pa.Table, old: str, new: str) -> pa.Table:
    place = rows.schema.get_field_index(_NAME)
    if place < 0:
        return rows
    kind = rows.schema.field(place).type
    names = rows.column(place)
    renamed = pc.if_else(pc.equal(names, pa.scalar(old, kind)), pa.scalar(new, kind), names)
    return rows.set_column(place, rows.schema.field(place), renamed)
