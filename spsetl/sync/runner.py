"""How the steps of a sync are run side by side: threads here, Prefect's tasks in `flows/`."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Final, Protocol, TypeVar

from spsetl.events import carry
from spsetl.interrupts import ends_process, is_asked_to_end

Item = TypeVar("Item")
Result = TypeVar("Result")

# Who pressed Ctrl-C waits no longer for what is under way: a step that hangs at a silent appliance is given up.
_PATIENCE: Final = 5.0
_TICK: Final = 0.1


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

        The first error ends it, and so does a signal: `stop` is called, which makes the steps that are under way end
        soon; what they still give is given on, and then the error raised.
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
            yield from _run_all(pool, carry(step), items, workers, stop)
        except BaseException as error:
            stop()
            # Somebody waits for the end of the process; what the threads still write becomes visible to nobody.
            is_waited_for = not (isinstance(error, KeyboardInterrupt) or ends_process(error))
            raise
        finally:
            pool.shutdown(wait=is_waited_for and not is_asked_to_end(), cancel_futures=True)


def _run_all(
    pool: ThreadPoolExecutor,
    step: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    stop: Callable[[], None],
) -> Iterator[Result]:
    """Begin others before each result is given: whoever takes one may be long with it."""
    upcoming = iter(items)
    running: set[Future[Result]] = set()
    finished: deque[Future[Result]] = deque()
    failure: BaseException | None = None
    given_up_at: float | None = None
    while True:
        if failure is None and given_up_at is None:
            free = min(workers - len(running), 2 * workers - len(running) - len(finished))
            running.update(pool.submit(step, item) for item in islice(upcoming, free))
        done, running = wait(running, timeout=0 if finished else _TICK, return_when=FIRST_COMPLETED)
        finished.extend(done)
        if given_up_at is None and is_asked_to_end():
            stop()
            given_up_at = time.monotonic() + _PATIENCE
        if finished:
            future = finished.popleft()
            error = future.exception()
            if error is None:
                yield future.result()
            elif failure is None:
                stop()
                failure = error
        elif not running or (given_up_at is not None and time.monotonic() > given_up_at):
            break
    if failure is not None:
        raise failure
