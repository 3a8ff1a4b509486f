"""The simulated appliance as a process of its own, whose plug can be pulled."""

import json
import signal
import sys
from pathlib import Path
from typing import Any, Final, Self

import requests

from spsetl.simulator import World, WorldSpec
from tests.e2e.prefect.programs import Program, free_port

PASSWORD: Final = "sps-audit"
USERNAME: Final = "audit"
SECONDS_TO_START: Final = 60
DETAILS: Final = ("channels", "events", "alerts")


class Appliance:
    """`spsetl simulate` on one port; each time it is plugged in it has lived through the same nights."""

    def __init__(self, spec: WorldSpec, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._spec, self._folder = spec, folder
        self._nights = 0
        self._program: Program | None = None

    def __enter__(self) -> Self:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_plug()

    def plug_in(self, *, latency: float = 0.0) -> None:
        """Start it, and wait until it answers; each answer takes `latency` seconds."""
        self.pull_plug()
        ready = self._folder / "simulator.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "spsetl", "simulate", "--port", self.url.rpartition(":")[2]]
        command += ["--sessions", str(self._spec.sessions), "--days", str(self._spec.days)]
        command += ["--latency", str(latency), "--username", USERNAME, "--password", PASSWORD]
        command += ["--ready-file", str(ready)]
        self._program = Program(*command, log=self._folder / "simulator.log", environment={}).__enter__()
        self._program.wait_until(ready.exists, "the simulated appliance starts", seconds=SECONDS_TO_START)
        assert json.loads(ready.read_bytes())["url"] == self.url
        for _ in range(self._nights):
            self._control("advance-night")

    def pull_plug(self) -> None:
        """It is gone, in the middle of whatever it did."""
        if self._program is not None:
            self._program.stop(signal.SIGKILL)
        self._program = None

    def pass_night(self) -> None:
        """A night passes: sessions arrive, change and go."""
        self._nights += 1
        self._control("advance-night")

    def world(self) -> World:
        """What it shows now, made here from the same numbers."""
        world = World(self._spec)
        for _ in range(self._nights):
            world.advance_night()
        assert self._control("world")["sessions"] == len(world)
        return world

    def asked(self) -> int:
        """How many requests have come since it was plugged in."""
        return sum(self._control("requests").values())

    def asked_for_details(self) -> bool:
        """Whether a run is in the middle of its work."""
        return any(kind in self._control("requests") for kind in DETAILS)

    def _control(self, what: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/simulator/{what}", timeout=30)
        answer.raise_for_status()
        return dict(answer.json())
