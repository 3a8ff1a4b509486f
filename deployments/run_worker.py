"""Runs a Prefect worker, and ends it so that no flow run stays "Running": `run_worker.py PROGRAM [ARGUMENT…]`.

A worker that is told to stop (Prefect 3.8) kills its flow runs at once, and the server shows them as Running until its
automation takes them for stuck. Here each run is told first; it reports that it has crashed, and then the worker goes.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SECONDS_FOR_RUNS = 30.0
SECONDS_FOR_WORKER = 15.0
FAILED = 1


def run_worker(command: Sequence[str], asked: threading.Event) -> int:
    """Run until the worker ends by itself, or it is asked to stop; the exit code."""
    # In a session of its own, so that Ctrl-C reaches this program alone.
    with subprocess.Popen(command, start_new_session=True) as worker:  # noqa: S603 what the unit or the image says
        while worker.poll() is None and not asked.wait(0.2):
            pass
        if worker.poll() is not None:
            print(f"the worker ended by itself, code {worker.returncode}", file=sys.stderr, flush=True)
            return worker.returncode if worker.returncode > 0 else FAILED
        end_runs(worker.pid)
        worker.terminate()
        try:
            worker.wait(SECONDS_FOR_WORKER)
        except subprocess.TimeoutExpired:
            worker.kill()
    return 0


def end_runs(worker: int) -> None:
    """Tell the worker's flow runs to stop, and wait until they have said so to the server."""
    runs = list(find_runs(worker))
    for run in runs:
        os.kill(run, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_FOR_RUNS
    while set(runs) & set(find_runs(worker)) and time.monotonic() < deadline:
        time.sleep(0.1)


def find_runs(worker: int) -> Iterator[int]:
    """The processes of the worker's flow runs that are alive."""
    for children in Path(f"/proc/{worker}/task").glob("*/children"):
        for child in _read(children.read_text).split():
            # A process that has ended has an empty command line until its parent has taken note.
            if "prefect" in _read(Path(f"/proc/{child}/cmdline").read_text):
                yield int(child)


def _read(read: Callable[[], str]) -> str:
    """Empty where the process has gone meanwhile."""
    try:
        return read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


if __name__ == "__main__":
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    sys.exit(run_worker(sys.argv[1:], asked_to_stop))
