"""A session's events and alerts, made when asked for ("Session events", "Session alerts")."""

from collections.abc import Callable, Sequence
from typing import Any, Final, overload

from spsetl.simulator import vocabulary as words
from spsetl.simulator.dice import Dice
from spsetl.simulator.documents import index_status
from spsetl.simulator.facts import Facts, facts_of
from spsetl.simulator.sessions import Session
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.times import SECOND, iso

_MICROSECOND: Final = 1_000  # of them, in a millisecond
_SLOT: Final = 20_000  # microseconds that belong to one given event alone
_IDS: Final = 7  # record ids that belong to one given event alone

Record = dict[str, Any]

# Share of the events that can be read at each index status; at all others there are none ("Audited sessions").
_READABLE: Final = {"INDEXED": 1.0, "INDEXING_FAILED": 0.6, "INDEXING_IN_PROGRESS": 0.4}


def events_of(spec: WorldSpec, session: Session) -> Sequence[Record]:
    """The events by record_id; none where the session is not indexed, unless a test gave it some."""
    facts = facts_of(spec, session.number)
    if session.given_events is not None:
        return _GivenEvents(spec, session, facts, session.given_events)
    if not facts.recorded or not facts.accepted:
        return []
    share = _READABLE.get(index_status(session, facts), 0.0)
    dice = Dice(spec.seed, "events", session.number)
    moments = _Moments(dice, session)
    return [_event(dice, moments.next(), facts) for _ in range(round(facts.events * share))]


def alerts_of(spec: WorldSpec, session: Session) -> list[Record]:
    """The alerts by record_id; none where the content policy does not store them, or before the session was audited."""
    facts = facts_of(spec, session.number)
    if not facts.recorded or not facts.accepted:
        return []
    dice = Dice(spec.seed, "alerts", session.number)
    moments = _Moments(dice, session)
    return [_alert(dice, moments, facts) for _ in range(facts.alerts)]


class _Moments:
    """Growing record ids and times within a session."""

    def __init__(self, dice: Dice, session: Session) -> None:
        self._dice, self._record, self._time = dice, dice.below(50), session.start

    def next(self) -> tuple[int, str]:
        """The next record_id and its time, without a zone and with one to six decimals."""
        self._record += self._dice.between(1, 40)
        self._time += self._dice.below(30 * SECOND)
        decimals = self._dice.between(1, 6)
        whole = iso(self._time)[:19]
        micros = f"{self._time % SECOND:03d}{self._dice.below(1000):03d}"
        return self._record, f"{whole}.{micros[:decimals]}"


class _GivenEvents(Sequence[Record]):
    """As many events as a test wants, each made when it is asked for, from its place alone: pages of them are cheap."""

    def __init__(self, spec: WorldSpec, session: Session, facts: Facts, count: int) -> None:
        self._spec, self._session, self._facts, self._places = spec, session, facts, range(count)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> list[Record]: ...
    def __getitem__(self, at: int | slice) -> Record | list[Record]:
        if isinstance(at, slice):
            return [self._made(place) for place in self._places[at]]
        return self._made(self._places[at])

    def _made(self, place: int) -> Record:
        dice = Dice(self._spec.seed, "given events", self._session.number, place)
        micros = self._session.start * _MICROSECOND + place * _SLOT + dice.below(_SLOT)
        decimals = f"{micros % (SECOND * _MICROSECOND):06d}".rstrip("0") or "0"
        time = f"{iso(micros // _MICROSECOND)[:19]}.{decimals}"
        return _event(dice, (1 + place * _IDS + dice.below(_IDS), time), self._facts)


def _event(dice: Dice, moment: tuple[int, str], facts: Facts) -> Record:
    """An event at a moment: its record_id and its time."""
    kind, texts, prompt = _ACTIVITY[facts.protocol]
    record, time = moment
    text = dice.pick(texts)
    return {
        "action": text,
        "channels_id": str(dice.below(max(1, facts.channels))),
        "content": prompt(facts) + text,
        "record_id": record,
        "time": time,
        "type": "file_transfer" if kind == "command" and text.startswith("scp") else kind,
    }


def _alert(dice: Dice, moments: _Moments, facts: Facts) -> Record:
    record, time = moments.next()
    terminal = facts.protocol in words.TERMINAL_PROTOCOLS
    rule = dice.pick(words.RULES)
    kind = "adp.event.command" if terminal else dice.pick(("adp.event.screen.content", "adp.event.screen.windowtitle"))
    action = dice.pick(words.COMMANDS if terminal else words.TITLES)
    return {
        "alert_type": "adp.event.screen.creditcard" if rule == "CardNumbers" else kind,
        "channel_id": str(dice.below(max(1, facts.channels))),
        "matched_action": action,
        "matched_content": (_prompt(facts) if terminal else "") + action,
        "matched_regexp": dice.pick(words.PATTERNS),
        "record_id": record,
        "rule_name": rule,
        "time": time,
    }


def _prompt(facts: Facts) -> str:
    return f"{facts.user}@server{facts.server:02d}:~$ "


def _no_prompt(_: Facts) -> str:
    return ""


_ACTIVITY: Final[dict[str, tuple[str, tuple[str, ...], Callable[[Facts], str]]]] = {
    "SSH": ("command", words.COMMANDS, _prompt),
    "TELNET": ("command", words.COMMANDS, _prompt),
    "RDP": ("window_title", words.TITLES, _no_prompt),
    "ICA": ("window_title", words.TITLES, _no_prompt),
    "VNC": ("window_title", words.TITLES, _no_prompt),
    "HTTP": ("http_request", words.REQUESTS, _no_prompt),
    "MSSQL": ("command", words.STATEMENTS, _no_prompt),
}
