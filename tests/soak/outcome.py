"""What a scenario found, and the table of all of them."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spsetl.simulator import Quirks, Simulator, World
from tests.soak.comparing import Differences

READINGS: tuple[Literal["literal", "overlap"], ...] = ("literal", "overlap")
STRATEGIES = ("windows", "snapshot")
_HEADS = ("scenario", "sessions", "requests", "failures injected", "lost", "doubled", "wrong", "seconds")


@dataclass
class Outcome:
    """One line of the table, what stands below it, and which claims failed."""

    scenario: str
    sessions: int = 0
    requests: int = 0
    failures: int = 0
    differences: Differences = field(default_factory=Differences)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, doubled or wrong, and every claim holds."""
        return not self.differences.total and not self.broken

    def claim(self, holds: bool, what: str) -> None:
        """Say what has to hold; it is named if it does not."""
        if not holds:
            self.broken.append(what)

    def end(self) -> "Outcome":
        """The scenario is over."""
        self.seconds = time.monotonic() - self.began
        return self


@dataclass(frozen=True)
class Soak:
    """How much of everything, and by which dice."""

    seed: int
    quick: bool

    def scaled(self, number: int, least: int = 1) -> int:
        """So many, or a tenth of it where it is to be quick."""
        return max(least, number // 10) if self.quick else number

    def combinations(self) -> list[tuple[Literal["literal", "overlap"], str]]:
        """Readings with strategies: all four, or each of them once where it is to be quick."""
        every = [(reading, strategy) for reading in READINGS for strategy in STRATEGIES]
        return every[1:3] if self.quick else every

    def dice(self, name: str) -> Random:
        """A scenario's own dice."""
        return Random(f"{self.seed} {name}")  # noqa: S311 - no secret


Scenario = Callable[[Soak], Iterator[Outcome]]


@contextmanager
def laboratory(world: World, quirks: Quirks) -> Iterator[tuple[Simulator, Path]]:
    """A running simulator, and a folder of its own."""
    folder = Path(mkdtemp(prefix="spsetl-soak-"))
    try:
        with Simulator(world, quirks) as simulator:
            yield simulator, folder
    finally:
        shutil.rmtree(folder)


def show(outcomes: Sequence[Outcome]) -> None:
    """The table, the notes below it, and what went wrong."""
    console = Console(width=None if Console().is_terminal else 160)
    table = Table(*_HEADS)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in outcomes:
        counts = (one.sessions, one.requests, one.failures)
        found = one.differences
        numbers = [f"{n:,}" for n in (*counts, found.lost, found.doubled, found.wrong)]
        style = None if one.is_good else "bold red"
        table.add_row(one.scenario, *numbers, f"{one.seconds:,.1f}", style=style)
    console.print(table)
    for one in outcomes:
        for note in one.notes:
            console.print(f"{one.scenario}: {escape(note)}", highlight=False)
        for text in (*one.broken, *one.differences.examples):
            console.print(f"[bold red]FAILED[/] {one.scenario}: {escape(text)}", highlight=False)
