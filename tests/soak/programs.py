"""Syncs as programs of their own, to be killed, starved and measured."""

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spsetl.simulator import Simulator
from tests.syncing import NAME

KILLED = -signal.SIGKILL
_LONGEST_SECONDS = 300
_KILOBYTE = 1024
_WAIT = 0.001
_WAITS_A_LOOK = 20


@dataclass(frozen=True)
class Ended:
    """How a program ended; memory is the most it had, in MB."""

    code: int
    stderr: str
    seconds: float
    megabytes: int

    @property
    def complaint(self) -> str:
        """What it says went wrong; empty if nothing did."""
        return "\n".join(line for line in self.stderr.splitlines() if line.startswith("spsetl: "))

    @property
    def last_words(self) -> str:
        """The complaint, or where there is none, the last line of what was said."""
        return self.complaint or next(iter(self.stderr.strip().splitlines()[-1:]), "nothing")

    @property
    def is_one_line(self) -> bool:
        """Whether it complained in one line and nothing else."""
        return self.complaint.count("\n") == 0 and bool(self.complaint) and "Traceback" not in self.stderr


def environment(simulator: Simulator, folder: Path, **settings: object) -> dict[str, str]:
    """The environment of a sync from that appliance into that folder."""
    own = {
        "url": simulator.url,
        "username": simulator.username,
        "password": simulator.password,
        "appliance": NAME,
        "data_dir": folder,
    } | settings
    others = {name: value for name, value in os.environ.items() if not name.startswith("SPSETL_")}
    return others | {f"SPSETL_{name.upper()}": str(value) for name, value in own.items()}


def run_spsetl(
    *arguments: str,
    env: dict[str, str],
    kill: Callable[[float], bool] | None = None,
    largest_file: int | None = None,
) -> Ended:
    """Run a command to its end, or kill it.

    Args:
        arguments: The command.
        env: Its environment.
        kill: Asked a thousand times a second, with the seconds since the start, whether to kill it now.
        largest_file: No file may grow beyond so many bytes.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "spsetl", *arguments],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        if largest_file is not None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))
        megabytes = _wait(process, began, kill)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    return Ended(process.returncode, said, time.monotonic() - began, megabytes)


def _wait(process: subprocess.Popen[bytes], began: float, kill: Callable[[float], bool] | None) -> int:
    """Wait, and look at its memory meanwhile; gives the most it had, in MB."""
    megabytes, looks = 0, 0
    try:
        while process.poll() is None:
            passed = time.monotonic() - began
            if passed > _LONGEST_SECONDS or (kill is not None and kill(passed)):
                process.kill()
            if looks % _WAITS_A_LOOK == 0:
                megabytes = _peak_megabytes(process.pid) or megabytes
            looks += 1
            time.sleep(_WAIT)
    finally:
        process.kill()
        process.wait()
    return megabytes


def _peak_megabytes(pid: int) -> int:
    """The most memory that the process has had so far; 0 where nothing says so, as when it has just ended."""
    # What `wait4` tells would include what this process had when it started the other.
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // _KILOBYTE for line in lines if line.startswith("VmHWM")), 0)


def gist(complaint: str) -> str:
    """A complaint without what differs from run to run."""
    text = re.sub(r"^spsetl: ", "", complaint)
    text = re.sub(r"/\S*/", "…/", text)
    return re.sub(r"\d{3,}[\w.:-]*", "N", text)[:160]
