"""What is under a session, made when asked for: channels, events, alerts, recording, its downloads and indexing.

Events, alerts and channels are as the guide has them ("Session events", "Session alerts", "Audited sessions").
Downloads and indexing have the shapes of the samples of the REST API guide, "Session audit trail downloads" (6.9.5,
page 40) and "Indexing sessions" (7.0.1 LTS, page 44): lists of plain items, without a key each. Guesses, as no guide
says: which sessions have how many, that a session without a recording has an empty list of downloads and a 404 for its
indexing, that one that was not indexed yet has an empty list there, and every `status` but COMPLETED.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from spsetl.simulator import vocabulary as words
from spsetl.simulator.documents import Document, index_status
from spsetl.simulator.sessions import CLOSED, INDEXED, PROGRESS, SCORED, Download, Facts, Session, facts_of
from spsetl.simulator.spec import Dice, WorldSpec, spread
from spsetl.simulator.times import SECOND, iso

FORMS: Final = ("zat", "srs")
CHANNEL_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "SSH": (
        "session shell", "session exec", "session exec scp", "session subsystem sftp", "local forward",
        "remote forward", "x11 forward",
    ),
    "RDP": (
        "drawing", "sound", "clipboard", "seamless", "dynamic virtual", "custom", "serial redirect",
        "parallel redirect", "printer redirect", "disk redirect", "scard redirect",
    ),
    "ICA": ("drawing", "clipboard", "seamless"),
    "TELNET": ("telnet",),
    "VNC": ("vnc",),
    "HTTP": ("http",),
    "MSSQL": ("mssql",),
}  # fmt: skip
_REFUSED: Final = ("deny", "four-eyes-reject", "four-eyes-timeout", "four-eyes-deferred", "four-eyes-error")
# Share of the events that can be read at each index status; at all others there are none ("Audited sessions").
_READABLE: Final = {"INDEXED": 1.0, "INDEXING_FAILED": 0.6, "INDEXING_IN_PROGRESS": 0.4}
_ACTIVITY: Final = {
    "SSH": ("command", words.COMMANDS),
    "TELNET": ("command", words.COMMANDS),
    "RDP": ("window_title", words.TITLES),
    "ICA": ("window_title", words.TITLES),
    "VNC": ("window_title", words.TITLES),
    "HTTP": ("http_request", words.REQUESTS),
    "MSSQL": ("command", words.STATEMENTS),
}
_MICROSECOND: Final = 1_000  # of them, in a millisecond
_SLOT: Final = 20_000  # microseconds that belong to one given event alone
_IDS: Final = 7  # record ids that belong to one given event alone
_DOWNLOADS: Final = spread((0, 85), (1, 9), (2, 4), (4, 2))
_JOBS: Final = {"INDEXING_IN_PROGRESS": "IN_PROGRESS", "INDEXED": "COMPLETED", "INDEXING_FAILED": "FAILED"}
_SMALLEST, _LARGEST = 20_000, 400_000  # bytes of a recording


def channels_of(spec: WorldSpec, session: Session) -> list[Document]:
    """The channels, `{"key", "body"}` each; the last one of an active session is open."""
    facts = facts_of(spec, session.number)
    dice = Dice(spec.seed, "channels", session.number)
    return [{"key": str(at + 1), "body": _channel(dice, session, facts, at)} for at in range(facts.channels)]


def _channel(dice: Dice, session: Session, facts: Facts, at: int) -> Document:
    types = CHANNEL_TYPES[facts.protocol]
    kind = types[(session.number + at) % len(types)]
    refused = dice.share(0.08)
    start, end = _channel_times(dice, session, facts, at, refused=refused)
    body: Document = {
        "active": end is None,
        "channel_id": at,
        "duration": None if end is None else (end - start) // SECOND,
        "end_time": None if end is None else iso(end),
        "rule_num": str(dice.between(1, 9)),
        "start_time": iso(start),
        "type": kind,
        "verdict": dice.pick(_REFUSED) if refused else "accept",
    }
    if facts.recorded and facts.fate != "NO_TRAIL":
        body["audit_stream_id"] = dice.text(12, words.ALPHABET)
    if dice.share(0.05):
        body["four_eyes_authorizer"] = dice.pick(words.USERS)
        body["four_eyes_description"] = 'change 4711, "urgent"'
    if facts.protocol == "ICA" and kind == "seamless":  # RDP has a channel of this name, too
        body["application"] = "Excel, 64 bit"
    elif kind in _EXTRAS:
        body |= _EXTRAS[kind](dice)
    return body


def _channel_times(dice: Dice, session: Session, facts: Facts, at: int, *, refused: bool) -> tuple[int, int | None]:
    end = session.end
    lag = dice.below(SECOND) * at
    if end is None:
        last = at == facts.channels - 1 and not refused
        return session.start + lag, None if last else session.start + lag + SECOND
    start = min(session.start + lag, end)
    return start, start if refused else end


def _forward(dice: Dice) -> Document:
    target = f"10.110.100.{dice.between(1, 60)}"
    return {
        "originator": {"ip": "::1", "name": "::1", "port": dice.between(1025, 65_535)},
        "connected": {"ip": target, "name": f"{target}.example.com", "port": dice.pick((22, 80, 9898))},
    }


def _subject(dice: Dice) -> Document:
    return {"client_x509_subject": f"CN={dice.pick(words.USERS)}, O=Example"} if dice.share(0.5) else {}


_EXTRAS: Final[dict[str, Callable[[Dice], Document]]] = {
    "session exec": lambda dice: {"command": dice.pick(words.COMMANDS)},
    "session exec scp": lambda dice: {"scp_path": dice.pick(words.FILES)},
    "session subsystem sftp": lambda _: {"subsystem_name": "sftp"},
    "local forward": _forward,
    "remote forward": _forward,
    "dynamic virtual": lambda _: {"dynamic_channel": "Microsoft::Windows::RDS::Geometry::v08.01"},
    "serial redirect": lambda _: {"device_name": "COM1"},
    "parallel redirect": lambda _: {"device_name": "LPT1"},
    "printer redirect": lambda _: {"device_name": "PRN22"},
    "disk redirect": lambda _: {"device_name": "J:"},
    "scard redirect": lambda _: {"device_name": "SCARD"},
    "telnet": _subject,
    "vnc": _subject,
}


def events_of(spec: WorldSpec, session: Session) -> Sequence[Document]:
    """The events by record_id; none where the session is not indexed, unless a test gave it some."""
    facts = facts_of(spec, session.number)
    if session.given_events is not None:
        return _GivenEvents(spec, session, facts, range(session.given_events))
    if not facts.recorded or not facts.accepted:
        return []
    share = _READABLE.get(index_status(session, facts), 0.0)
    dice = Dice(spec.seed, "events", session.number)
    moments = _Moments(dice, session)
    return [_event(dice, *moments.next(), facts) for _ in range(round(facts.events * share))]


def alerts_of(spec: WorldSpec, session: Session) -> list[Document]:
    """The alerts by record_id; none where the content policy does not store them, or before the session was audited."""
    facts = facts_of(spec, session.number)
    if not facts.recorded or not facts.accepted:
        return []
    dice = Dice(spec.seed, "alerts", session.number)
    moments = _Moments(dice, session)
    return [_alert(dice, *moments.next(), facts) for _ in range(facts.alerts)]


class _Moments:
    """Growing record ids and times within a session."""

    def __init__(self, dice: Dice, session: Session) -> None:
        self._dice, self._record, self._time = dice, dice.below(50), session.start

    def next(self) -> tuple[int, str]:
        """The next record_id and its time, without a zone and with one to six decimals."""
        self._record += self._dice.between(1, 40)
        self._time += self._dice.below(30 * SECOND)
        decimals = self._dice.between(1, 6)
        micros = f"{self._time % SECOND:03d}{self._dice.below(1000):03d}"
        return self._record, f"{iso(self._time)[:19]}.{micros[:decimals]}"


class _GivenEvents(Sequence[Document]):
    """As many events as a test wants, each made when it is asked for, from its place alone: pages of them are cheap."""

    def __init__(self, spec: WorldSpec, session: Session, facts: Facts, places: range) -> None:
        self._spec, self._session, self._facts, self._places = spec, session, facts, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, at: Any) -> Any:
        place = self._places[at]
        if isinstance(place, range):
            return _GivenEvents(self._spec, self._session, self._facts, place)
        dice = Dice(self._spec.seed, "given events", self._session.number, place)
        micros = self._session.start * _MICROSECOND + place * _SLOT + dice.below(_SLOT)
        decimals = f"{micros % (SECOND * _MICROSECOND):06d}".rstrip("0") or "0"
        time = f"{iso(micros // _MICROSECOND)[:19]}.{decimals}"
        return _event(dice, 1 + place * _IDS + dice.below(_IDS), time, self._facts)


def _event(dice: Dice, record: int, time: str, facts: Facts) -> Document:
    kind, texts = _ACTIVITY[facts.protocol]
    text = dice.pick(texts)
    return {
        "action": text,
        "channels_id": str(dice.below(max(1, facts.channels))),
        "content": _prompt(facts) + text,
        "record_id": record,
        "time": time,
        "type": "file_transfer" if kind == "command" and text.startswith("scp") else kind,
    }


def _alert(dice: Dice, record: int, time: str, facts: Facts) -> Document:
    terminal = facts.protocol in words.TERMINAL_PROTOCOLS
    rule = dice.pick(words.RULES)
    kind = "adp.event.command" if terminal else dice.pick(("adp.event.screen.content", "adp.event.screen.windowtitle"))
    action = dice.pick(words.COMMANDS if terminal else words.TITLES)
    return {
        "alert_type": "adp.event.screen.creditcard" if rule == "CardNumbers" else kind,
        "channel_id": str(dice.below(max(1, facts.channels))),
        "matched_action": action,
        "matched_content": _prompt(facts) + action,
        "matched_regexp": dice.pick(words.PATTERNS),
        "record_id": record,
        "rule_name": rule,
        "time": time,
    }


def _prompt(facts: Facts) -> str:
    return f"{facts.user}@server{facts.server:02d}:~$ " if facts.protocol in words.TERMINAL_PROTOCOLS else ""


def recording_of(spec: WorldSpec, session: Session, form: str) -> bytes:
    """Bytes that nothing can be made of, always the same for a session and a format."""
    size = Dice(spec.seed, "recording", session.number).between(_SMALLEST, _LARGEST)
    return hashlib.shake_128(f"{spec.seed} {session.key} {form}".encode()).digest(size)


def has_trail(spec: WorldSpec, session: Session) -> bool:
    """True if there is a recording that could be downloaded."""
    facts = facts_of(spec, session.number)
    return facts.recorded and index_status(session, facts) != "NO_TRAIL"


def downloads_of(spec: WorldSpec, session: Session) -> list[Document]:
    """The downloads of the recording by time; most sessions have none."""
    if not has_trail(spec, session):
        return []
    downloads = [*_early_downloads(spec, session), *session.downloads]
    return [
        {
            "from_api": download.from_api,
            "ip_address": download.ip_address,
            "time": iso(download.time),
            "username": download.username,
        }
        for download in sorted(downloads, key=lambda download: download.time)
    ]


def _early_downloads(spec: WorldSpec, session: Session) -> list[Download]:
    """Those that the spec brings: all of them come with the score, so that none appears while the revision stays."""
    if not session.has(SCORED):
        return []
    dice = Dice(spec.seed, "downloads", session.number)
    end, scored = session.milestones[CLOSED], session.milestones[SCORED]
    return [
        Download(
            (end + dice.below(scored - end)) // SECOND * SECOND,
            dice.pick(words.USERS),
            f"10.{dice.pick(words.SUBNETS)}.9.{dice.between(1, 60)}",
            from_api=dice.share(0.3),
        )
        for _ in range(dice.pick(_DOWNLOADS))
    ]


def indexing_of(spec: WorldSpec, session: Session) -> Document | None:
    """What the indexer did or does with the recording; None before it began, and where there is nothing to index."""
    facts = facts_of(spec, session.number)
    status = index_status(session, facts)
    if not facts.recorded or status not in _JOBS:
        return None
    dice = Dice(spec.seed, "indexing", session.number)
    began = session.milestones[PROGRESS] if session.has(PROGRESS) else session.end or session.start
    seconds = (session.milestones[INDEXED] - began) // SECOND if session.has(INDEXED) else dice.between(1, 9000)
    # Milliseconds since 1970, unlike all other times of the API; seconds for the other two is a guess.
    statistics: Document = {"start_time": began}
    if _JOBS[status] != "IN_PROGRESS":
        statistics |= {"cpu_time": seconds // 30, "duration": seconds}
    version = {"adp": "6.0.20", "worker": "4.0.26"}
    return {"config": _config(facts), "statistics": statistics, "status": _JOBS[status], "version": version}


def _config(facts: Facts) -> Document:
    terminal = facts.protocol in words.TERMINAL_PROTOCOLS
    return {
        "command": {"enabled": terminal},
        "keyboard": {"buffer_interval": 3, "enabled": False},
        "mouse": {"buffer_interval": 1, "enabled": False},
        "near_realtime": False,
        "ocr_languages": [] if terminal else ["ENGLISH"],
        "screen": {"enabled": True, "omnipage_trade_off": "TO_ACCURATE"},
        "title": {"enabled": not terminal},
    }
