"""Row D: how time, memory and requests grow with the number of sessions, list only."""

from collections.abc import Sequence
from typing import Any, Final

from tests.benchmarks.appliances import appliance
from tests.benchmarks.growth_plot import draw_growth
from tests.benchmarks.programs import Measured, fresh, run
from tests.benchmarks.results import Given, Row, Verdict
from tests.benchmarks.systems import OURS, STARTS, Work

_SIZES: Final = (1000, 10_000, 100_000, 1_000_000)
_CONNECTIONS: Final = 8
_MEGABYTES: Final = 400
_ONCE: Final = 500_000  # sessions from which on one run has to do


def measure_d(given: Given) -> Row:
    """First syncs of ever larger appliances."""
    row = Row("D", f"{given.scaled(_SIZES[-1]):,} sessions, list only; growth from {given.scaled(_SIZES[0]):,} on")
    points = []
    for size in (given.scaled(size) for size in _SIZES):
        measured = _measure(given, size)
        row.measured.append(measured)
        points.append(_point(size, measured))
    before, last = points[-2:]
    row.verdicts = [
        Verdict.at_most("the memory of a tenth of the sessions", last["megabytes"] / before["megabytes"], 1.1),
        Verdict.at_most("of memory", last["megabytes"], _MEGABYTES, "MB"),
        Verdict.at_most(
            "the time a session of a tenth (linear)",
            last["seconds"] / last["sessions"] / (before["seconds"] / before["sessions"]),
            1.1,
        ),
    ]
    row.figures["growth"] = points
    row.figures["a million sessions more"] = {
        name: round(slope(points, name) * 1_000_000, 1) for name in ("seconds", "megabytes", "requests")
    }
    row.figures["chart"] = draw_growth(points, given.results / "growth.svg")
    return row


def _measure(given: Given, size: int) -> Measured:
    measured = Measured(f"spsetl, {size:,} sessions")
    with appliance(sessions=size) as source:
        for _ in given.turns(1 if size >= _ONCE else 2):
            work = Work(source, fresh(given.folder / "growth"), _CONNECTIONS, details=False)
            measured.samples.append(run(STARTS[OURS](work), source))
    return measured


def _point(size: int, measured: Measured) -> dict[str, Any]:
    return {
        "sessions": size,
        "seconds": round(measured.seconds, 2),
        "megabytes": round(measured.megabytes, 1),
        "requests": measured.requests,
    }


def slope(points: Sequence[dict[str, Any]], name: str) -> float:
    """What one more session adds, by the two largest."""
    before, last = points[-2:]
    return float((last[name] - before[name]) / (last["sessions"] - before["sessions"]))
