"""The limit of loading: DuckDB alone, putting the Parquet files of our lake into a new file."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

from tests.benchmarks.programs import Measured, Program, fresh, run
from tests.benchmarks.systems import OURS, STARTS, Work

_TABLES: Final = ("sessions", "session_lists", "session_scores", "channels", "events", "alerts")
NAME: Final = "DuckDB loading the same Parquet (limit)"


def measure_loading(work: Work, turns: Iterable[int]) -> Measured:
    """Make a lake, and load it in each round."""
    copy = fresh(work.folder / "copy")
    run(STARTS[OURS](work.into(copy)), work.appliance)
    measured = Measured(NAME)
    for _ in turns:
        folder = fresh(work.folder / "loaded")
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.loading",
            str(copy / "data/lake"),
            str(folder / "copy.duckdb"),
        ]
        measured.samples.append(run(Program(NAME, [command], folder)))
    return measured


def main() -> None:
    """`loading.py LAKE FILE`."""
    lake, path = Path(sys.argv[1]), sys.argv[2]
    with duckdb.connect(path) as connection:
        for table in _TABLES:
            if list(lake.glob(f"{table}/**/*.parquet")):
                connection.execute(f"create table {table} as from read_parquet('{lake}/{table}/**/*.parquet')")


if __name__ == "__main__":
    main()
