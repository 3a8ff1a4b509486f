"""What the flows share: how steps run as tasks, and how a run for several appliances ends."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from prefect import Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from flows.stopping import Threads
from spsetl.errors import IncompleteError
from spsetl.settings import Settings
from spsetl.sync import run_each
from spsetl.sync.several import Report

Item = TypeVar("Item")
Result = TypeVar("Result")
AnyReport = TypeVar("AnyReport", bound=Report)


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
    done = run_each(all_settings, run, complain=get_run_logger().error)
    failed = [one for one in done if one.error]
    if len(done) == 1 and done[0].error:
        raise done[0].error
    if failed:
        raise IncompleteError("; ".join(f"{one.appliance}: {one.error}" for one in failed))
    return [one.report.as_json() for one in done if one.report]


# As many as SPSETL_CONCURRENCY can be; how many run at once, the sync itself decides.
# Prefect's own types do not fit each other here.
THREADS = cast("TaskRunner[PrefectFuture[Any]]", Threads(max_workers=64))
