"""What is asked of the appliance, one question after the other; the first that fails ends it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities
from spsetl.doctor.finding import Finding, red
from spsetl.errors import SpsetlError
from spsetl.settings import Settings


@dataclass
class Patient:
    """An appliance under examination, and what is known of it so far.

    Attributes:
        client: Asks it.
        settings: What is wanted of it.
        has_snapshots: As the last sync found it; None if it is not known.
        version: Its firmware, once it has let us in.
        abilities: What it can do, once the user may search.
        retention: By protocol, the days that metadata live there, None for ever; None where it cannot be read.
    """

    client: Client
    settings: Settings
    has_snapshots: bool | None = None
    version: str = ""
    abilities: Capabilities | None = None
    retention: dict[str, int | None] | None = None

    @property
    def known(self) -> Capabilities:
        """What it can do; only behind the check of the right to search."""
        if self.abilities is None:
            raise AssertionError("asked before it was probed")
        return self.abilities


Question = Callable[[Patient], Iterator[Finding]]


def ask(patient: Patient, questions: tuple[tuple[str, Question], ...]) -> Iterator[Finding]:
    """The answers, by the names of the checks, until one cannot be had."""
    for check, question in questions:
        try:
            yield from question(patient)
        except SpsetlError as error:
            yield red(check, error)
            return
