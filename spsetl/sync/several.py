"""One appliance after the other: one that fails does not keep the others from being copied."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from spsetl.errors import IncompleteError, SpsetlError
from spsetl.settings import Settings


class Report(Protocol):
    """What a run gives."""

    @property
    def appliance(self) -> str:
        """Its name in the copy."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What a person should know, a line each."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether it did all of what it was to do."""
        ...

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        ...


AnyReport = TypeVar("AnyReport", bound=Report)


@dataclass(frozen=True)
class AppliancesRun(Generic[AnyReport]):
    """How the run for one appliance ended: with a report, or with an error."""

    appliance: str
    report: AnyReport | None
    error: SpsetlError | None

    @property
    def exit_code(self) -> int:
        """0 done, else that of the error, or of what is incomplete."""
        if self.error is not None:
            return self.error.exit_code
        return 0 if self.report is not None and self.report.is_complete else IncompleteError.exit_code


def run_each(
    all_settings: Iterable[Settings],
    run: Callable[[Settings], AnyReport],
    *,
    complain: Callable[[str], None],
) -> list[AppliancesRun[AnyReport]]:
    """Run for one appliance after the other.

    Args:
        all_settings: Of each appliance.
        run: What is to be done with it.
        complain: Is told, in one line, of each that failed.
    """
    done = []
    for settings in all_settings:
        name = settings.appliance or str(settings.url)
        try:
            done.append(AppliancesRun(name, run(settings), None))
        except SpsetlError as error:
            complain(f"{name}: {error}")
            done.append(AppliancesRun[AnyReport](name, None, error))
    return done


def exit_code_of(done: Sequence[AppliancesRun[Any]]) -> int:
    """That of the first that failed; 0 where none did."""
    return next((one.exit_code for one in done if one.exit_code), 0)
