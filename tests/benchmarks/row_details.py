"""Rows B and F: the details of each session, and the CPU that a request costs."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.benchmarks.appliances import appliance
from tests.benchmarks.comparing import by_name, compare, record_paths, simulator_limit
from tests.benchmarks.programs import Measured, fresh, run
from tests.benchmarks.results import TIMES, Given, Row, Verdict
from tests.benchmarks.systems import AIRBYTE, BARE, DLT, OURS, SCRIPT, SINGER, STARTS, Work

_CONNECTIONS: Final = 16
_LATENCY: Final = 0.02
_SINGER_SHARE: Final = 10  # it takes minutes for what takes the others seconds: a tenth of the sessions


def measure_b(given: Given) -> Row:
    """All systems at the same connections; Singer at a tenth of the sessions."""
    sessions = given.scaled(2000, 20)
    row = Row(
        "B",
        f"{sessions:,} sessions with channels, events, alerts, {_LATENCY * 1000:.0f} ms, {_CONNECTIONS} connections",
    )
    with appliance(sessions=sessions, latency=_LATENCY) as source:
        folder = fresh(given.folder / "details")
        work = Work(source, folder, _CONNECTIONS, details=True)
        pages, details = record_paths(work, folder)
        _append(pages, details)
        systems = [OURS, DLT, AIRBYTE, SCRIPT, BARE]
        row.measured = compare(replace(work, paths=details), systems, given.turns(), {SCRIPT: 1})
    found = by_name(row.measured)
    ours, floor = found[OURS], found[OURS].requests * _LATENCY / _CONNECTIONS
    singer_seconds = _measure_singer(given, row, sessions)
    row.verdicts = [
        Verdict.at_most("the floor", ours.seconds / floor, 1.2),
        Verdict.at_least("dlt at the same connections", found[DLT].seconds / ours.seconds, 2),
        Verdict.at_least("Singer", singer_seconds / ours.seconds, 20),
        Verdict("beside the CDK, which only reads", f"{found[AIRBYTE].seconds / ours.seconds:.2f} {TIMES}", None),
        Verdict("beside the bare loop", f"{ours.seconds / found[BARE].seconds:.2f} {TIMES}", None),
    ]
    row.figures["floor"] = f"{ours.requests:,} requests {TIMES} {_LATENCY:g} s ÷ {_CONNECTIONS} = {floor:.2f} s"
    row.figures["simulator's limit"] = simulator_limit(found[BARE])
    return row


def _measure_singer(given: Given, row: Row, sessions: int) -> float:
    """Seconds for all sessions, as if it took as long for each as it does for a tenth of them."""
    few = max(10, sessions // _SINGER_SHARE)
    with appliance(sessions=few, latency=_LATENCY) as source:
        work = Work(source, fresh(given.folder / "singer"), _CONNECTIONS, details=True)
        singer = compare(work, [SINGER], given.turns(2))[0]
    row.measured.append(singer)
    seconds = singer.seconds * sessions / few
    row.notes.append(
        f"Singer was run with {few:,} sessions, {singer.seconds:.1f} s; for {sessions:,} that makes {seconds:,.0f} s"
    )
    return seconds


def measure_f(given: Given) -> Row:
    """CPU a request: what details add to a run, beside what they add to the bare loop."""
    sessions = given.scaled(2000, 20)
    row = Row("F", f"CPU a request in the details lane, {sessions:,} sessions, no latency, {_CONNECTIONS} connections")
    with appliance(sessions=sessions) as source:
        folder = fresh(given.folder / "cpu")
        work = Work(source, folder, _CONNECTIONS, details=True)
        _, details = record_paths(work, folder)
        nothing = folder / "nothing.paths"
        nothing.write_text("", encoding="utf-8")
        runs = {
            "spsetl, with details": (OURS, work),
            "spsetl, list only": (OURS, replace(work, details=False)),
            "bare requests": (BARE, replace(work, paths=details)),
            "bare requests, none": (BARE, replace(work, paths=nothing)),
        }
        row.measured = [Measured(name) for name in runs]
        for _ in given.turns(3):
            for measured, (system, task) in zip(row.measured, runs.values(), strict=True):
                measured.samples.append(run(STARTS[system](task.into(fresh(folder / "copy"))), source))
    whole, listed, bare, started = row.measured
    requests = whole.requests - listed.requests
    ours = 1000 * (whole.cpu_seconds - listed.cpu_seconds) / requests
    limit = 1000 * (bare.cpu_seconds - started.cpu_seconds) / (bare.requests - started.requests)
    row.verdicts = [Verdict.at_most("bare requests", ours / limit, 1.3)]
    row.figures = {
        "CPU ms a request": f"spsetl {ours:.3f}, bare requests {limit:.3f}",
        "requests for details": requests,
        "simulator's limit": simulator_limit(bare),
    }
    return row


def _append(pages: Path, details: Path) -> None:
    details.write_text(pages.read_text(encoding="utf-8") + details.read_text(encoding="utf-8"), encoding="utf-8")
