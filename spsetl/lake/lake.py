"""The lake as a whole: which files count, whose they are, and what killed processes left behind."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pyarrow import fs

from spsetl import schema
from spsetl.lake.folders import Folders
from spsetl.lake.footers import read_footer
from spsetl.lake.names import TEMPORARY, WHOLE, file_name, folder_of, month_file
from spsetl.lake.storage import Disk, Storage, storage_errors
from spsetl.lake.writer import LakeWriter

_RUN_DEPTH: Final = 2  # <table>/<appliance>/<run_id>


class Lake:
    """The Parquet files under one folder.

    Args:
        root: The folder; made when the first file is written.
        storage: Where it is.
    """

    def __init__(self, root: Path, storage: Storage | None = None) -> None:
        self.root = root.absolute()
        self.storage: Storage = storage or Disk()
        self.folders = Folders(self.root, self.storage)

    def writer(self, *, appliance: str, run_id: str, part: str) -> LakeWriter:
        """Write one part of a run: a window of sessions, or a batch of details.

        Writing the same part of the same run again replaces its files.

        Args:
            appliance: Any name; what a file name cannot hold is quoted.
            run_id: The sync.
            part: Which part, unique within the run; no content of a session.
        """
        return LakeWriter(self.folders, appliance=appliance, run_id=run_id, part=part)

    def files(self, table: str, appliance: str | None = None) -> list[str]:
        """The absolute paths of a table's files, sorted: between them they hold each row that was written, once.

        A file whose rows are in its month's is left out, also where a killed compaction left it lying there.

        Args:
            table: One of the schema's.
            appliance: Only its files.

        Raises:
            StorageError: A folder cannot be listed.
        """
        return sorted(self.sizes(table, appliance))

    def sizes(self, table: str, appliance: str | None = None) -> dict[str, int]:
        """As `files`, with the size of each in bytes.

        Raises:
            StorageError: As `files`.
        """
        folder = f"{self.root}/{schema.BY_NAME[table].name}"
        if appliance is not None:
            folder += f"/{file_name(appliance)}"
        whole = {info.path: info.size for info in self.find(folder) if _is_whole(info)}
        replaced = _replaced(whole)
        return {path: size for path, size in whole.items() if path not in replaced}

    def appliances(self) -> list[str]:
        """The names of the appliances that have files here, as they are called and not as folders spell them; sorted.

        Raises:
            StorageError: The lake cannot be listed, or a file is damaged.
        """
        names: dict[str, str] = {}
        for path in sorted(info.path for info in self.find(str(self.root)) if _is_whole(info)):
            _, _, below = path.removeprefix(f"{self.root}/").partition("/")
            folder = below.partition("/")[0]
            if folder in names:
                continue
            name = read_footer(self.storage, path).told.get("spsetl.appliance")
            if name is not None and file_name(name) == folder:
                names[folder] = name
        return sorted(names.values())

    def require_known(self) -> None:
        """Stop where a newer spsetl has written any file. Every footer is read.

        Raises:
            NewerCopyError: Says which spsetl is needed.
            StorageError: The lake cannot be listed, or a file is damaged.
        """
        for path in sorted(info.path for info in self.find(str(self.root)) if _is_whole(info)):
            read_footer(self.storage, path).require_known(path)

    def remove_leftovers(self) -> int:
        """Remove what killed processes left; only while no writer is open. The number of files removed.

        That is what was half-written, what a month's file stands for, and folders without anything in them. No file is
        read.

        Raises:
            StorageError: A file cannot be removed.
        """
        found = self.find(str(self.root))
        leftovers = [info.path for info in found if info.is_file and info.path.endswith(WHOLE + TEMPORARY)]
        with storage_errors("tidy", str(self.root)):
            for path in leftovers:
                self.storage.files.delete_file(path)
        replaced = _replaced(info.path for info in found if _is_whole(info))
        for file in sorted({file for path in replaced if (file := month_file(path)) is not None}):
            self.folders.make_name_durable(file)
        self.folders.delete(replaced)
        self._remove_empty_folders(found, {*leftovers, *replaced})
        return len(leftovers) + len(replaced)

    def _remove_empty_folders(self, found: Iterable[fs.FileInfo], removed: set[str]) -> None:
        filled = {folder_of(info.path) for info in found if info.path not in removed}
        empty = [
            info.path
            for info in found
            if not info.is_file
            and info.path not in filled
            and info.path.removeprefix(f"{self.root}/").count("/") == _RUN_DEPTH
        ]
        # Whoever emptied them may have been killed before that was durable.
        self.folders.make_durable(empty)
        for folder in empty:
            self.folders.remove_if_empty(folder)

    def find(self, folder: str) -> list[fs.FileInfo]:
        """All files and folders below a folder of the lake; none where it is not there.

        Raises:
            StorageError: It cannot be listed.
        """
        with storage_errors("list", folder):
            selector = fs.FileSelector(folder, allow_not_found=True, recursive=True)
            found: list[fs.FileInfo] = self.storage.files.get_file_info(selector)
            return found


def _replaced(paths: Iterable[str]) -> set[str]:
    """Those whose rows a month's file among them has."""
    present = set(paths)
    return {path for path in present if month_file(path) in present}


def _is_whole(info: fs.FileInfo) -> bool:
    return bool(info.is_file) and str(info.path).endswith(WHOLE)
