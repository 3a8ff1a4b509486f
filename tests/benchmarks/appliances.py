"""A simulated appliance in a process of its own, from the side of who measures."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

USERNAME: Final = "audit"
PASSWORD: Final = "sps-audit"
# An answer is cut at 10000; rivals are given windows that stay well below, also on a busy day.
_WINDOW_SESSIONS: Final = 6500


@dataclass(frozen=True)
class Appliance:
    """One that runs."""

    url: str
    pid: int
    sessions: int
    latency: float
    now: datetime
    days: int
    _orders: IO[str]
    _answers: IO[str]

    def order(self, do: str, **more: Any) -> Any:
        """What `simulating.py` answers."""
        self._orders.write(json.dumps({"do": do} | more) + "\n")
        self._orders.flush()
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the simulated appliance has ended at {do}: see its message above")
        return json.loads(line)

    @property
    def requests(self) -> Counter[str]:
        """How many it has had, by kind."""
        return Counter(self.order("requests"))

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def filters(self, start: datetime | None = None) -> list[str]:
        """Queries by windows of start_time that each give less than 10000 sessions, and together all since `start`."""
        length = timedelta(days=max(1 / 24, min(self.days, self.days * _WINDOW_SESSIONS / max(1, self.sessions))))
        windows = []
        begin, end = start or self.now - timedelta(days=self.days + 1), self.now + timedelta(days=2)
        while begin < end:
            after = min(begin + length, end)
            windows.append(f"start_time:[{_text(begin)} TO {_text(after)}}}")
            begin = after
        return windows


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def appliance(*, sessions: int, latency: float = 0.0, **spec: Any) -> Iterator[Appliance]:
    """Make a world, serve it, and end it with the block."""
    given = json.dumps({"sessions": sessions, "latency": latency} | spec)
    command = [sys.executable, "-m", "tests.benchmarks.simulating", given]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the simulated appliance did not start: see its message above")
        found = json.loads(line)
        now = datetime.fromisoformat(found["now"])
        try:
            yield Appliance(
                found["url"], process.pid, sessions, latency, now, found["days"], process.stdin, process.stdout
            )
        finally:
            process.stdin.close()
            process.wait(60)
