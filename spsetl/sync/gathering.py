"""What was fetched is merged some of it at a time: each merge looks through whole tables for the old rows."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

from spsetl.warehouse.merge import Files

# A killed sync fetches again what was not merged: never more than what came within so many seconds.
_SECONDS: Final = 5.0
# In a small copy merging is quick, and is better done while more is fetched than at the end: it may take a fifth of the
# time.
_LEAST_SECONDS: Final = 0.5
_TIMES: Final = 4
_BYTES: Final = 8 * 2**20

T = TypeVar("T")


class Gathering(Generic[T]):
    """What waits to be merged together, in one transaction.

    Args:
        merge: Merges what has waited, one part or more; changes nothing where it fails.
        most: How many sessions wait at most.
        clock: Seconds since any fixed moment.
    """

    def __init__(
        self, merge: Callable[[list[T]], None], *, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._merge = merge
        self._most = most
        self._clock = clock
        self._merged_at = clock()
        self._wait = _LEAST_SECONDS
        self._waiting: list[T] = []
        self._sessions = 0
        self._bytes = 0

    def add(self, fetched: T, files: Files, *, sessions: int) -> None:
        """Take one more part, and merge all that wait if it is time."""
        self._waiting.append(fetched)
        self._sessions += sessions
        self._bytes += sum(Path(path).stat().st_size for paths in files.values() for path in paths)
        is_due = self._clock() - self._merged_at >= self._wait
        if is_due or self._sessions >= self._most or self._bytes >= _BYTES:
            self.merge()

    def merge(self) -> None:
        """Merge all that wait.

        Raises:
            StorageError: The work database cannot be written.
        """
        waiting, self._waiting, self._sessions, self._bytes = self._waiting, [], 0, 0
        began = self._clock()
        if waiting:
            self._merge(waiting)
        self._merged_at = self._clock()
        self._wait = min(_SECONDS, max(_LEAST_SECONDS, _TIMES * (self._merged_at - began)))


def gather_files(parts: Iterable[Files]) -> Files:
    """The files of several parts, by table."""
    files: dict[str, list[str]] = {}
    for part in parts:
        for table, paths in part.items():
            files.setdefault(table, []).extend(paths)
    return files
