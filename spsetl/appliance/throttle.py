"""How many requests may be under way: fewer when the appliance is busy or slows down, more when it is calm.

Additive increase, multiplicative decrease, as TCP has it. `Limit` is the arithmetic, without threads and without a
clock; `Throttle` is where requests wait for their turn; `QuietPauses` waits quiet hours out.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from spsetl.events import SILENT, Teller
from spsetl.hours import QuietHours

# Weights of a new answer in the means: of about the last 5 answers, and of about the last 50.
_SHORT_WEIGHT: Final = 0.2
_LONG_WEIGHT: Final = 0.02
_FORGETTING: Final = 0.002
_WARM_UP: Final = 20  # answers; the first of a kind may be for small pages, or open the connections
_CLIMB_TIMES: Final = 3
_CLIMB_SECONDS: Final = 0.25
_LOOK_AGAIN: Final = 30.0  # seconds; the machine may have slept, or its clock been set, meanwhile


class RequestsStopped(Exception):  # noqa: N818 - no error: it was asked for
    """The client was told to stop; nothing more is sent. Never tried again."""


class QuietHoursBegan(Exception):  # noqa: N818 - no error: the request is sent later
    """Nothing may be sent now."""


class Outcome(Enum):
    """What a request says of the appliance's load."""

    CALM = auto()
    """An answer with what was asked for; how long it took counts."""
    BUSY = auto()
    """429, 500 SearchUnavailable, 502, 503, 504, a time-out, no connection or a broken one."""
    NOTHING = auto()
    """An answer about the request itself, for example 404: it may come sooner than others, so its time is not noted."""


class _Pace:
    """How long one kind of request takes of late, and at its best: exponentially weighted means, in seconds."""

    def __init__(self) -> None:
        self._count = 0
        self._short = self._long = 0.0
        self._best = float("inf")

    def is_climbing(self, seconds: float) -> bool:
        """Take one more answer in, and tell whether the latest take much longer than the best ever did."""
        self._count += 1
        self._short += (seconds - self._short) * max(_SHORT_WEIGHT, 1 / self._count)
        self._long += (seconds - self._long) * max(_LONG_WEIGHT, 1 / self._count)
        if self._count < _WARM_UP:
            return False
        if self._long < self._best:
            self._best = self._long
        else:  # else one stretch of small pages would make all later ones look slow for ever
            self._best += (self._long - self._best) * _FORGETTING
        return self._short > _CLIMB_TIMES * self._best and self._short - self._best >= _CLIMB_SECONDS


class Limit:
    """The limit of requests under way: from 1 to `most`, where it starts. Not thread-safe.

    A busy outcome halves it, a climbing latency takes one off, as many calm answers in a row as it allows requests add
    one. It is lowered at most once for all requests that were under way together: `lowered` is the number of the round,
    too, and only what began in the newest round moves the limit.
    """

    def __init__(self, most: int) -> None:
        self.most = self.now = self.lowest = most
        self.lowered = 0
        self._calm = 0
        self._paces: defaultdict[str, _Pace] = defaultdict(_Pace)

    def note(self, kind: str, seconds: float, outcome: Outcome, *, begun: int) -> None:
        """Take one outcome in.

        Args:
            kind: Kind of request; latencies are compared within it.
            seconds: How long the request was under way.
            outcome: How it ended.
            begun: What `lowered` was when the request began.
        """
        if outcome is Outcome.BUSY:
            self._lower(self.now // 2, begun)
        elif outcome is Outcome.CALM and self._paces[kind].is_climbing(seconds):
            self._lower(self.now - 1, begun)
        elif outcome is Outcome.CALM and begun == self.lowered:
            self._raise()

    def _lower(self, to: int, begun: int) -> None:
        self._calm = 0
        if begun == self.lowered and self.now > 1:
            self.now = max(to, 1)
            self.lowest = min(self.lowest, self.now)
            self.lowered += 1

    def _raise(self) -> None:
        self._calm += 1
        if self._calm >= self.now:
            self._calm = 0
            self.now = min(self.now + 1, self.most)


@dataclass(slots=True)
class Turn:
    """One request under way; whoever sends it sets the outcome."""

    begun: int
    began: float
    outcome: Outcome = Outcome.NOTHING


class QuietPauses:
    """Waits quiet hours out, and tells of each once. Thread-safe.

    Args:
        hours: When.
        on_quiet: Called with the end, in the zone of `hours`, once for all threads that wait.
        clock: The time now, aware.
    """

    def __init__(
        self, hours: QuietHours, on_quiet: Callable[[datetime], None] | None, clock: Callable[[], datetime]
    ) -> None:
        self._hours = hours
        self._on_quiet = on_quiet
        self._clock = clock
        self._lock = threading.Lock()
        self._told: datetime | None = None

    def until(self) -> datetime | None:
        """When the quiet hours that are on now end; None outside of them."""
        return self._hours.end(self._clock())

    def wait_out(self, stopping: threading.Event) -> bool:
        """Wait until no quiet hours are on; False if `stopping` came first."""
        while until := self.until():
            self._tell(until)
            seconds = self._hours.seconds_until_end(self._clock())
            if stopping.wait(min(seconds, _LOOK_AGAIN)):
                return False
        return True

    def _tell(self, until: datetime) -> None:
        with self._lock:
            news, self._told = until != self._told, until
        if news and self._on_quiet:
            self._on_quiet(until)


class Throttle:
    """Lets requests through, at most as many at the same time as the limit allows now. Thread-safe.

    Args:
        most: The limit is never higher; at least 1.
        pauses: When nothing may be sent; None for never.
        clock: Seconds since any fixed moment.
    """

    def __init__(
        self,
        most: int,
        *,
        pauses: QuietPauses | None = None,
        clock: Callable[[], float] = time.perf_counter,
        teller: Teller = SILENT,
    ) -> None:
        self._teller = teller
        self._limit = Limit(most)
        self._pauses = pauses
        self._clock = clock
        self._changed = threading.Condition()
        self._under_way = 0
        self._stopping = threading.Event()

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return self._limit.now

    @property
    def lowest(self) -> int:
        """The lowest limit so far."""
        return self._limit.lowest

    @property
    def lowered(self) -> int:
        """How often the limit was lowered."""
        return self._limit.lowered

    def stop(self) -> None:
        """Let nothing more through, and end all waiting at once. What is under way goes on."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def wait_while_quiet(self) -> None:
        """Wait until no quiet hours are on.

        Raises:
            RequestsStopped: `stop` was called.
        """
        if self._pauses and not self._pauses.wait_out(self._stopping):
            raise RequestsStopped

    @contextmanager
    def turn(self, kind: str) -> Iterator[Turn]:
        """Wait for a turn, and have it for the time of a `with`.

        Raises:
            RequestsStopped: `stop` was called.
            QuietHoursBegan: Nothing may be sent now; use `wait_while_quiet`, and begin anew.
        """
        turn = self._begin()
        try:
            yield turn
        finally:
            self._end(kind, turn)

    def _begin(self) -> Turn:
        with self._changed:
            while True:
                if self._stopping.is_set():
                    raise RequestsStopped
                if self._pauses and self._pauses.until():
                    raise QuietHoursBegan
                if self._under_way < self._limit.now:
                    break
                self._changed.wait()
            self._under_way += 1
            return Turn(self._limit.lowered, self._clock())

    def _end(self, kind: str, turn: Turn) -> None:
        with self._changed:
            self._under_way -= 1
            before = self._limit.lowest
            self._limit.note(kind, self._clock() - turn.began, turn.outcome, begun=turn.begun)
            if self._under_way < self._limit.now:
                self._changed.notify_all()  # one that is woken may give up, and then nobody would wake the others
            lowest = self._limit.lowest
        if lowest < before:  # not each time: it goes up and down all night
            self._teller.info("fewer requests at once", limit=lowest, kind=kind)
