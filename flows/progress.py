"""How far a run is: stages in the log, and a bar on the run's page."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, cast
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectException

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]

_EVERY: Final = 5.0  # seconds; oftener than a person looks


class ShownProgress:
    """Tells the stages of a run to its log, and the share that is done to a progress artifact.

    A server that is away costs the bar, not the sync.

    Args:
        logger: The run's.
        key: Of the artifact.
        clock: Seconds since any fixed moment.
    """

    def __init__(self, logger: Logger, key: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._totals: dict[str, int | None] = {}
        self._done: dict[str, int] = {}
        self._artifact: UUID | None = None
        self._shown_at = float("-inf")

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins."""
        with self._lock:
            self._totals[stage], self._done[stage] = total, 0
        self._logger.info("%s: %s to do", stage, "unknown" if total is None else f"{total:,}")
        if total:
            self._show(stage)

    def advance(self, stage: str, amount: int) -> None:
        """Some of the stage is done; shown every few seconds. Called from many threads."""
        with self._lock:
            self._done[stage] = self._done.get(stage, 0) + amount
            is_due = self._totals.get(stage) and self._clock() - self._shown_at >= _EVERY
            if is_due:
                self._shown_at = self._clock()
        if is_due:
            self._show(stage)

    def finish(self, stage: str) -> None:
        """A stage is done."""
        self._logger.info("%s: %s done", stage, f"{self._done.get(stage, 0):,}")
        if self._totals.get(stage):
            self._show(stage)

    def say(self, message: str) -> None:
        """One line."""
        self._logger.info("%s", message)

    def end(self) -> None:
        """All is done."""
        self._send(100.0, "done")

    def _show(self, stage: str) -> None:
        done, total = self._done[stage], self._totals[stage] or 1
        self._send(min(100.0, 100 * done / total), f"{stage}: {done:,} of {total:,}")

    def _send(self, percent: float, description: str) -> None:
        try:
            if self._artifact is None:
                self._artifact = cast("UUID", create_progress_artifact(percent, self._key, description))
            else:
                update_progress_artifact(self._artifact, percent, description=description)
        except (httpx.HTTPError, PrefectException) as error:
            self._logger.warning("the progress cannot be shown: %s", type(error).__name__)
