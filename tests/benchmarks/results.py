"""What a benchmark found: rows with their targets, as JSON and as a table in Markdown."""

import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.programs import Measured

TIMES: Final = "\u00d7"
_PACKAGES: Final = ("spsetl", "duckdb", "pyarrow", "requests", "orjson")
_RIVALS: Final = (("dlt", "dlt"), ("airbyte", "airbyte-cdk"), ("singer", "singer-sdk"), ("singer", "target-duckdb"))


@dataclass(frozen=True)
class Verdict:
    """A target, and what came of it. Without a bound it is only reported."""

    target: str
    result: str
    is_met: bool | None

    @classmethod
    def at_least(cls, target: str, result: float, bound: float, unit: str = TIMES) -> "Verdict":
        """Met from the bound on."""
        return cls(f"≥ {bound:g} {unit} {target}", f"{result:,.2f} {unit}", result >= bound)

    @classmethod
    def at_most(cls, target: str, result: float, bound: float, unit: str = TIMES) -> "Verdict":
        """Met up to the bound."""
        return cls(f"≤ {bound:g} {unit} {target}", f"{result:,.2f} {unit}", result <= bound)

    @property
    def state(self) -> str:
        """For the table."""
        return "reported" if self.is_met is None else "met" if self.is_met else "**missed**"


@dataclass
class Row:
    """One line of the benchmark's table."""

    name: str
    work: str
    verdicts: list[Verdict] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "row": self.name,
            "work": self.work,
            "verdicts": [vars(verdict) for verdict in self.verdicts],
            "systems": [one.as_json() for one in self.measured],
            "figures": self.figures,
            "notes": self.notes,
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class Given:
    """How much is measured; the deadline is of `time.monotonic`."""

    folder: Path
    results: Path
    scale: float
    rounds: int
    deadline: float

    def turns(self, most: int | None = None) -> Iterator[int]:
        """The rounds of a row, at most so many; once the time is over, no further one is begun."""
        for number in range(self.rounds if most is None else min(most, self.rounds)):
            if number and time.monotonic() > self.deadline:
                return
            yield number

    def scaled(self, count: int, least: int = 1) -> int:
        """So many, at this scale."""
        return max(least, round(count * self.scale))


def write_results(given: Given, rows: Sequence[Row]) -> None:
    """`benchmark.json` and `benchmark.md`."""
    folder = given.results
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": "make bench",
        "scale": given.scale,
        "rounds": given.rounds,
        "machine": {
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": _versions(),
    }
    written = {**facts, "rows": [row.as_json() for row in rows]}
    (folder / "benchmark.json").write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "benchmark.md").write_text("\n".join(_markdown(facts, rows)) + "\n", encoding="utf-8")


def _versions() -> dict[str, str]:
    pins = Path(__file__).with_name("rivals")
    found = {name: version(name) for name in _PACKAGES}
    for environment, package in _RIVALS:
        lines = (pins / f"{environment}.txt").read_text(encoding="utf-8").splitlines()
        pinned = next(line for line in lines if line.startswith(f"{package}=="))
        found[package] = pinned.split("==")[1].split()[0]
    return found


def table(rows: Iterable[Row]) -> list[str]:
    """The table of targets and results."""
    lines = ["| | work | target | result | |", "|---|---|---|---|---|"]
    for row in rows:
        for number, verdict in enumerate(row.verdicts):
            head = (row.name, row.work) if number == 0 else ("", "")
            lines.append(f"| {head[0]} | {head[1]} | {verdict.target} | {verdict.result} | {verdict.state} |")
    return lines


def _markdown(facts: dict[str, Any], rows: Sequence[Row]) -> list[str]:
    machine = facts["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    size = f"{machine['cores']} cores, {machine['memory_gib']} GiB"
    how = f"Scale {facts['scale']:g}, {facts['rounds']} rounds, medians."
    lines = [
        "# Benchmark",
        "",
        f"`{facts['command']}`, {facts['made_at'][:10]}; {size}, Python {machine['python']}; {versions}. {how}",
        "",
        *table(rows),
    ]
    for row in rows:
        lines += ["", f"## {row.name}. {row.work}", "", *_systems(row)]
        lines += [f"- {name}: {value}" for name, value in row.figures.items()]
        lines += [f"- {note}" for note in row.notes]
        lines.append(f"- measured in {row.seconds:,.0f} s")
    return lines


def _systems(row: Row) -> list[str]:
    if not row.measured:
        return []
    lines = [
        "| system | seconds | of the runs | CPU s | peak MB | requests | simulator's CPU | rows, contents |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in row.measured:
        facts = one.as_json()
        spread = " ".join(f"{seconds:.2f}" for seconds in facts["seconds_of_runs"])
        lines.append(
            f"| {one.name} | {one.seconds:.2f} | {spread} | {one.cpu_seconds:.2f} | {one.megabytes:,.0f} "
            f"| {one.requests:,} | {facts['simulator_cpu_share']:.0%} | {one.contents.get('summary', '')} |"
        )
    return [*lines, ""]
