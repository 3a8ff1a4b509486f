"""The sessions of a simulated appliance, as they are now, and the hooks that make them arrive, change and vanish."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from spsetl.simulator.details import alerts_of, channels_of, downloads_of, events_of, has_trail, indexing_of
from spsetl.simulator.documents import Document, document_of
from spsetl.simulator.policies import Policies
from spsetl.simulator.rendering import Displays
from spsetl.simulator.sessions import Births, Download, Session
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.times import DAY, HOUR, parse_time, to_datetime, to_ms

_TIMES = ("start_time", "end_time", "creation_time")
_BURST_HOUR = 10
_LATE_DAYS = 10
_LATE_NIGHTS = 2


class World:
    """Everything that the appliance knows, made from the spec alone; the tests' ground truth.

    Another process that builds the world from the same spec, and lets the same nights pass, has the very same one.
    All methods may be called from any thread, also while a simulator serves the world. Those that take the key of a
    session raise KeyError unless one of that key is visible.
    """

    def __init__(self, spec: WorldSpec | None = None) -> None:
        self.spec = spec or WorldSpec()
        self.lock = threading.RLock()
        self.changes = 0
        self.policies = Policies()
        self.now_ms = to_ms(self.spec.now)
        self.displays = Displays(self.spec)
        self._sessions: dict[str, Session] = {}
        self._pending: dict[str, Session] = {}
        self._twins: list[Session] = []
        self._next_number = 0
        self._sorted: list[Session] | None = None
        self._populate()

    # What the world holds

    @property
    def now(self) -> datetime:
        """The world's time (UTC)."""
        return to_datetime(self.now_ms)

    @property
    def night(self) -> int:
        """How many nights have passed."""
        return (self.now_ms - to_ms(self.spec.now)) // DAY

    def __len__(self) -> int:
        """How many sessions are visible."""
        return len(self._sessions)

    def __contains__(self, key: str) -> bool:
        """True if a session of that key is visible."""
        return key in self._sessions

    def __iter__(self) -> Iterator[str]:
        """The keys of all visible sessions, by start_time."""
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The keys of all visible sessions, by start_time."""
        return [session.key for session in self.by_start()]

    def pending_keys(self) -> list[str]:
        """The keys of the sessions that have started and will become visible later."""
        return list(self._pending)

    def session(self, key: str) -> Document:
        """`{"key", "body"}`: the full document as it is now, ISO times, current spelling."""
        return {"key": key, "body": document_of(self.spec, self.find(key))}

    def channels(self, key: str) -> list[Document]:
        """The session's channels, `{"key", "body"}` each."""
        return channels_of(self.spec, self.find(key))

    def events(self, key: str) -> list[Document]:
        """The session's events that can be read now."""
        return list(events_of(self.spec, self.find(key)))

    def alerts(self, key: str) -> list[Document]:
        """The session's stored alerts."""
        return alerts_of(self.spec, self.find(key))

    def trail_downloads(self, key: str) -> list[Document]:
        """Who downloaded the session's recording, by time; most have none, and without a recording there is none."""
        return downloads_of(self.spec, self.find(key))

    def indexing(self, key: str) -> Document | None:
        """What became of the session's indexing; None without a recording, and before the indexer began."""
        return indexing_of(self.spec, self.find(key))

    # What tests may do to it

    def advance(self, by: timedelta) -> None:
        """Lets time pass: sessions close, are indexed, scored and archived, late ones become visible."""
        with self.lock:
            self.now_ms += by // timedelta(milliseconds=1)
            for session in list(self._sessions.values()):
                later = session.at(self.now_ms)
                if later is not session:
                    self.put(later)
            for session in [late for late in self._pending.values() if late.created <= self.now_ms]:
                del self._pending[session.key]
                self.put(session.at(self.now_ms))

    def advance_night(self) -> None:
        """A day passes; a day's worth of sessions is added; the clean-up deletes the oldest few. Deterministic."""
        with self.lock:
            before = self.now_ms
            self.advance(timedelta(days=1))
            self._add_between(before, self.now_ms)
            oldest = max(1, round(self.spec.per_day * self.spec.deleted_per_night))
            for session in self.by_start()[:oldest]:
                self.delete(session.key)

    def delete(self, key: str) -> None:
        """Makes a session vanish."""
        with self.lock:
            session = self._sessions.pop(key)
            self.displays.forget(session.number)
            self._touch()

    def add(self, key: str | None = None, fields: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Makes a session arrive, by default one that started within the last hour, and returns its key.

        `fields` and `more` are as for `change`; with a creation_time in the future it stays hidden until then.
        """
        return self._arrive([key], _by_path(fields, more))[0]

    def add_many(self, count: int, fields: Mapping[str, Any] | None = None, **more: Any) -> list[str]:
        """Makes so many sessions arrive, as `add` does, and returns their keys; all have these fields in common."""
        return self._arrive([None] * count, _by_path(fields, more))

    def list_twice(self, key: str, start_time: datetime | str) -> None:
        """Lists and counts a session a second time, as of another start_time; one index too many still has it."""
        with self.lock:
            twin = self.find(key)._replace(number=self._take_numbers(1)[0])
            self._twins.append(self._changed(twin, {"start_time": start_time}))
            self._touch()

    def give_events(self, key: str, count: int) -> None:
        """Gives a session so many events in place of its own, whatever its index status; the revision grows.

        Their times grow, 20 ms apart on the average, also beyond the session's end.
        """
        with self.lock:
            session = self.find(key)
            self.put(session._replace(given_events=count, bumps=session.bumps + 1))

    def download(
        self, key: str, username: str = "auditor", ip_address: str = "10.10.9.1", *, from_api: bool = False
    ) -> None:
        """Somebody downloads a session's recording, now. The revision stays: who waits for it to grow misses this.

        Raises:
            ValueError: the session has no recording.
        """
        with self.lock:
            session = self.find(key)
            if not has_trail(self.spec, session):
                raise ValueError(f"session {key} has no recording to download")
            new = Download(self.now_ms, username, ip_address, from_api)
            self.put(session._replace(downloads=(*session.downloads, new)))

    def change(self, key: str, fields: Mapping[str, Any] | None = None, *, revision: bool = True, **more: Any) -> None:
        """Changes fields of a session, given by dotted path or with `__` for the dot; the revision grows if wanted.

        start_time, end_time and creation_time take a datetime, a text or None (end_time: active again). A new
        start_time takes the end with it, and both take what comes later: indexing, scores, archiving.
        A change of recording.index_status rules which events can be read, too.
        """
        with self.lock:
            old = self.find(key)
            session = self._changed(old, _by_path(fields, more))
            # Also where milestones went back: a closed session that is active again has passed fewer of them.
            self.put(session._replace(bumps=session.bumps + old.revision + revision - session.revision))

    # What the appliance asks of it

    def find(self, key: str) -> Session:
        """The visible session of that key."""
        return self._sessions[key]

    def by_start(self) -> list[Session]:
        """All visible sessions by start_time, those of one time by number."""
        with self.lock:
            if self._sorted is None:
                self._sorted = sorted([*self._sessions.values(), *self._twins], key=attrgetter("start", "number"))
            return self._sorted

    def put(self, session: Session) -> None:
        """Adds a session or replaces its earlier version."""
        old = self._sessions.get(session.key)
        self._touch()
        self._sessions[session.key] = session._replace(version=self.changes)
        if old is not None and old.number != session.number:
            self.displays.forget(old.number)

    def _arrive(self, keys: Sequence[str | None], fields: Mapping[str, Any]) -> list[str]:
        with self.lock:
            births = Births(self.spec, self.now_ms - HOUR, self.now_ms)
            born = [births.visible(number) for number in self._take_numbers(len(keys))]
            arrived = [
                self._changed(session._replace(key=key or session.key), fields)
                for session, key in zip(born, keys, strict=True)
            ]
            for session in arrived:
                if session.created > self.now_ms:
                    self._pending[session.key] = session
                else:
                    self.put(session)
            return [session.key for session in arrived]

    def _touch(self) -> None:
        self.changes += 1
        self._sorted = None

    def _changed(self, session: Session, fields: Mapping[str, Any]) -> Session:
        others = [(path, value) for path, value in fields.items() if path not in _TIMES]
        if "start_time" in fields:
            session = session.moved(_moment(fields["start_time"]))
        if "creation_time" in fields:
            session = session._replace(created=_moment(fields["creation_time"]))
        if "end_time" in fields:
            session = session.ended(None if fields["end_time"] is None else _moment(fields["end_time"]))
        return session._replace(overrides=(*session.overrides, *others)).at(self.now_ms)

    def _take_numbers(self, count: int) -> range:
        first = self._next_number
        self._next_number += count
        return range(first, first + count)

    def _populate(self) -> None:
        births = Births(self.spec, self.now_ms - self.spec.days * DAY, self.now_ms)
        first = [births.visible(number) for number in self._take_numbers(self.spec.sessions)]
        middle = (self.now_ms - self.spec.days * DAY // 2) // DAY * DAY + _BURST_HOUR * HOUR
        burst = [births.visible(number, middle) for number in self._take_numbers(self.spec.burst)]
        self._sessions.update((session.key, session) for session in (*first, *burst))
        self._await(Births(self.spec, self.now_ms - min(self.spec.days, _LATE_DAYS) * DAY, self.now_ms))

    def _add_between(self, first: int, last: int) -> None:
        births = Births(self.spec, first, last)
        late = self._late_per_day()
        for number in self._take_numbers(max(1, self.spec.per_day - late)):
            self.put(births.visible(number))
        self._await(births)

    def _late_per_day(self) -> int:
        return max(1, round(self.spec.per_day * self.spec.late)) if self.spec.late else 0

    def _await(self, births: Births) -> None:
        """Adds a day's late arrivals: sessions that have started and are not visible yet."""
        for number in self._take_numbers(self._late_per_day()):
            session = births.late(number, nights=1 + number % _LATE_NIGHTS)
            self._pending[session.key] = session


def _by_path(fields: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    return {**(fields or {}), **{name.replace("__", "."): value for name, value in more.items()}}


def _moment(value: datetime | str | int) -> int:
    return to_ms(value) if isinstance(value, datetime) else parse_time(str(value)).ms
