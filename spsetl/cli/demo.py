"""`spsetl demo`: the main job from end to end on a simulated appliance."""

import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson

from spsetl.analysis.reader import open_warehouse
from spsetl.cli.output import print_table
from spsetl.cli.sync import run_and_show, summarize
from spsetl.errors import SpsetlError, UsageError
from spsetl.events import Teller
from spsetl.queries import read_statement
from spsetl.report import has_libraries, write_report
from spsetl.runs import Run
from spsetl.settings import Settings, load_settings
from spsetl.sync import ThreadRunner, run_sync

USERNAME: Final = "audit"
PASSWORD: Final = "sps-audit"  # noqa: S105 the password of a stand-in
MARK: Final = ".spsetl-demo"
SECONDS_TO_START: Final = 120
QUESTIONS: Final = ("riskiest_sessions", "failed_logins", "privileged_commands", "alerts_by_rule")


def demo(*, sessions: int = 10_000, data_dir: Path = Path("demo-data")) -> None:
    """Start a simulated appliance, sync, let a night pass, sync again, and show what can be asked.

    Args:
        sessions: How many sessions the simulated appliance has.
        data_dir: Folder of the copy; an earlier demo's is replaced.
    """
    began = time.monotonic()
    _clear(data_dir)
    with _appliance(sessions, data_dir / "simulator.json") as url:
        settings = load_settings(
            {"url": url, "username": USERNAME, "password": PASSWORD, "appliance": "demo", "data_dir": data_dir},
            environ={},
        )
        _say(f"\nFirst night: everything. The simulated appliance is at {url}")
        _sync(settings)
        _write_report(settings)
        with urllib.request.urlopen(f"{url}/simulator/advance-night") as answer:  # noqa: S310 loopback
            answer.read()
        _say(
            "\nSecond night: sessions arrived, ended, were indexed and scored. Only what is new or changed is fetched."
        )
        _sync(settings)
    _show_answers(settings)
    page = _write_report(settings)
    if page:
        _say(f"\nThe report, one page to open in a browser: {page}")
    else:
        _say("\nNo report: it needs more libraries, pip install 'spsetl[report]'")
    # As it was called, to be called again from the same folder.
    program = sys.argv[0] if Path(sys.argv[0]).name == "spsetl" else "python -m spsetl"
    _say(
        f"\nDone in {time.monotonic() - began:,.0f} s. The copy is {data_dir / 'warehouse.duckdb'}. Ask on:\n"
        f"  {program} stats recording.connection_policy --sub-field protocol --data-dir {data_dir}\n"
        f"  {program} sql \"from session_histogram('month')\" --data-dir {data_dir}\n"
        f"  {program} status --data-dir {data_dir}"
    )


def _write_report(settings: Settings) -> Path | None:
    """One after each night, so that the second tells what changed; None without the report's libraries."""
    if not has_libraries():
        return None
    return write_report(settings.data_dir, office_hours=str(settings.office_hours))


def _sync(settings: Settings) -> None:
    def run(settings: Settings, teller: Teller) -> Run:
        return run_sync(settings, runner=ThreadRunner(), teller=teller)

    run_and_show([settings], run, summarize=summarize, json=False)


def _clear(data_dir: Path) -> None:
    """An empty folder. Nothing is removed that a demo did not make."""
    if data_dir.exists() and any(data_dir.iterdir()):
        if not (data_dir / MARK).exists():
            raise UsageError(f"{data_dir} is there and was not made by a demo: choose another folder with --data-dir")
        shutil.rmtree(data_dir)
    data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    (data_dir / MARK).touch()


@contextmanager
def _appliance(sessions: int, ready_file: Path) -> Iterator[str]:
    """A simulated appliance in a process of its own; gives its address."""
    command = [sys.executable, "-m", "spsetl", "simulate", "--sessions", str(sessions), "--port", "0"]
    command += ["--username", USERNAME, "--password", PASSWORD, "--ready-file", str(ready_file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 our own
        try:
            yield _wait_for(process, ready_file)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _wait_for(process: subprocess.Popen[str], ready_file: Path) -> str:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if ready_file.exists():
            return str(orjson.loads(ready_file.read_bytes())["url"])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    _, complaint = process.communicate()
    raise SpsetlError(f"the simulated appliance did not start: {complaint.strip() or 'it took too long'}")


def _show_answers(settings: Settings) -> None:
    with open_warehouse(settings.data_dir) as warehouse:
        for name in QUESTIONS:
            statement = read_statement("questions", name)
            title = statement.splitlines()[0].removeprefix("-- ").split(":")[0]
            columns, rows = warehouse.rows(statement)
            _say(f"\n{title} (sql/questions/{name}.sql)")
            print_table(columns, rows[:5])


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
