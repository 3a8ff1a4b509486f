from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from spsetl.appliance.probe import Capabilities, probe
from spsetl.errors import QueryError
from spsetl.extract import counts
from spsetl.extract.counts import count_all, count_window, fetch_daily_counts, range_query
from spsetl.simulator import Fault, Simulator, World
from spsetl.window import EPOCH, Window
from tests.appliances import Connect, Start

pytestmark = pytest.mark.usefixtures("without_sleeps")

MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
BEGIN = datetime(2026, 10, 29, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)

Counted = Callable[[Window], int | None]


def starts(world: World) -> list[datetime]:
    """When the world's sessions started, ascending."""
    bodies = (world.session(key)["body"] for key in world)
    return sorted(datetime.fromisoformat(body["start_time"]).astimezone(UTC) for body in bodies)


def within(world: World, window: Window) -> int:
    """How many of the world's sessions started in the window."""
    return sum(start in window for start in starts(world))


def windows(world: World) -> list[Window]:
    """Windows whose edges are sessions' own starts, and moments just beside them."""
    first, middle, last = (starts(world)[place] for place in (0, 15, -1))
    edges = [EPOCH, first, first + MICROSECOND, middle - MICROSECOND, middle, middle + MILLISECOND, last]
    return [Window(a, b) for a, b in product(edges, [*edges, last + MICROSECOND, None]) if b is None or a < b]


@pytest.mark.parametrize(
    ("reading", "date_ranges", "has_counts", "times", "snapshots"),
    list(product(["literal", "overlap"], [True, False], [True, False], ["iso", "epoch"], [True, False])),
)
def test_windows_are_counted_exactly_or_not_at_all(
    reading: str,
    date_ranges: bool,
    has_counts: bool,
    times: str,
    snapshots: bool,
    start_appliance: Start,
    connect_client: Connect,
) -> None:
    """Over all combinations of what an appliance can: a count is right, and there is one wherever there can be."""
    quirks = {"reading": reading, "date_ranges": date_ranges, "counts": has_counts, "times": times}
    simulator = start_appliance(**quirks, snapshots=snapshots)
    client = connect_client(simulator)
    capabilities = probe(client)
    is_countable = date_ranges or (has_counts and reading == "literal")
    for window in windows(simulator.world):
        expected = within(simulator.world, window) if is_countable else None
        assert count_window(client, capabilities, window) == expected
    assert count_all(client, capabilities) == 30


def connected(start_appliance: Start, connect_client: Connect, **quirks: Any) -> tuple[Simulator, Any, Capabilities]:
    """An appliance, a client of it, and what it can do; the requests are counted from now on."""
    simulator = start_appliance(**quirks)
    client = connect_client(simulator)
    capabilities = probe(client)
    simulator.requests.clear()
    return simulator, client, capabilities


@pytest.mark.parametrize(("has_counts", "kind"), [(True, "count"), (False, "list")])
def test_a_range_takes_one_request(
    has_counts: bool, kind: str, start_appliance: Start, connect_client: Connect
) -> None:
    """By the count where there is one, by the list otherwise; an empty window takes none."""
    simulator, client, capabilities = connected(start_appliance, connect_client, counts=has_counts)
    before = client.requests_by_kind
    count_window(client, capabilities, Window(BEGIN, END))
    assert simulator.requests == {kind: 1}
    assert client.requests_by_kind - before == {kind: 1}
    assert count_window(client, capabilities, Window(END, END)) == 0
    assert count_window(client, capabilities, Window(END + MICROSECOND, END + MILLISECOND)) == 0
    assert simulator.requests == {kind: 1}


def test_range_names_the_first_and_the_last_millisecond() -> None:
    """Both ends are included: edges between milliseconds move up, and the end to the millisecond before."""
    edges = BEGIN + MICROSECOND, END + 1001 * MICROSECOND
    first, last = "2026-10-29T00:00:00.001Z", "2026-11-01T00:00:00.001Z"

    assert range_query(Window(*edges)) == f'start_time:["{first}" TO "{last}"]'
    assert range_query(Window(edges[0], None)) == f'start_time:["{first}" TO *]'


@pytest.mark.parametrize("date_ranges", [True, False])
def test_a_count_that_has_gone_is_none(date_ranges: bool, start_appliance: Start, connect_client: Connect) -> None:
    """404 although the appliance had counts: there is none, and no error."""
    _, client, capabilities = connected(start_appliance, connect_client, counts=False, date_ranges=date_ranges)
    pretended = replace(capabilities, has_counts=True)
    assert count_window(client, pretended, Window(BEGIN, END)) is None
    assert count_window(client, pretended, Window(BEGIN, None)) is None
    assert count_all(client, pretended) is None


def test_other_errors_are_the_clients_own(start_appliance: Start, connect_client: Connect) -> None:
    """Ranges that are no longer understood are told, and not taken for an uncountable window."""
    _, client, capabilities = connected(start_appliance, connect_client, date_ranges=False)
    with pytest.raises(QueryError):
        count_window(client, replace(capabilities, has_date_ranges=True), Window(BEGIN, END))


@pytest.mark.parametrize(("cap", "is_whole"), [(30, False), (29, False), (31, True)])
def test_a_count_at_the_cap_is_none(
    cap: int, is_whole: bool, start_appliance: Start, connect_client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list counts no further than its cap: what stands there is no count."""
    monkeypatch.setattr(counts, "RESULT_CAP", cap)
    _, client, capabilities = connected(start_appliance, connect_client, counts=False, result_limit=cap)
    expected = 30 if is_whole else None
    assert count_window(client, capabilities, Window(EPOCH, None)) == expected
    assert count_all(client, capabilities) == expected


def test_a_wrong_count_is_given_as_it_is(start_appliance: Start, connect_client: Connect) -> None:
    """Whether to believe the appliance is for others to say."""
    _, client, capabilities = connected(start_appliance, connect_client, count_drift=2)
    assert count_all(client, capabilities) == 32
    assert count_window(client, capabilities, Window(EPOCH, None)) == 32


@pytest.mark.parametrize("arrivals", [1, 2, 9])
def test_arrivals_do_not_spoil_a_difference(arrivals: int, start_appliance: Start, connect_client: Connect) -> None:
    """Sessions that start after the window while it is counted are not its own; if they keep coming, there is none."""
    simulator, client, capabilities = connected(start_appliance, connect_client, date_ranges=False)
    window = Window(EPOCH, END - timedelta(hours=2))
    expected = within(simulator.world, window)
    asked: list[str] = []

    def hook(kind: str, path: str, params: Any) -> Fault | None:
        asked.append(kind)
        if 1 < len(asked) <= 1 + arrivals:
            simulator.world.add()
        return None

    simulator.on_request = hook
    assert count_window(client, capabilities, window) == (expected if arrivals < 9 else None)
    assert len(asked) <= 7


def by_day(world: World, reading: str) -> Counter[date]:
    """Sessions by the day of their start, of those that a range from BEGIN to END has under that reading."""
    days: Counter[date] = Counter()
    for key in world:
        body = world.session(key)["body"]
        start = datetime.fromisoformat(body["start_time"]).astimezone(UTC)
        end = body["end_time"] and datetime.fromisoformat(body["end_time"])
        is_in = start >= BEGIN and end is not None and end < END if reading == "literal" else start < END
        if is_in and start >= BEGIN:
            days[start.date()] += 1
    return days


@pytest.mark.parametrize(
    ("reading", "histogram_reading", "parameter"),
    list(product(["literal", "overlap"], ["literal", "overlap"], ["bin_size", "bin-size"])),
)
def test_days_hold_what_the_reading_of_the_histogram_lets_pass(
    reading: str, histogram_reading: str, parameter: str, start_appliance: Start, connect_client: Connect
) -> None:
    """Whatever the list's own reading; under the literal one, active sessions and later ends are missing."""
    simulator, client, capabilities = connected(
        start_appliance,
        connect_client,
        reading=reading,
        histogram_reading=histogram_reading,
        bin_size_parameter=parameter,
    )
    simulator.world.add(start_time=BEGIN + timedelta(hours=30), end_time=None)
    found = fetch_daily_counts(client, capabilities, BEGIN, END)
    assert found is not None
    assert {day: count for day, count in found.items() if count} == by_day(simulator.world, histogram_reading)
    assert set(found) == {BEGIN.date() + timedelta(days=n) for n in range(3)}
    assert simulator.requests == {"histogram": 1}
    assert (sum(found.values()) == 31) == (histogram_reading == "overlap")


def test_there_may_be_no_histogram(start_appliance: Start, connect_client: Connect) -> None:
    """None where there is none, where it has gone since, and where it takes no days any more."""
    simulator, client, capabilities = connected(start_appliance, connect_client, histogram=False)
    assert fetch_daily_counts(client, capabilities, BEGIN, END) is None
    assert not simulator.requests
    assert fetch_daily_counts(client, replace(capabilities, bin_size_parameter="bin_size"), BEGIN, END) is None

    _, client, capabilities = connected(start_appliance, connect_client, bin_size_parameter="bin-size")
    assert fetch_daily_counts(client, replace(capabilities, bin_size_parameter="bin_size"), BEGIN, END) is None


def test_too_many_days_are_asked_for_in_pieces(start_appliance: Start, connect_client: Connect) -> None:
    """And together they are what one answer would have been."""
    _, client, capabilities = connected(start_appliance, connect_client)
    whole = fetch_daily_counts(client, capabilities, BEGIN, END)
    simulator, client, capabilities = connected(start_appliance, connect_client, bin_limit=2)
    simulator.requests.clear()
    assert whole
    assert fetch_daily_counts(client, capabilities, BEGIN, END) == whole
    assert simulator.requests["histogram"] > 2
