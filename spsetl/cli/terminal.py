"""What a person sees of a run: progress on standard error."""

import sys
import time
from contextlib import AbstractContextManager
from typing import Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from spsetl.cli.screen import plain, printable
from spsetl.seeing import is_told_as_events

SECONDS_BETWEEN_LINES: Final = 5.0


class _RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Bars(AbstractContextManager["Bars"]):
    """A bar for each stage, alive for as long as the block lasts."""

    def __init__(self) -> None:
        self._console = Console(file=plain(sys.stderr))
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            # What else is printed must not go around what shields the terminal.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, stage: str, total: int | None) -> None:
        """Start the stage's bar."""
        if stage in self._tasks:
            self._progress.reset(self._tasks[stage], total=total)
        else:
            self._tasks[stage] = self._progress.add_task(stage, total=total)

    def advance(self, stage: str, amount: int) -> None:
        """Move the stage's bar."""
        self._progress.advance(self._tasks[stage], amount)

    def finish(self, stage: str) -> None:
        """Fill the stage's bar."""
        task = self._tasks[stage]
        self._progress.update(task, total=self._progress.tasks[task].completed)

    def say(self, message: str) -> None:
        """A line above the bars."""
        self._progress.console.print(escape(printable(message)), highlight=False)


class Lines(AbstractContextManager["Lines"]):
    """Plain lines, one every few seconds: for logs, cron and pipes."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._total: dict[str, int | None] = {}
        self._began: dict[str, float] = {}
        self._said = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def begin(self, stage: str, total: int | None) -> None:
        """Start counting."""
        self._done[stage], self._total[stage], self._began[stage] = 0, total, time.monotonic()

    def advance(self, stage: str, amount: int) -> None:
        """Count, and say so now and then."""
        self._done[stage] += amount
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._report(stage)

    def _report(self, stage: str) -> None:
        done, total = self._done[stage], self._total[stage]
        rate = done / max(time.monotonic() - self._began[stage], 0.001)
        of = f" of {total:,}" if total is not None else ""
        self.say(f"{stage}: {done:,}{of}, {rate:,.0f}/s")

    def finish(self, stage: str) -> None:
        """The last line of the stage."""
        self._report(stage)

    def say(self, message: str) -> None:
        """One line."""
        print(message, file=sys.stderr, flush=True)


class Events(AbstractContextManager["Events"]):
    """Nothing of its own: where each line is an event, the run tells of its phases itself."""

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def begin(self, stage: str, total: int | None) -> None:
        """The run tells."""

    def advance(self, stage: str, amount: int) -> None:
        """The run tells."""

    def finish(self, stage: str) -> None:
        """The run tells."""

    def say(self, message: str) -> None:
        """One line that is told in no other way."""
        from spsetl.seeing.logs import log  # noqa: PLC0415 - structlog is not for every command

        log.info("said", message=message)


def show_progress() -> Bars | Lines | Events:
    """Bars on a terminal, lines elsewhere; neither where each line is to be an event."""
    if is_told_as_events():
        return Events()
    return Bars() if sys.stderr.isatty() else Lines()
