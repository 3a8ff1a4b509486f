"""The nightly sync as a Prefect flow: the same steps as `spsetl sync`, a task a window or batch, its outcome to see.

Run by hand with `python -m flows.nightly_sync`. Settings come from the worker's environment and `spsetl.toml`, as for
the command line: parameters of a flow are shown to everybody, so there is no place for a password here.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from prefect import Task, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from spsetl.errors import IncompleteError
from spsetl.settings import load_settings
from spsetl.sync import SyncReport, run_sync

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


def describe(report: SyncReport) -> str:
    """The outcome as markdown."""
    facts = [
        ("appliance", report.appliance),
        ("sessions seen", f"{report.sessions_seen:,}"),
        ("new", f"{report.sessions_new:,}"),
        ("changed", f"{report.sessions_changed:,}"),
        ("details pending", f"{report.details_pending:,}"),
        ("quarantined rows", f"{report.quarantined:,}"),
        ("requests", ", ".join(f"{kind} {count:,}" for kind, count in sorted(report.requests.items()))),
        ("seconds", f"{report.seconds:,.1f}"),
        ("published", "yes" if report.published else "no"),
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    return f"## Sync {report.run_id}\n\n| | |\n|---|---|\n{rows}\n"


# As many as SPSETL_CONCURRENCY can be; how many run at once, the sync itself decides.
# Prefect's own types do not fit each other here.
THREADS = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=64))


@flow(name="nightly-sync", task_runner=THREADS)
def nightly_sync() -> dict[str, Any]:
    """Bring the copy up to date and publish it; the outcome is kept as an artifact.

    Raises:
        SpsetlError: Why the sync failed; the run ends Failed.
    """
    logger = get_run_logger()
    settings = load_settings()
    report = run_sync(settings, runner=Tasks(), progress=LoggedProgress(logger))
    create_markdown_artifact(key="spsetl-sync", markdown=describe(report), description="Outcome of the last sync")
    if report.details_failed:
        raise IncompleteError(
            f"{report.details_failed} sessions have details that could not be fetched whole; the rest is published"
        )
    return report.as_json()


if __name__ == "__main__":
    nightly_sync()
