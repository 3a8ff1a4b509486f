import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from itertools import accumulate, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.appliance.throttle import Limit, Outcome, RequestsStopped, Throttle

PATIENCE = 10  # seconds, before a thread that should go on is taken for stuck
LISTS, ALERTS = "list", "alerts"


def note_calm(limit: Limit, times: int, seconds: float = 0.01, kind: str = ALERTS) -> None:
    """As many answers, one after the other."""
    for _ in range(times):
        limit.note(kind, seconds, Outcome.CALM, begun=limit.lowered)


def fail(limit: Limit, begun: int | None = None) -> None:
    """One busy answer; by default to a request that has just begun."""
    limit.note(ALERTS, 0.01, Outcome.BUSY, begun=limit.lowered if begun is None else begun)


def test_failures_of_one_round_halve_once() -> None:
    """Eight requests that fail together halve the limit once; one that began later halves it again."""
    limit = Limit(8)
    for _ in range(8):
        fail(limit, begun=0)
    assert (limit.now, limit.lowered) == (4, 1)

    fail(limit)
    assert (limit.now, limit.lowered, limit.lowest) == (2, 2, 2)


def test_one_request_is_always_allowed() -> None:
    """However often it fails, one request may be under way; what could not be lowered is not counted."""
    limit = Limit(8)
    for _ in range(10):
        fail(limit)

    assert (limit.now, limit.lowest, limit.lowered) == (1, 1, 3)


def test_calm_answers_in_a_row_raise_it() -> None:
    """As many calm answers in a row as the limit add one; a failure in between begins the row anew."""
    limit = Limit(8)
    fail(limit)
    note_calm(limit, 3)
    fail(limit, begun=0)
    note_calm(limit, 3)
    assert limit.now == 4

    note_calm(limit, 1)
    assert limit.now == 5
    note_calm(limit, 4)
    assert limit.now == 5
    note_calm(limit, 1)
    assert (limit.now, limit.lowest) == (6, 4)


def test_calm_answers_of_the_old_round_do_not_raise_it() -> None:
    """What began before the limit was lowered says nothing of how it goes now."""
    limit = Limit(8)
    fail(limit)
    for _ in range(50):
        limit.note(ALERTS, 0.01, Outcome.CALM, begun=0)

    assert limit.now == 4


def test_answers_about_the_request_leave_it_alone() -> None:
    """404 and its like neither lower nor raise the limit, and do not end a row; their time does not count as a best."""
    limit = Limit(4)
    fail(limit)
    for _ in range(100):
        limit.note(LISTS, 0.001, Outcome.NOTHING, begun=limit.lowered)
    assert limit.now == 2

    note_calm(limit, 100, seconds=1.5, kind=LISTS)
    assert (limit.now, limit.lowered) == (4, 1)


def test_climbing_latency_takes_one_off_each_round() -> None:
    """Answers that take much longer than they did lower the limit by one a round, not to half."""
    limit = Limit(8)
    note_calm(limit, 50, seconds=0.1)
    while not limit.lowered:
        note_calm(limit, 1, seconds=1)
    assert limit.now == 7

    for _ in range(7):
        limit.note(ALERTS, 1, Outcome.CALM, begun=0)
    assert (limit.now, limit.lowered) == (7, 1)
    note_calm(limit, 1, seconds=1)
    assert (limit.now, limit.lowered) == (6, 2)


@pytest.mark.parametrize(("before", "after"), [(0.01, 0.25), (1.0, 2.9)])
def test_small_climb_is_none(before: float, after: float) -> None:
    """Neither three times nothing much, nor less than three times, counts as a climb."""
    limit = Limit(8)
    note_calm(limit, 50, seconds=before)
    note_calm(limit, 50, seconds=after)

    assert limit.lowered == 0


def test_kinds_are_compared_with_themselves() -> None:
    """A page of the list may take its time though alerts come at once."""
    limit = Limit(8)
    for _ in range(50):
        note_calm(limit, 1, seconds=0.01, kind=ALERTS)
        note_calm(limit, 1, seconds=2, kind=LISTS)

    assert limit.lowered == 0


def test_new_pace_is_accepted_in_the_end() -> None:
    """If answers stay slow though only one request is under way, it is not our load: the limit comes back."""
    limit = Limit(8)
    note_calm(limit, 100, seconds=0.1)
    note_calm(limit, 100, seconds=1)
    assert limit.now == 1

    note_calm(limit, 1000, seconds=1)
    assert limit.now == 8


Notes = list[tuple[str, float, Outcome, int]]
NOTES = st.lists(
    st.tuples(
        st.sampled_from([LISTS, ALERTS]), st.floats(0, 100), st.sampled_from(list(Outcome)), st.integers(0, 20)
    ),
    max_size=200,
)  # fmt: skip


@given(most=st.integers(1, 32), notes=NOTES)
def test_limit_stays_in_its_bounds_and_comes_back(most: int, notes: Notes) -> None:
    """Whatever happens the limit is from 1 to `most`; one note lowers it at most once; calm brings it back."""
    limit = Limit(most)
    for kind, seconds, outcome, age in notes:
        before, lowered = limit.now, limit.lowered
        limit.note(kind, seconds, outcome, begun=max(limit.lowered - age, 0))
        assert 1 <= limit.lowest <= limit.now <= most
        assert limit.lowered - lowered == (limit.now < before)

    note_calm(limit, 100 + most * most)
    assert limit.now == most


@given(most=st.integers(1, 32), together=st.integers(1, 64), calm=st.integers(0, 50))
def test_any_round_of_failures_halves_once(most: int, together: int, calm: int) -> None:
    """However many of one round fail, and whatever calm answers come between, the limit is halved once."""
    limit = Limit(most)
    for _ in range(together):
        fail(limit, begun=0)
    for _ in range(calm):
        limit.note(ALERTS, 0.01, Outcome.CALM, begun=0)
        fail(limit, begun=0)

    assert limit.now == max(most // 2, 1) or (most == 1 and limit.lowered == 0)
    assert limit.lowered == (most > 1)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that are joined at the end."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def take_turn(throttle: Throttle, outcome: Outcome = Outcome.CALM) -> None:
    """One request that ends at once."""
    with throttle.turn(ALERTS) as turn:
        turn.outcome = outcome


def test_clock_times_the_turns() -> None:
    """The seconds of a turn are those of the given clock, from its beginning to its end."""
    step = 1.0
    moments = accumulate(step for _ in repeat(None))
    throttle = Throttle(4, clock=lambda: next(moments))
    for _ in range(50):
        take_turn(throttle)
    assert throttle.lowered == 0

    step = 10
    for _ in range(50):
        take_turn(throttle)
    assert (throttle.limit, throttle.lowest, throttle.lowered) == (1, 1, 3)


def test_waiting_thread_goes_on_when_a_request_ends(pool: ThreadPoolExecutor) -> None:
    """A turn that ends lets the next thread through, and not one more than the limit."""
    throttle = Throttle(1)
    with throttle.turn(ALERTS):
        others = [pool.submit(take_turn, throttle) for _ in range(4)]
        assert not any(other.done() for other in others)

    for other in others:
        other.result(PATIENCE)


def test_no_more_under_way_than_the_limit(pool: ThreadPoolExecutor) -> None:
    """While the limit goes up and down, there are never more requests under way than it allowed when each began."""
    throttle, lock = Throttle(4), threading.Lock()
    under_way, most_seen = 0, 0

    def work(number: int) -> None:
        nonlocal under_way, most_seen
        with throttle.turn(ALERTS) as turn:
            with lock:
                under_way += 1
                most_seen = max(most_seen, under_way)
            turn.outcome = Outcome.BUSY if number % 50 == 0 else Outcome.CALM
            with lock:
                under_way -= 1

    list(pool.map(work, range(2000)))

    assert most_seen <= 4
    assert under_way == throttle._under_way == 0
    assert throttle.lowered > 0


def test_lowered_limit_holds_for_who_comes_next(pool: ThreadPoolExecutor) -> None:
    """After a failure newcomers wait until no more than the lower limit are under way."""
    throttle = Throttle(4)
    with ExitStack() as last:
        last.enter_context(throttle.turn(ALERTS))
        with throttle.turn(ALERTS), throttle.turn(ALERTS):
            take_turn(throttle, Outcome.BUSY)
            assert throttle.limit == 2
            other = pool.submit(take_turn, throttle)
            assert not other.done()
        other.result(PATIENCE)


def test_stop_ends_all_waiting(pool: ThreadPoolExecutor) -> None:
    """`stop` wakes every thread that waits, refuses those that come later, and leaves what is under way."""
    throttle = Throttle(1)
    with throttle.turn(ALERTS):
        waiting: list[Future[None]] = [pool.submit(take_turn, throttle) for _ in range(4)]
        throttle.stop()
        assert wait(waiting, PATIENCE).not_done == set()

    for other in [*waiting, pool.submit(take_turn, throttle)]:
        with pytest.raises(RequestsStopped):
            other.result(PATIENCE)
    with pytest.raises(RequestsStopped):
        take_turn(throttle)


def test_turn_ends_whatever_happens_in_it() -> None:
    """An exception gives the turn back, and says nothing about the appliance."""
    throttle = Throttle(1)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), throttle.turn(ALERTS):
            raise KeyboardInterrupt

    take_turn(throttle)
    assert throttle.lowered == 0
