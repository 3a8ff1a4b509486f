"""What a check finds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from spsetl.errors import SpsetlError

State = Literal["green", "yellow", "red"]
_REMEDY: Final = "mend this, and run spsetl doctor again"


@dataclass(frozen=True)
class Finding:
    """One check. `lines` says more to a person, `facts` the same to programs; `exit_code` is that of a red one."""

    check: str
    state: State
    found: str
    next_step: str = ""
    exit_code: int = 0
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {name: value for name, value in asdict(self).items() if name != "lines"}


def green(check: str, found: str, /, **facts: Any) -> Finding:
    """As it should be."""
    return Finding(check, "green", found, facts=facts)


def yellow(check: str, message: str, /, **facts: Any) -> Finding:
    """Something to look at; what to do stands behind the last semicolon of the message, as in all of our errors."""
    return Finding(check, "yellow", *_split(message), facts=facts)


def yellow_if(is_bad: bool, check: str, found: str, next_step: str, /, **facts: Any) -> Finding:
    """Yellow with the next step, or green without one."""
    return yellow(check, f"{found}; {next_step}", **facts) if is_bad else green(check, found, **facts)


def red(check: str, error: SpsetlError, /, **facts: Any) -> Finding:
    """Something that keeps a sync from working, in the error's own words."""
    return Finding(check, "red", *_split(str(error)), error.exit_code, facts=facts)


def _split(message: str) -> tuple[str, str]:
    found, separator, next_step = message.rpartition("; ")
    return (found, next_step) if separator else (message, _REMEDY)
