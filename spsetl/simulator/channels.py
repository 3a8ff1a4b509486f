"""A session's channels, made when asked for ("Audited sessions", Channel elements)."""

from collections.abc import Callable
from typing import Any, Final

from spsetl.simulator import vocabulary as words
from spsetl.simulator.dice import Dice
from spsetl.simulator.facts import Facts, facts_of
from spsetl.simulator.sessions import Session
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.times import SECOND, iso

Channel = dict[str, Any]

TYPES: Final[dict[str, tuple[str, ...]]] = {
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
_REFUSED = ("deny", "four-eyes-reject", "four-eyes-timeout", "four-eyes-deferred", "four-eyes-error")
_DEVICES = {
    "serial redirect": "COM1",
    "parallel redirect": "LPT1",
    "printer redirect": "PRN22",
    "disk redirect": "J:",
    "scard redirect": "SCARD",
}


def channels_of(spec: WorldSpec, session: Session) -> list[Channel]:
    """The channels, `{"key", "body"}` each; the last one of an active session is open."""
    facts = facts_of(spec, session.number)
    dice = Dice(spec.seed, "channels", session.number)
    return [{"key": str(at + 1), "body": _body(dice, session, facts, at)} for at in range(facts.channels)]


def _body(dice: Dice, session: Session, facts: Facts, at: int) -> Channel:
    types = TYPES[facts.protocol]
    kind = types[(session.number + at) % len(types)]
    refused = dice.share(0.08)
    start, end = _times(dice, session, facts, at, refused=refused)
    body: Channel = {
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
    return body | _extras(dice, kind, facts)


def _times(dice: Dice, session: Session, facts: Facts, at: int, *, refused: bool) -> tuple[int, int | None]:
    end = session.end
    lag = dice.below(SECOND) * at
    if end is None:
        last = at == facts.channels - 1 and not refused
        return session.start + lag, None if last else session.start + lag + SECOND
    start = min(session.start + lag, end)
    return start, start if refused else end


def _extras(dice: Dice, kind: str, facts: Facts) -> Channel:
    if kind in _DEVICES:
        return {"device_name": _DEVICES[kind]}
    if facts.protocol == "ICA" and kind == "seamless":
        return {"application": "Excel, 64 bit"}
    make = _EXTRAS.get(kind)
    return make(dice) if make else {}


def _forward(dice: Dice) -> Channel:
    target = f"10.110.100.{dice.between(1, 60)}"
    return {
        "originator": {"ip": "::1", "name": "::1", "port": dice.between(1025, 65_535)},
        "connected": {"ip": target, "name": f"{target}.example.com", "port": dice.pick((22, 80, 9898))},
    }


def _subject(dice: Dice) -> Channel:
    return {"client_x509_subject": f"CN={dice.pick(words.USERS)}, O=Example"} if dice.share(0.5) else {}


_EXTRAS: Final[dict[str, Callable[[Dice], Channel]]] = {
    "session exec": lambda dice: {"command": dice.pick(words.COMMANDS)},
    "session exec scp": lambda dice: {"scp_path": dice.pick(words.FILES)},
    "session subsystem sftp": lambda _: {"subsystem_name": "sftp"},
    "local forward": _forward,
    "remote forward": _forward,
    "dynamic virtual": lambda _: {"dynamic_channel": "Microsoft::Windows::RDS::Geometry::v08.01"},
    "telnet": _subject,
    "vnc": _subject,
}
