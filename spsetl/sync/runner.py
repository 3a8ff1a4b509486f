"""How the steps of a sync are run side by side: threads here, Prefect's tasks in `flows/`."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

from spsetl.seeing.logs import carry

Item = TypeVar("Item")
Result = TypeVar("Result")


class StepRunner(Protocol):
    """Runs one step for many items, some at a time."""

    def map(
        self,
        name: str,
        step: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        workers: int,
        stop: Callable[[], None],
    ) -> Iterator[Result]:
        """Give the results as they come, in any order.

        The first error ends it: `stop` is called, which makes the steps that are under way end soon.
        """
        ...


class ThreadRunner:
    """Plain threads. No more than `workers` results wait to be taken, so that memory stays bounded."""

    def map(
        self,
        name: str,
        step: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        workers: int,
        stop: Callable[[], None],
    ) -> Iterator[Result]:
        """See StepRunner."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        is_waited_for = True
        try:
            yield from _run_all(pool, carry(step), items, workers)
        except BaseException as error:
            stop()
            # After Ctrl-C somebody waits at the terminal; what the threads still write becomes visible to nobody.
            is_waited_for = not isinstance(error, KeyboardInterrupt)
            raise
        finally:
            pool.shutdown(wait=is_waited_for, cancel_futures=True)


def _run_all(
    pool: ThreadPoolExecutor, step: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    running: set[Future[Result]] = set()
    for item in items:
        running.add(pool.submit(step, item))
        if len(running) >= workers:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)
