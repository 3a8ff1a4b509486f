"""What happens to sessions between two nights, beside what the world does by itself."""

from collections import Counter
from datetime import timedelta
from random import Random

from spsetl.simulator import World
from spsetl.simulator.sessions import Session

_HIDDEN_NIGHTS = 3
_LATE = timedelta(days=20)


class Life:
    """Scores, archives, hides, shows, reopens and replaces sessions, one night after the other.

    Attributes:
        watched: The session that is active all the time, and the one that is reopened: nothing else happens to them.
        replaced: Keys that came again for another session, whose revisions begin anew.
    """

    def __init__(self, world: World, dice: Random) -> None:
        self.replaced: set[str] = set()
        self._world, self._dice = world, dice
        self._hidden: dict[int, list[Session]] = {}
        self._deleted: dict[int, list[str]] = {}
        self._done: Counter[str] = Counter()
        # Not the oldest, which the clean-up deletes.
        keys = world.keys()
        self._active, self._reopened = keys[-len(keys) // 3], keys[-len(keys) // 4]
        world.change(self._active, end_time=None)
        self.watched = {self._active, self._reopened}

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in self._done.items())

    @property
    def is_still_active(self) -> bool:
        """Whether the session that is to stay active is."""
        return self._active in self._world and self._world.find(self._active).end is None

    def pass_night(self, night: int) -> None:
        """What happens in this night."""
        world = self._world
        self._rescore()
        self._archive()
        self._hide(night)
        self._show(night)
        self._replace(night)
        self._arrive_late()
        if night % 10 == 3:
            self._done["reopened"] += 1
            world.change(self._reopened, end_time=None)
        elif night % 10 == 7:
            world.change(self._reopened, end_time=world.now - timedelta(hours=1))
        elif night % 4 == 0:
            world.change(self._active, {"analytics.score.aggregated": night})

    def _some(self, count: int) -> list[str]:
        """Sessions of any age, but none that is watched."""
        keys = [key for key in self._world if key not in self.watched]
        return self._dice.sample(keys, min(count, len(keys)))

    def _rescore(self) -> None:
        oldest = [key for key in self._world.keys()[: len(self._world) // 2] if key not in self.watched]
        for key in self._dice.sample(oldest, min(10, len(oldest))):
            self._done["scored again"] += 1
            self._world.change(key, {"analytics.score.aggregated": self._dice.randrange(100)})

    def _archive(self) -> None:
        for key in self._some(5):
            self._done["archived"] += 1
            fields = {"policy": "archive", "server": "10.0.0.9", "path": f"/archive/{self._done['archived']}"}
            archive = {f"recording.audit_trail.archive.{name}": value for name, value in fields.items()}
            self._world.change(key, {"recording.archived": True, **archive})

    def _hide(self, night: int) -> None:
        """A rule hides sessions for some nights; they come back as they were."""
        if night % 5 == 1:
            keys = self._some(4)
            self._hidden[night + _HIDDEN_NIGHTS] = [self._world.find(key) for key in keys]
            for key in keys:
                self._done["hidden"] += 1
                self._world.delete(key)
        if night % 7 == 2:
            keys = self._some(2)
            self._deleted[night + _HIDDEN_NIGHTS] = keys
            for key in keys:
                self._world.delete(key)

    def _show(self, night: int) -> None:
        for session in self._hidden.pop(night, []):
            self._done["shown again"] += 1
            self._world.put(session.at(self._world.now_ms))

    def _replace(self, night: int) -> None:
        """A key comes again for another session."""
        for key in self._deleted.pop(night, []):
            self._done["replaced"] += 1
            self.replaced.add(key)
            self._world.add(key)

    def _arrive_late(self) -> None:
        """A session becomes visible long after its start has been walked past."""
        self._done["very late"] += 1
        self._world.add(start_time=self._world.now - _LATE, creation_time=self._world.now + timedelta(hours=30))
