"""Who is next where one at a time may work."""

import threading

import pytest

from spsetl.sync.turns import Turns


def test_the_lowest_number_is_next() -> None:
    """However late it came, and among equal numbers the first that came; one at a time."""
    turns, order, inside = Turns(), [], threading.Semaphore(1)

    def work(number: int, name: str) -> None:
        with turns.turn(number):
            assert inside.acquire(blocking=False)
            order.append(name)
            inside.release()

    threads = []
    with turns.turn(9):
        for waiting, (number, name) in enumerate([(5, "five"), (2, "two"), (7, "seven"), (2, "two again")], 1):
            threads.append(threading.Thread(target=work, args=(number, name)))
            threads[-1].start()
            while len(turns._waiting) < waiting:
                pass
    for thread in threads:
        thread.join(10)
    assert order == ["two", "two again", "five", "seven"]


def test_a_turn_that_fails_is_handed_on() -> None:
    """An error in one thread leaves no other waiting."""
    turns = Turns()
    with pytest.raises(ValueError, match="mine"), turns.turn(1):
        raise ValueError("mine")
    with turns.turn(2), pytest.raises(ValueError, match="mine"):
        raise ValueError("mine")
    with turns.turn(3):
        assert not turns._waiting
