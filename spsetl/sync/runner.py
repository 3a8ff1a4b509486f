"""How the steps of a sync are run side by side: threads here, Prefect's tasks in `flows/`."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class StepRunner(Protocol):
    """Runs one step for many items, some at a time."""

    def map(
        self, name: str, step: Callable[[Item], Result], items: Iterable[Item], *, workers: int
    ) -> Iterator[Result]:
        """Give the results as they come, in any order. The first error ends it, and nothing is left running."""
        ...


class ThreadRunner:
    """Plain threads. No more than `workers` results wait to be taken, so that memory stays bounded."""

    def map(
        self, name: str, step: Callable[[Item], Result], items: Iterable[Item], *, workers: int
    ) -> Iterator[Result]:
        """See StepRunner."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        running: set[Future[Result]] = set()
        try:
            for item in items:
                running.add(pool.submit(step, item))
                if len(running) >= workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)
