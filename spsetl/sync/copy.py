"""The work database of a data directory, brought to this version's schema where an older spsetl has left it."""

from collections.abc import Iterator
from contextlib import contextmanager

from spsetl.lake import Lake
from spsetl.sync.data_dir import DataDir
from spsetl.warehouse.upgrade import upgrade_work
from spsetl.warehouse.work import WorkDatabase


@contextmanager
def open_work(places: DataDir, lake: Lake, *, memory: str | None) -> Iterator[WorkDatabase]:
    """Open the work database, for who holds the lock.

    Args:
        places: Where it is.
        lake: All files, with nothing half-written left over.
        memory: What merging may take, as the settings say.

    Raises:
        NewerCopyError: A newer spsetl wrote the copy; nothing is changed.
        StorageError: A file is damaged, or the disk is full; nothing is changed.
    """
    upgrade_work(places.work, published=places.published, lake=lake, memory=memory)
    with WorkDatabase(places.work, published=places.published, memory=memory) as work:
        yield work
