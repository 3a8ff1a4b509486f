"""Whole programs, from start to exit: what they took, and what they asked of the appliance meanwhile."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any, Final

from tests.benchmarks.appliances import Appliance

ROOT: Final = Path(__file__).parents[2]
_LAUNCHER: Final = Path(__file__).with_name("launcher.py")


# No run takes nearly as long: whatever does has stopped.
_LONGEST_SECONDS: Final = 900


@dataclass(frozen=True)
class Program:
    """What to run: one program, or several in a pipe."""

    name: str
    commands: Sequence[Sequence[str]]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One run. Memory is the most that it had, of a pipe the sum."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    requests: Counter[str]
    simulator_seconds: float
    stdout: str

    @property
    def said(self) -> dict[str, Any]:
        """The last line of stdout, which is JSON."""
        found: dict[str, Any] = json.loads(self.stdout.strip().splitlines()[-1])
        return found


@dataclass
class Measured:
    """All runs of one system."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    contents: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The median."""
        return median(sample.seconds for sample in self.samples)

    @property
    def cpu_seconds(self) -> float:
        """The median."""
        return median(sample.cpu_seconds for sample in self.samples)

    @property
    def megabytes(self) -> float:
        """The median of the peaks."""
        return median(sample.megabytes for sample in self.samples)

    @property
    def requests(self) -> int:
        """The median of their number, logins included."""
        return round(median(sample.requests.total() for sample in self.samples))

    def as_json(self) -> dict[str, Any]:
        """For the results."""
        return {
            "system": self.name,
            "seconds": round(self.seconds, 3),
            "seconds_of_runs": [round(sample.seconds, 3) for sample in self.samples],
            "cpu_seconds": round(self.cpu_seconds, 3),
            "megabytes": round(self.megabytes, 1),
            "requests": self.requests,
            "requests_by_kind": dict(self.samples[-1].requests),
            "simulator_cpu_share": round(median(s.simulator_seconds / s.seconds for s in self.samples), 3),
            **({"contents": self.contents} if self.contents else {}),
        }


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def run(program: Program, appliance: Appliance | None = None, *, codes: Sequence[int] = (0,)) -> Sample:
    """Run it once.

    Raises:
        RuntimeError: It failed; the message has the end of what it said.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith(("SPSETL_", "PYTHON"))}
    order = {
        "programs": [list(command) for command in program.commands],
        "env": others | dict(program.env),
        "folder": str(program.folder),
    }
    path = program.folder / "order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    before, used = (appliance.requests, appliance.cpu_seconds) if appliance else (Counter(), 0.0)
    result = _launch(path, program.name)
    used = appliance.cpu_seconds - used if appliance else 0.0
    asked = appliance.requests - before if appliance else Counter()
    if any(code not in codes for code in result["codes"]):
        said = (program.folder / "stderr").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{program.name} ended with {result['codes']}: {said[-2000:]}")
    stdout = (program.folder / "stdout").read_text(encoding="utf-8", errors="replace")
    return Sample(result["seconds"], result["cpu_seconds"], result["megabytes"], asked, used, stdout)


def _launch(order: Path, name: str) -> dict[str, Any]:
    """What the launcher tells; it and what it started are ended where they take too long."""
    command = [sys.executable, "-I", "-S", str(_LAUNCHER), str(order)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as launcher:
        try:
            said, _ = launcher.communicate(timeout=_LONGEST_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{name} took more than {_LONGEST_SECONDS} s, and was ended") from error
        finally:
            if launcher.returncode is None:  # also at Ctrl-C
                os.killpg(launcher.pid, signal.SIGKILL)
    if launcher.returncode:
        raise RuntimeError(f"{name} could not be started: see the message above")
    result: dict[str, Any] = json.loads(said)
    return result
