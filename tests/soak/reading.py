"""A reader that opens the published file again and again: `python -m tests.soak.reading FOLDER STOP RESULT`.

It reads until the file STOP is there, and writes to RESULT what it saw.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.errors import SpsetlError
from spsetl.warehouse.checks import read_checks

_SECONDS_BETWEEN = 0.15


def read_once(warehouse: Warehouse) -> tuple[int, list[str]]:
    """How many sessions there are, and what is wrong with them."""
    complaints = []
    for name, statement in read_checks().items():
        if statement.startswith("-- fatal:"):
            _, [(count,)] = warehouse.rows(f"select count(*) from ({statement}) as offending")
            if count:
                complaints.append(f"check {name}: {count} rows")
    _, [(rows, keys)] = warehouse.rows("select count(*), count(distinct (appliance, session_key)) from sessions")
    if rows != keys:
        complaints.append(f"{rows} sessions with {keys} keys")
    return rows, complaints


def read_until(folder: Path, stop: Path) -> dict[str, Any]:
    """Open the file anew each time, and ask one that stays open through all that is published as well."""
    readings, sessions, states = 0, 0, set()
    wrong: Counter[str] = Counter()
    file = folder / "warehouse.duckdb"
    while not stop.exists() and not file.exists():
        time.sleep(_SECONDS_BETWEEN)
    staying = open_warehouse(folder) if file.exists() else None
    has_to_stop = False
    while staying is not None and not has_to_stop:
        has_to_stop = stop.exists()  # what was published last is read once in any case
        try:
            with open_warehouse(folder) as fresh:
                for warehouse in (fresh, staying):
                    rows, complaints = read_once(warehouse)
                    wrong.update(complaints)
                    if rows < sessions:
                        wrong["sessions have vanished from the published file"] += 1
                    sessions = rows
                _, newest = fresh.rows("select max(run_id) from sync_runs")
                states.add(newest[0][0])
        except SpsetlError as error:
            wrong[f"{type(error).__name__}: {error}"] += 1
        readings += 1
        time.sleep(_SECONDS_BETWEEN)
    if staying is not None:
        staying.close()
    return {"readings": readings, "states": len(states), "wrong": wrong}


if __name__ == "__main__":
    DATA, STOP, RESULT = map(Path, sys.argv[1:])
    RESULT.write_text(json.dumps(read_until(DATA, STOP)), encoding="utf-8")
