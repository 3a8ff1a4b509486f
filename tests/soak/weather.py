"""Bad days, counted: failures of every kind, logins and snapshots that end, and a world that changes meanwhile."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random

from spsetl.simulator import Fault, Simulator

_SHARES: Mapping[Fault, float] = {
    Fault.UNAVAILABLE: 0.05,
    Fault.BAD_GATEWAY: 0.05,
    Fault.SERVICE_UNAVAILABLE: 0.05,
    Fault.RESET: 0.05,
    Fault.HALF_BODY: 0.05,
    Fault.LOG_OUT: 0.05,
    Fault.HANG: 0.0005,  # each costs a time-out
}
_REQUESTS_A_LOGIN = 50
_LISTS_A_SNAPSHOT = 7  # about
_LISTS_A_CHANGE = 3
_DETAILS_A_CHANGE = 100
_DETAILS = frozenset({"channels", "events", "alerts"})


class Weather:
    """What spoils requests, as a hook of the simulator.

    Attributes:
        failures: What was injected, by kind.
        is_changing: Whether the world changes while it is read.
        changed: Sessions that were touched while they were read: their details may well be asked for twice.
        changes: How often that was so.
    """

    def __init__(self, simulator: Simulator, dice: Random, note_key: Callable[[str], None]) -> None:
        self.failures: Counter[str] = Counter()
        self.is_changing = False
        self.changed: set[str] = set()
        self.spared: set[str] = set()
        self.changes = 0
        self._simulator = simulator
        self._dice = dice
        self._note_key = note_key
        self._requests: Counter[str] = Counter()

    def __call__(self, kind: str, path: str, params: Mapping[str, str]) -> Fault | None:  # noqa: ARG002 - a hook
        """Before each answer."""
        if kind == "authentication":
            return None  # a login that is refused is final, and rightly so
        self._requests["all"] += 1
        self._requests["details" if kind in _DETAILS else kind] += 1
        if self._requests["all"] % _REQUESTS_A_LOGIN == 0:
            self.failures["logins ended"] += 1
            self._simulator.end_logins()
        if kind == "list" and self._dice.random() < 1 / _LISTS_A_SNAPSHOT:
            self.failures["snapshots dropped"] += 1
            self._simulator.drop_snapshot()
        if self.is_changing and self._is_time_to_change(kind):
            self._change_world()
        return self._fault()

    def _is_time_to_change(self, kind: str) -> bool:
        return (kind == "list" and self._requests["list"] % _LISTS_A_CHANGE == 0) or (
            kind in _DETAILS and self._requests["details"] % _DETAILS_A_CHANGE == 0
        )

    def _fault(self) -> Fault | None:
        drawn = self._dice.random()
        for fault, share in _SHARES.items():
            drawn -= share
            if drawn < 0:
                self.failures[fault.value] += 1
                return fault
        return None

    def _change_world(self) -> None:
        world = self._simulator.world
        self.changes += 1
        key = self._dice.choice([key for key in world if key not in self.spared])
        self.changed.add(key)
        what = self._dice.randrange(4)
        if what == 0:
            world.delete(key)
        elif what == 1:
            added = world.add(start_time=self._some_time())
            self.changed.add(added)
            self._note_key(added)
        else:
            world.change(key, {"analytics.score.aggregated": self._dice.randrange(100)})

    def _some_time(self) -> datetime:
        """Anywhere among the sessions that there are."""
        world = self._simulator.world
        return world.now - timedelta(seconds=self._dice.randrange(1, world.spec.days * 86_400))
