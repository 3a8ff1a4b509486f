"""One thread at a time, the earliest first."""

from heapq import heappop, heappush
from threading import Event, Lock


class Turns:
    """A lock that goes, of those who wait, to the one with the lowest number.

    Windows that are read side by side would else all be whole at the same moment, and be merged one after another while
    nothing is read; so the first is whole early, and is merged while the others are read.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_taken = False
        self._waiting: list[tuple[int, int, Event]] = []
        self._arrivals = 0

    def take(self, number: int) -> None:
        """Wait for a turn."""
        mine = Event()
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            self._arrivals += 1
            heappush(self._waiting, (number, self._arrivals, mine))
        mine.wait()

    def hand_on(self) -> None:
        """Let the next one have it."""
        with self._lock:
            if self._waiting:
                heappop(self._waiting)[2].set()
            else:
                self._is_taken = False
