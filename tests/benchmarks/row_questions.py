"""Row G: what an analyst asks, beside SQL written by hand."""

from typing import Final

from tests.benchmarks.large_copy import make_large_copy
from tests.benchmarks.programs import fresh
from tests.benchmarks.questions import LEAST_SECONDS, Measured, measure_all
from tests.benchmarks.results import TIMES, Given, Row, Verdict

_TARGET: Final = 1.2
_ROUNDS: Final = 3  # each question is asked in both ways before, too


def measure_g(given: Given) -> Row:
    """All questions, of one open copy; the worst ratio counts."""
    sessions = given.scaled(5_000_000, 1000)
    row = Row("G", f"stats, histogram, q and charts on {sessions:,} sessions")
    path = fresh(given.folder / "questions") / "copy.duckdb"
    make_large_copy(path, sessions)
    measured = list(measure_all(path, min(_ROUNDS, given.rounds), ""))
    counted = [one for one in measured if one.seconds >= LEAST_SECONDS]
    worst = max(counted, key=lambda one: one.ratio, default=None)
    if worst:
        row.verdicts.append(Verdict.at_most(f"hand-written SQL; worst: {worst.name}", worst.ratio, _TARGET))
    differing = [one.name for one in measured if not one.is_equal]
    row.verdicts.append(Verdict("equal answers", ", ".join(differing) or f"all {len(measured)} equal", not differing))
    row.figures = {one.name: _figure(one) for one in measured}
    row.notes.append(f"what takes less than {LEAST_SECONDS:g} s is planning, and counts for nothing")
    return row


def _figure(one: Measured) -> str:
    return f"{one.seconds:.3f} s, by hand {one.plain_seconds:.3f} s: {one.ratio:.2f} {TIMES}"
