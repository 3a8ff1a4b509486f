"""Quiet hours: times of the day at which nothing is sent, for example while the appliance cleans up or is backed up."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Self

_DAY: Final = 24 * 60  # minutes
_MINUTE: Final = timedelta(minutes=1)
_TIME: Final = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_RANGE: Final = re.compile(rf"({_TIME})\s*-\s*({_TIME}|24:00)")
_LOOK_AGAIN: Final = 30.0  # seconds; the machine may have slept, or its clock been set, meanwhile


class QuietHoursBegan(Exception):  # noqa: N818 - no error: the request is sent later
    """Nothing may be sent now."""


@dataclass(frozen=True)
class QuietHours:
    """Quiet minutes of the day, 0 for 00:00, as the wall clock of `zone` shows them; None is this machine's zone."""

    minutes: frozenset[int]
    zone: tzinfo | None = None

    @classmethod
    def parse(cls, text: str, zone: tzinfo | None = None) -> Self:
        """From ranges such as `21:55-22:30`, several separated by commas; the end is no more quiet; 24:00 may be one.

        Raises:
            ValueError: It is none, or would leave no time at all; the message does not repeat it.
        """
        minutes: set[int] = set()
        for part in text.split(","):
            match = _RANGE.fullmatch(part.strip())
            if not match:
                raise ValueError("must be times such as 21:55-22:30, several separated by commas")
            begin, end = (60 * int(time[:-3]) + int(time[-2:]) for time in match.groups())
            if begin == end:
                raise ValueError("must not begin and end at the same time")
            minutes.update(minute % _DAY for minute in range(begin, end if begin < end else end + _DAY))
        if len(minutes) == _DAY:
            raise ValueError("must leave some time of the day for requests")
        return cls(frozenset(minutes), zone)

    def end(self, now: datetime) -> datetime | None:
        """When the quiet hours that are on at `now` (aware) end, in their zone; None outside of them.

        What the wall clock shows counts, minute by minute: an hour that a change to daylight saving leaves out is not
        waited for, and one that comes twice is quiet twice.
        """
        if not self._is_quiet(now):
            return None
        # Steps in UTC: in a zone of its own, arithmetic on datetimes does not see its changes.
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
        while self._is_quiet(moment):
            moment += _MINUTE
        return moment.astimezone(self.zone)

    def seconds_until_end(self, now: datetime) -> float:
        """Seconds from `now` (aware) to the end of the quiet hours that are on; 0 outside of them."""
        end = self.end(now)
        return (end.astimezone(UTC) - now.astimezone(UTC)).total_seconds() if end else 0.0

    def _is_quiet(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone)
        return 60 * local.hour + local.minute in self.minutes


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
