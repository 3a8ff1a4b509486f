"""Nights of a simulated appliance, each followed by a sync as a program of its own."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from spsetl.simulator import Simulator
from tests.soak.programs import environment


class Nights:
    """Syncs of one appliance into one folder."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self._simulator = simulator
        self._environment = environment(simulator, folder)

    def pass_one(self) -> None:
        """One night and its sync, which publishes."""
        self._simulator.advance_night()
        self.sync()

    def sync(self) -> None:
        """One sync, which must succeed."""
        command = [sys.executable, "-m", "spsetl", "sync"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class PassingNights:
    """Night after night in the background, as fast as they go; a context manager."""

    def __init__(self, nights: Nights) -> None:
        self._nights = nights
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._pass)
        self._failure: BaseException | None = None
        self.passed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    @property
    def is_going_on(self) -> bool:
        """Whether no sync has failed yet."""
        return self._thread.is_alive()

    def _pass(self) -> None:
        try:
            while not self._over.is_set():
                self._nights.pass_one()
                self.passed += 1
        except BaseException as failure:  # noqa: BLE001 raised again where the nights end
            self._failure = failure
