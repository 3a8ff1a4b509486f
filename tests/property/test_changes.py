"""The laws of looking again: what is compared, clustered, swept and subtracted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spsetl.extract.changes import CLUSTER_SIZE, Known, cluster, compare, cut_sweep, last_reading, plan_sweep
from spsetl.window import EPOCH, Window, clip, merge_overlaps, subtract

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
LAST = 60


def moment(seconds: int) -> datetime:
    """A time of the model."""
    return BEGIN + timedelta(seconds=seconds)


def window(start: int, length: int | None) -> Window:
    """A window of so many seconds."""
    return Window(moment(start), None if length is None else moment(start + length))


windows = st.builds(window, st.integers(0, LAST), st.one_of(st.none(), st.integers(0, 20)))


def held(some: list[Window]) -> list[int]:
    """How many of the windows hold each second."""
    return [sum(moment(second) in one for one in some) for second in range(LAST + 30)]


@given(st.lists(windows, max_size=6), st.lists(windows, max_size=6))
def test_what_is_left_is_in_the_windows_and_not_in_what_is_done(todo: list[Window], done: list[Window]) -> None:
    """Second by second, and no window is empty."""
    left = subtract(todo, done)
    expected = [0 if of_done else of_todo for of_todo, of_done in zip(held(todo), held(done), strict=True)]
    assert held(left) == expected
    assert all(one.end is None or one.start < one.end for one in left)


@given(st.lists(windows, max_size=8))
def test_merged_windows_hold_the_same_moments_once(some: list[Window]) -> None:
    """And they ascend, with gaps between them."""
    merged = merge_overlaps(some)
    assert held(merged) == [min(count, 1) for count in held(some)]
    for before, after in pairwise(merged):
        assert before.end is not None
        assert before.end < after.start


@given(st.lists(windows, max_size=6), st.one_of(st.none(), st.integers(0, LAST)))
def test_clipped_windows_end_where_they_should(some: list[Window], end: int | None) -> None:
    """What is before the end stays, what is not goes."""
    clipped = clip(some, None if end is None else moment(end))
    limit = LAST + 30 if end is None else end
    assert held(clipped) == [count if second < limit else 0 for second, count in enumerate(held(some))]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=300), st.integers(1, 40))
def test_clusters_hold_all_that_is_wanted_and_are_a_page_long(rows: list[tuple[int, bool]], stretch: int) -> None:
    """They do not overlap; none holds more sessions than a page, but for those of one start_time."""
    times, at = [], 0
    for gap, _ in rows:
        at += gap
        times.append(moment(at))
    # Few rows stand for many: their places are stretched.
    wanted = [(place * stretch, times[place]) for place, (_, is_wanted) in enumerate(rows) if is_wanted]
    found = cluster(wanted)
    assert all(sum(time in one for one in found) == 1 for _, time in wanted)
    for one in found:
        places = [place for place, time in wanted if time in one]
        ties = [place for place, time in wanted if time == times[places[-1] // stretch]]
        assert ties[0] - places[0] < CLUSTER_SIZE
    assert sum(len([p for p, t in wanted if t in one]) for one in found) == len(wanted)


@given(st.lists(st.integers(0, LAST), unique=True, max_size=10))
def test_a_cut_sweep_covers_all_times_once(edges: list[int]) -> None:
    """From the epoch on, without gap or overlap."""
    cut = cut_sweep([moment(edge) for edge in sorted(edges)])
    assert cut[0].start == EPOCH
    assert cut[-1].end is None
    assert held(cut) == [1] * (LAST + 30)


@given(st.lists(st.integers(0, 9_999), min_size=1, max_size=20), st.integers(0, 60), st.integers(1, 10))
def test_after_some_nights_everything_was_swept(counts: list[int], most_requests: int, most_days: int) -> None:
    """Each night takes what waits longest; after `most_days` nights nothing is left unseen."""
    candidates = [(Window(moment(n), moment(n + 1)), count) for n, count in enumerate(counts)]
    readings: list[tuple[Window, datetime]] = []
    for night in range(most_days):
        plan = plan_sweep(candidates, readings, most_requests=most_requests, most_days=most_days)
        assert plan.windows
        assert plan.is_whole == (len(plan.windows) == len(candidates))
        now = BEGIN + timedelta(days=night)
        readings = [*((one, now) for one in plan.windows), *readings]
    assert {one for one, _ in readings} == {one for one, _ in candidates}


@given(st.lists(st.tuples(windows, st.integers(0, 100)), max_size=8), windows)
def test_the_last_reading_of_a_window_is_that_of_its_oldest_part(some: list[tuple[Window, int]], one: Window) -> None:
    """Second by second."""
    readings = sorted(((w, BEGIN + timedelta(days=day)) for w, day in some), key=lambda r: r[1], reverse=True)
    never = datetime.min.replace(tzinfo=UTC)
    seconds = [moment(second) for second in range(LAST + 30) if moment(second) in one]
    by_second = [max((when for w, when in readings if second in w), default=never) for second in seconds]
    if seconds and one.end is not None:
        assert last_reading(one, readings) == min(by_second)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3)),
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 3), st.booleans())),
)
def test_a_swept_session_is_known_if_the_copy_has_that_revision(
    listed: dict[str, int], copied: dict[str, tuple[int, bool]]
) -> None:
    """New, changed and returned sessions are not."""
    known = {key: Known(revision, "hash", is_missing) for key, (revision, is_missing) in copied.items()}
    items: list[Any] = [
        {"key": key, "body": {"start_time": BEGIN.isoformat(), "revision": revision}}
        for key, revision in listed.items()
    ]
    seen = compare(items, known)
    assert seen is not None
    assert {row.key for row in seen if row.is_known} == {
        key for key, revision in listed.items() if copied.get(key) == (revision, False)
    }


@given(st.sampled_from([{}, {"key": "a"}, {"key": "a", "body": {"start_time": "x", "revision": 1}}]))
def test_a_row_that_cannot_be_compared_makes_the_window_be_read_whole(item: dict[str, Any]) -> None:
    """Without key, start_time or revision there is nothing to compare."""
    good = {"key": "b", "body": {"start_time": BEGIN.isoformat(), "revision": 1}}
    assert compare([good, item], {}) is None
    assert compare([{"key": "b", "body": {"start_time": BEGIN.isoformat()}}], {}) is None
