"""What a person sees of a run: progress on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from spsetl.events import SILENT, Listener, Teller
from spsetl.runs import Run
from spsetl.settings import Settings

SECONDS_BETWEEN_LINES: Final = 5.0


class _RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Bars(Listener):
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

    def line(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(escape(printable(text)), highlight=False)

    def end(self, run: Run) -> None:
        """What is to be known of it."""
        _show_warnings(self, run)


class Lines(Listener):
    """Plain lines, one every few seconds: for logs, cron and pipes."""

    def __enter__(self) -> Self:
        return self

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
        self.line(f"{stage}: {done:,}{of}, {rate:,.0f}/s")

    def finish(self, stage: str) -> None:
        """The last line of the stage."""
        self._report(stage)

    def line(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    def end(self, run: Run) -> None:
        """What is to be known of it."""
        _show_warnings(self, run)


def _show_warnings(listener: Listener, run: Run) -> None:
    """A line each; of a run that failed, its error says what is to be done."""
    for warning in run.warnings if run.error is None else ():
        listener.line(f"warning: {warning}")


@contextmanager
def progress_of(settings: Settings) -> Iterator[Teller]:
    """What tells of a run: bars on a terminal, lines elsewhere; events alone where each line is to be one."""
    if settings.log_format != "text":
        yield SILENT
        return
    with Bars() if sys.stderr.isatty() else Lines() as shown:
        yield Teller(shown)
