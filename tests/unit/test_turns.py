"""Who is next where one at a time may work."""

import threading
from typing import Any

import orjson
import pytest

from spsetl.sync.pages import Pages
from spsetl.sync.turns import Turns


def test_the_lowest_number_is_next() -> None:
    """However late it came, and among equal numbers the first that came; one at a time."""
    turns, order, inside = Turns(), [], threading.Semaphore(1)

    def work(number: int, name: str) -> None:
        turns.take(number)
        assert inside.acquire(blocking=False)
        order.append(name)
        inside.release()
        turns.hand_on()

    threads = []
    turns.take(9)
    for waiting, (number, name) in enumerate([(5, "five"), (2, "two"), (7, "seven"), (2, "two again")], 1):
        threads.append(threading.Thread(target=work, args=(number, name)))
        threads[-1].start()
        while len(turns._waiting) < waiting:
            pass
    turns.hand_on()
    for thread in threads:
        thread.join(10)
    assert order == ["two", "two again", "five", "seven"]


class Answers:
    """Gives what it is told to, as a client does; and sees whether another window could have its turn meanwhile."""

    def __init__(self, turns: Turns, *bodies: bytes) -> None:
        self._turns = turns
        self._bodies = list(bodies)
        self.was_free: list[bool] = []

    def get(self, path: str, params: Any = None, *, kind: str, decode: Any) -> Any:
        """The next answer, decoded."""
        assert (path, params, kind) == ("/path", {"a": 1}, "list")
        self.was_free.append(not self._turns._is_taken)
        return decode(self._bodies.pop(0))


def test_a_page_is_in_hand_until_the_next_is_asked_for() -> None:
    """And no longer than the window; while it waits for an answer, others have their turn."""
    turns = Turns()
    client = Answers(turns, b'{"items": [1], "meta": {}}', b'{"items": [2], "meta": {}}')
    with Pages(client, turns, 1) as pages:  # type: ignore[arg-type]
        for number in (1, 2):
            assert pages.get("/path", {"a": 1}, kind="list") == {"items": [number], "meta": {}}
            assert turns._is_taken
    assert client.was_free == [True, True]
    assert not turns._is_taken


def test_a_turn_that_fails_is_handed_on() -> None:
    """An answer that is no JSON is asked for again after a wait, in which others have their turn."""
    turns = Turns()
    client = Answers(turns, b"{", b'{"items": [], "meta": {}}')
    with Pages(client, turns, 1) as pages:  # type: ignore[arg-type]
        with pytest.raises(orjson.JSONDecodeError):
            pages.get("/path", {"a": 1}, kind="list")
        assert not turns._is_taken
        pages.get("/path", {"a": 1}, kind="list")
    assert not turns._is_taken
