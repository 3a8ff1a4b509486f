"""How steps are run side by side."""

import threading
from collections.abc import Iterator

import pytest

from spsetl.sync import ThreadRunner

WORKERS = 3


def no_stop() -> None:
    """Nobody is told."""


def test_each_item_gives_its_result_once() -> None:
    """Whatever their number, beside the number of workers."""
    for size in (0, 1, WORKERS, 7 * WORKERS + 1):
        found = ThreadRunner().map("step", lambda n: 2 * n, range(size), workers=WORKERS, stop=no_stop)
        assert sorted(found) == [2 * n for n in range(size)]


def test_others_go_on_while_a_result_is_looked_at() -> None:
    """Whoever takes one may be long with it; but no more are begun than twice the workers."""
    begun: list[int] = []
    ended = threading.Condition()

    def step(number: int) -> int:
        with ended:
            begun.append(number)
            ended.notify_all()
        return number

    results = ThreadRunner().map("step", step, range(100), workers=WORKERS, stop=no_stop)
    for taken in range(1, 20):
        next(results)
        with ended:
            assert ended.wait_for(lambda least=taken: len(begun) > least, 10)
            assert len(begun) <= taken + 2 * WORKERS
    assert len(list(results)) == 81
    assert sorted(begun) == list(range(100))


def test_items_are_asked_for_by_the_caller_alone() -> None:
    """They come from a connection that only its thread may use."""
    threads = set()

    def items() -> Iterator[int]:
        for number in range(20):
            threads.add(threading.get_ident())
            yield number

    assert len(list(ThreadRunner().map("step", str, items(), workers=WORKERS, stop=no_stop))) == 20
    assert threads == {threading.get_ident()}


def test_the_first_error_ends_it() -> None:
    """What is under way is told to stop, and nothing more is begun."""
    stopped = threading.Event()
    begun = []

    def step(number: int) -> int:
        begun.append(number)
        if number == 1:
            raise ValueError("broken")
        assert stopped.wait(10)
        return number

    with pytest.raises(ValueError, match="broken"):
        list(ThreadRunner().map("step", step, range(100), workers=WORKERS, stop=stopped.set))
    assert stopped.is_set()
    assert len(begun) <= WORKERS + 1
