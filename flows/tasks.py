"""What the flows share: how steps run as tasks, and where progress goes."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

Item = TypeVar("Item")
Result = TypeVar("Result")


class Tasks:
    """Runs each step of a sync as a task of the flow, some at a time."""

    def map(
        self,
        name: str,
        step: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        workers: int,
        stop: Callable[[], None],
    ) -> Iterator[Result]:
        """See spsetl.sync.StepRunner. Results are not cached: what is done is known by the warehouse alone."""
        task: Task[..., Any] = Task(step, name=name, cache_policy=NO_CACHE, persist_result=False)
        running: deque[PrefectFuture[Any]] = deque()
        try:
            for item in items:
                running.append(task.submit(item))
                if len(running) >= workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BaseException:
            stop()
            raise


class LoggedProgress:
    """Tells the stages of a sync to the flow run's log."""

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        self._logger = logger

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins."""
        self._logger.info("%s: %s to do", stage, "unknown" if total is None else total)

    def advance(self, stage: str, amount: int) -> None:
        """Too often to log."""

    def finish(self, stage: str) -> None:
        """A stage is done."""
        self._logger.info("%s: done", stage)

    def say(self, message: str) -> None:
        """One line."""
        self._logger.info("%s", message)


# As many as SPSETL_CONCURRENCY can be; how many run at once, the sync itself decides.
# Prefect's own types do not fit each other here.
THREADS = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=64))
