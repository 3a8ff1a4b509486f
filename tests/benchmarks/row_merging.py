"""Row E: changed sessions merged into a large copy and published, beside DuckDB alone doing the same."""

import json
import sys
from pathlib import Path
from shutil import copyfile
from typing import Final

from tests.benchmarks.large_copy import make_large_copy
from tests.benchmarks.merging import write_changes
from tests.benchmarks.programs import Measured, Program, fresh, run
from tests.benchmarks.results import TIMES, Given, Row, Verdict

_EVENTS: Final = 10  # a session
_CHANGED: Final = 100  # one session in so many
_PLAIN: Final = "copying and raw DuckDB (limit)"
_OURS: Final = "spsetl's merge, marts, checks, publish"


def measure_e(given: Given) -> Row:
    """Both, in turn, each on the same file, written anew before."""
    sessions = given.scaled(1_000_000, 1000)
    changed = sessions // _CHANGED
    row = Row(
        "E", f"merge and publish of {changed:,} changed sessions into {sessions:,} with {sessions * _EVENTS:,} events"
    )
    folder = fresh(given.folder / "merging")
    base = folder / "base.duckdb"
    make_large_copy(base, sessions, events=_EVENTS)
    write_changes(base, folder / "changes", every=_CHANGED)
    row.measured = [Measured(_OURS), Measured(_PLAIN)]
    for _ in given.turns(3):
        for measured, mode in zip(row.measured, ("ours", "plain"), strict=True):
            place = fresh(folder / "copy")
            copyfile(base, place / "work.duckdb")
            command = [sys.executable, "-m", "tests.benchmarks.merging", mode, str(place), str(folder / "changes")]
            measured.samples.append(run(Program(measured.name, [command], place)))
            check = Program("check", [[*command[:3], "check", *command[4:]]], place)
            measured.contents = {"summary": run(check).said["checksum"]}
    ours, plain = row.measured
    phases = ours.samples[-1].said["phases"]
    merging = sum(phases[name] for name in ("merge", "checkpoint", "publish"))
    row.verdicts = [
        Verdict.at_most("copying the file and raw DuckDB", ours.seconds / plain.seconds, 2),
        Verdict("without marts, checks and reading all", f"{merging / plain.seconds:.2f} {TIMES}", None),
        Verdict("equal rows", _compare(ours, plain), ours.contents == plain.contents),
    ]
    row.figures = {"phases": json.dumps(phases), "file": f"{_size(base):,.0f} MB"}
    row.notes.append(
        "both replace the same sessions, lists, scores, channels, events and alerts; ours by windows and batches"
    )
    return row


def _compare(ours: Measured, plain: Measured) -> str:
    if ours.contents == plain.contents:
        return f"all {len(ours.contents['summary'].split())} tables equal"
    return f"{ours.contents['summary']} beside {plain.contents['summary']}"


def _size(path: Path) -> float:
    return path.stat().st_size / 2**20
