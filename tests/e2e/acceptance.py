"""A large copy compared field by field, as programs: `python -m tests.e2e.acceptance [--sessions N] [--burst N]`.

Run by hand; it takes some minutes. For each reading of `start` and `end` it starts `spsetl simulate` without snapshots,
runs `spsetl sync`, compares the warehouse with the world that it builds itself from the same numbers, compares the
statistics with the appliance's own, and syncs again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.settings import load_settings
from spsetl.simulator import World, WorldSpec
from tests.oracle import assert_equal_copy

PASSWORD = "sps-audit"
RANGE = ("2026-10-01T00:00:00Z", "2026-11-02T00:00:00Z")


def spsetl(*arguments: str, env: dict[str, str]) -> dict[str, Any]:
    """Run a command; the JSON that it ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "spsetl", *arguments], env=env, stdout=subprocess.PIPE, check=True, text=True
    )
    return dict(json.loads(done.stdout[done.stdout.index("{") :]))


@contextmanager
def simulated(folder: Path, *options: str) -> Iterator[str]:
    """`spsetl simulate` as a program; gives its address."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "spsetl", "simulate", "--port", "0", "--ready-file", str(ready), *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit("the simulator did not start")
            time.sleep(0.05)
        try:
            yield str(json.loads(ready.read_text())["url"])
        finally:
            process.terminate()


def content(warehouse: Path) -> list[Any]:
    """A fingerprint of every table of the copy, lineage included."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return [
            connection.execute(f"select count(*), bit_xor(hash(t)) from {table.name} t").fetchall()
            for table in schema.COPIED_TABLES
        ]


def ask(env: dict[str, str], kind: str, **params: str) -> dict[str, Any]:
    """The appliance's own answer, without how long the login lasts."""
    with Client(load_settings(environ=env).for_appliance()) as client:
        answer = client.get(f"/api/audit/sessions/{kind}", params, kind=kind)
    answer["meta"].pop("remaining_seconds")
    return dict(answer)


def accept(reading: str, sessions: int, burst: int, folder: Path) -> None:
    """Everything for one reading; any difference is an AssertionError."""
    size = ["--sessions", str(sessions), "--burst", str(burst)]
    with simulated(folder, *size, "--reading", reading, "--no-snapshots", "--no-counts") as url:
        env = os.environ | {"SPSETL_URL": url, "SPSETL_USERNAME": "audit", "SPSETL_PASSWORD": PASSWORD}
        env |= {"SPSETL_DATA_DIR": str(folder / "data"), "SPSETL_APPLIANCE": "sps"}
        first = spsetl("sync", "--json", env=env)
        print(f"{reading}: first sync {json.dumps(first)}", flush=True)
        warehouse = folder / "data" / "warehouse.duckdb"
        began = time.monotonic()
        assert_equal_copy(World(WorldSpec(sessions=sessions, burst=burst)), warehouse, appliance="sps")
        print(f"{reading}: all equal, compared in {time.monotonic() - began:.0f} s", flush=True)
        field = "recording.connection_policy"
        ours = spsetl("stats", field, "--sub-field", "protocol", "--format", "json", env=env)
        assert ours == ask(env, "stats", field=field, sub_fields="protocol")
        start, end = RANGE
        theirs = ask(env, "histogram", field="protocol", bin_size="day", start=start, end=end)
        match = {"literal": "contained", "overlap": "overlap"}[reading]
        options = ["--start", start, "--end", end, "--match", match, "--format", "json"]
        own = spsetl("histogram", "protocol", *options, env=env)
        days = [[(b["id"], b["start_count"]) for b in answer["body"]["buckets"]] for answer in (own, theirs)]
        assert days[0] == days[1]
        print(f"{reading}: stats equal, histogram equal over {len(days[0])} days", flush=True)
        before = content(warehouse)
        second = spsetl("sync", "--json", env=env)
        assert content(warehouse) == before
        assert not {"channels", "events", "alerts"} & second["requests"].keys()
        print(f"{reading}: second sync {json.dumps(second['requests'])}, no row changed", flush=True)


def main() -> None:
    """Both readings, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=30_000)
    parser.add_argument("--burst", type=int, default=12_000)
    given = parser.parse_args()
    for reading in ("literal", "overlap"):
        with tempfile.TemporaryDirectory() as folder:
            accept(reading, given.sessions, given.burst, Path(folder))


if __name__ == "__main__":
    main()
