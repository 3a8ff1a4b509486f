"""The time that logins and snapshots live by: real time, and whatever a test adds to it."""

import time


class Clock:
    """Seconds that never go back; `advance` moves them on without waiting."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Lets so many seconds pass at once."""
        self._ahead += seconds
