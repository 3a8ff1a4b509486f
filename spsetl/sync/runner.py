"""How the steps of a sync are run side by side: threads here, Prefect's tasks in `flows/`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
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
    """Plain threads. Twice as many as work at once are under way or wait to be taken, so that memory stays bounded."""

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
    """Begin others before each result is given: whoever takes one may be long with it."""
    upcoming = iter(items)
    running: set[Future[Result]] = set()
    finished: deque[Future[Result]] = deque()
    while True:
        free = min(workers - len(running), 2 * workers - len(running) - len(finished))
        running.update(pool.submit(step, item) for item in islice(upcoming, free))
        done, running = wait(running, timeout=0 if finished else None, return_when=FIRST_COMPLETED)
        finished.extend(done)
        if not finished:
            return
        yield finished.popleft().result()
