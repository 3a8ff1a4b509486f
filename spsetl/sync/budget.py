"""How much a sync may take for details before it leaves the rest to the next one."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What is left to spend.

    Attributes:
        requests: How many requests the run has sent.
        most_requests: How many it may send; None for any number.
        ends_at: On the monotonic clock, in seconds; None for never.
    """

    requests: Callable[[], int]
    most_requests: int | None
    ends_at: float | None

    @classmethod
    def of(cls, requests: Callable[[], int], *, most_requests: int | None, minutes: float | None) -> "Budget":
        """A budget that begins now."""
        return cls(requests, most_requests, None if minutes is None else time.monotonic() + 60 * minutes)

    @property
    def is_spent(self) -> bool:
        """Whether no further session's details may be asked for."""
        if self.most_requests is not None and self.requests() >= self.most_requests:
            return True
        return self.ends_at is not None and time.monotonic() >= self.ends_at
