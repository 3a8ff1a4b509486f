"""The benchmark: `python -m tests.benchmarks [--only A] [--rounds 5] [--scale 1]`, or `make bench`.

Each row of the table is measured with whole programs, in turn, against a simulated appliance in a process of its own.
Results are in `build/benchmark/`: benchmark.json, benchmark.md, growth.svg. The exit code is 0 if every row could be
measured, whether or not its target was met.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.benchmarks.results import Given, Row, Verdict, table, write_results
from tests.benchmarks.row_details import measure_b, measure_f
from tests.benchmarks.row_growth import measure_d
from tests.benchmarks.row_lists import measure_a, measure_a2
from tests.benchmarks.row_merging import measure_e
from tests.benchmarks.row_nights import measure_c
from tests.benchmarks.row_questions import measure_g
from tests.benchmarks.row_storing import measure_h

ROWS: Final[dict[str, Callable[[Given], Row]]] = {
    "A": measure_a,
    "A2": measure_a2,
    "B": measure_b,
    "C": measure_c,
    "D": measure_d,
    "E": measure_e,
    "F": measure_f,
    "G": measure_g,
    "H": measure_h,
}


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=list(ROWS), action="append", help="only this row; several times")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each system; the median counts")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the sessions")
    parser.add_argument("--minutes", type=float, default=20, help="after which no further round is begun")
    parser.add_argument("--results", type=Path, default=Path("build/benchmark"))
    parser.add_argument("--folder", type=Path, default=None, help="for the copies; else one that is removed at the end")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spsetl-benchmark-", dir=given.folder) as folder:
        measured, failed = _measure(given.only or list(ROWS), _given(given, Path(folder)))
    print("\n".join(table(measured)))
    return 1 if failed else 0


def _given(given: argparse.Namespace, folder: Path) -> Given:
    deadline = time.monotonic() + 60 * given.minutes
    return Given(folder, given.results, given.scale, given.rounds, deadline)


def _measure(names: list[str], given: Given) -> tuple[list[Row], list[str]]:
    """Row by row; what was measured is written after each, so that nothing is lost with a later one."""
    rows, failed = [], []
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.perf_counter()
        try:
            row = ROWS[name](given)
        except Exception as error:  # noqa: BLE001 the other rows are measured all the same, and this one counts as failed
            traceback.print_exc()
            row = _failed(name, error)
            failed.append(name)
        row.seconds = time.perf_counter() - began
        rows.append(row)
        write_results(given, rows)
        for verdict in row.verdicts:
            print(f"  {verdict.target}: {verdict.result}, {verdict.state}", file=sys.stderr, flush=True)
        print(f"  {row.seconds:.0f} s", file=sys.stderr, flush=True)
    return rows, failed


def _failed(name: str, error: Exception) -> Row:
    """A row that says why there is none."""
    last = next(iter(str(error).strip().splitlines()[-1:]), type(error).__name__)
    return Row(name, "could not be measured", [Verdict("", last[:200].replace("|", "/"), is_met=False)])


if __name__ == "__main__":
    sys.exit(main())
