"""What the flows share: how steps run as tasks, and how a run for several appliances ends."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from prefect import Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.logging.handlers import APILogHandler

from spsetl.errors import IncompleteError
from spsetl.settings import Settings
from spsetl.sync import ThreadRunner, run_each
from spsetl.sync.several import Report

Item = TypeVar("Item")
Result = TypeVar("Result")
AnyReport = TypeVar("AnyReport", bound=Report)


class Tasks(ThreadRunner):
    """Runs each step of a sync as a task of the flow, in the threads that it would have without Prefect."""

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
        return super().map(name, task, items, workers=workers, stop=stop)


def run_all(all_settings: Iterable[Settings], run: Callable[[Settings], AnyReport]) -> list[dict[str, Any]]:
    """Run for one appliance after the other; one that fails does not stop the others, and fails the whole.

    Args:
        all_settings: Of each appliance.
        run: Does it for one, and raises what is wrong or incomplete.

    Returns:
        What each run reported.

    Raises:
        SpsetlError: Why it failed, or what is incomplete.
    """
    with _logged():
        done = run_each(all_settings, run, complain=get_run_logger().error)
    failed = [one for one in done if one.error]
    if len(done) == 1 and done[0].error:
        raise done[0].error
    if failed:
        raise IncompleteError("; ".join(f"{one.appliance}: {one.error}" for one in failed))
    return [one.report.as_json() for one in done if one.report]


@contextmanager
def _logged() -> Iterator[None]:
    """Let what spsetl itself says stand in the log of the run."""
    logger, handler = logging.getLogger("spsetl"), APILogHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
