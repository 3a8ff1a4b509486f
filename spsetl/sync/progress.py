"""What a sync tells while it runs; the command line shows it as bars or lines, Prefect as artifacts."""

from typing import Any, Protocol

from spsetl.seeing import is_told_as_events
from spsetl.seeing.logs import log


class Progress(Protocol):
    """Receives what happens. Stages are `windows`, `sessions` and `details`."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins; `total` is how much there is to do, None if not known."""
        ...

    def advance(self, stage: str, amount: int) -> None:
        """So much more of the stage is done."""
        ...

    def finish(self, stage: str) -> None:
        """The stage is done: there was no more of it."""
        ...

    def say(self, message: str) -> None:
        """One line for the user."""
        ...


class Silence:
    """Shows nothing."""

    def begin(self, stage: str, total: int | None) -> None:
        """See Progress."""

    def advance(self, stage: str, amount: int) -> None:
        """See Progress."""

    def finish(self, stage: str) -> None:
        """See Progress."""

    def say(self, message: str) -> None:
        """See Progress."""


def say(progress: Progress, line: str, *, event: str, **figures: Any) -> None:
    """One line for the user; the event in its place where lines are events."""
    if is_told_as_events():
        log.info(event, **figures)
    else:
        progress.say(line)


def warn(progress: Progress, line: str) -> None:
    """A warning for the user, as a line or as an event."""
    if is_told_as_events():
        log.warning("warning", message=line)
    else:
        progress.say(f"warning: {line}")
