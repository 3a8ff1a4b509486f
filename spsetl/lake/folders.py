"""The lake's folders: made before their files, removed after them."""

from collections.abc import Iterable
from pathlib import Path

from pyarrow import fs

from spsetl.lake.names import folder_of
from spsetl.lake.storage import Storage, storage_errors


class Folders:
    """The folders below the lake's own, and what disappears from them.

    Attributes:
        root: The lake's folder.
        storage: Where it is.
    """

    def __init__(self, root: Path, storage: Storage) -> None:
        self.root = root
        self.storage = storage
        self._durable: set[str] = set()

    def make(self, path: str) -> None:
        """Make the folder, and durable with all above it up to the lake's own."""
        if path in self._durable:
            return
        self.storage.files.create_dir(path, recursive=True)
        folder = Path(path)
        for parent in folder.parents:
            if not parent.is_relative_to(self.root.parent):
                break
            self.storage.make_durable(str(parent))
        self._durable.add(path)

    def make_name_durable(self, path: str) -> None:
        """Return when the file's name would survive a loss of power.

        Raises:
            StorageError: The disk fails.
        """
        with storage_errors("write", path):
            self.storage.make_durable(folder_of(path))

    def delete(self, paths: Iterable[str]) -> set[str]:
        """Delete files, durably: one that came back would double its rows once its replacement is itself replaced.

        Returns:
            The folders that they were in.

        Raises:
            StorageError: A file cannot be deleted.
        """
        folders = set()
        for path in sorted(paths):
            with storage_errors("delete", path):
                self.storage.files.delete_file(path)
            folders.add(folder_of(path))
        self.make_durable(folders)
        return folders

    def make_durable(self, folders: Iterable[str]) -> None:
        """Return when what was done to names in those of the folders that exist would survive a loss of power.

        Raises:
            StorageError: The disk fails.
        """
        with storage_errors("write", str(self.root)):
            for info in self.storage.files.get_file_info(sorted(folders)):
                if info.type == fs.FileType.Directory:
                    self.storage.make_durable(info.path)

    def remove_if_empty(self, path: str) -> None:
        """Remove the folder if nothing is in it.

        Raises:
            StorageError: It cannot be removed.
        """
        self._durable.discard(path)
        with storage_errors("delete", path):
            self.storage.remove_empty_folder(path)
