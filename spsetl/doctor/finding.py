"""What a check finds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spsetl.errors import SpsetlError

State = Literal["green", "yellow", "red"]


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        check: What was looked at.
        state: How it is.
        found: What was found, in one line.
        next_step: What to do where it is not green.
        exit_code: Of a red one.
        lines: More, for a person; one each.
        facts: The same for programs.
    """

    check: str
    state: State
    found: str
    next_step: str = ""
    exit_code: int = 0
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "check": self.check,
            "state": self.state,
            "found": self.found,
            "next_step": self.next_step,
            "exit_code": self.exit_code,
            "facts": dict(self.facts),
        }


def red(check: str, error: SpsetlError) -> Finding:
    """Of an error, whose message says what to do next behind its last semicolon."""
    found, next_step = split_advice(str(error))
    return Finding(check, "red", found, next_step or "mend this, and run spsetl doctor again", error.exit_code)


def split_advice(message: str) -> tuple[str, str]:
    """What is wrong, and what to do next: behind the last semicolon, by the custom of our messages."""
    found, separator, advice = message.rpartition("; ")
    return (found, advice) if separator else (message, "")
