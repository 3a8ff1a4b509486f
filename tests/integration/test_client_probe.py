from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from pydantic import SecretStr

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities, probe
from spsetl.appliance.protocol import INFO_PATH, SNAPSHOT_PATH
from spsetl.errors import BadAnswerError, RateLimitError
from spsetl.settings.access import Access
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.appliances import SECRET, Connect, Start

pytestmark = pytest.mark.usefixtures("without_sleeps")

EMPTY = WorldSpec(sessions=0, late=0)
START, END = "2026-10-05T10:00:00.250Z", "2026-10-05T12:00:00.750Z"


def probe_world(world: World, quirks: Quirks | None = None) -> Capabilities:
    """What a probe finds on an appliance with this world."""
    with Simulator(world, quirks, username="auditor", password=SECRET) as simulator:
        access = Access(url=simulator.url, appliance="x", username="auditor", password=SecretStr(SECRET))
        with Client(access) as client:
            return probe(client)


def switches() -> list[dict[str, Any]]:
    """What appliances differ in: all combinations of what they mean, and all of what they offer, side by side."""
    meanings = product(["literal", "overlap"], [True, False], ["iso", "epoch"], ["recording", "psm"])
    offers = list(product([True, False], [True, False], [True, False], ["bin_size", "bin-size"]))
    found = []
    for number, (reading, date_ranges, times, naming) in enumerate(meanings):
        snapshots, counts, histogram, parameter = offers[number * 5 % len(offers)]
        found += [
            {
                "reading": reading,
                "histogram_reading": "overlap" if counts else "literal",
                "date_ranges": date_ranges,
                "times": times,
                "naming": naming,
                "snapshots": snapshots,
                "counts": counts,
                "histogram": histogram,
                "bin_size_parameter": parameter,
                "revision_by_name": revision_by_name,
                "star_has_revision": snapshots != counts,
            }
            for revision_by_name in (True, False)
        ]
    return found


def test_probe_asks_few_questions(start_appliance: Start, connect_client: Connect) -> None:
    """Nine requests say what the appliance can do, and what is there."""
    simulator = start_appliance(firmware="7.5.1")
    client = connect_client(simulator)
    starts = sorted(session.start for session in simulator.world.by_start())

    found = probe(client)

    assert client.requests_by_kind == {
        "login": 1, "info": 1, "list": 5, "count": 1, "histogram": 1, "snapshot": 1
    }  # fmt: skip
    assert (found.firmware_version, found.has_revision, found.match_count) == ("7.5.1", True, 30)
    assert found.first_start is not None
    assert found.last_start is not None
    assert [round(moment.timestamp() * 1000) for moment in (found.first_start, found.last_start)] == [
        starts[0],
        starts[-1],
    ]


@pytest.mark.parametrize("quirks", switches(), ids=lambda quirks: "-".join(str(value) for value in quirks.values()))
def test_probe_finds_out_every_switch(quirks: dict[str, Any], start_appliance: Start, connect_client: Connect) -> None:
    """Whatever an appliance can and means, the probe says just that, also where times are whole seconds."""
    client = connect_client(start_appliance(**quirks))

    found = probe(client)

    assert found.reading == quirks["reading"]
    assert found.has_date_ranges is quirks["date_ranges"]
    assert found.has_snapshots is quirks["snapshots"]
    assert found.has_counts is quirks["counts"]
    assert found.has_revision is (quirks["revision_by_name"] or quirks["star_has_revision"])
    assert found.bin_size_parameter == (quirks["bin_size_parameter"] if quirks["histogram"] else None)
    assert client.requests_by_kind.total() <= 11


def test_probe_of_an_empty_appliance() -> None:
    """Without sessions there is no start, and nothing is claimed about what only a session could tell."""
    assert probe_world(World(EMPTY)) == Capabilities(
        firmware_version="8.0.0",
        has_snapshots=True,
        has_counts=True,
        has_revision=None,
        has_date_ranges=None,
        reading=None,
        bin_size_parameter="bin_size",
        first_start=None,
        last_start=None,
        match_count=0,
    )


@pytest.mark.parametrize("reading", ["literal", "overlap"])
@pytest.mark.parametrize("times", ["iso", "epoch"])
@pytest.mark.parametrize("date_ranges", [True, False])
def test_one_session_tells_everything(reading: Any, times: Any, date_ranges: bool) -> None:
    """A range elsewhere does not find it, and a start amid it does or does not."""
    world = World(EMPTY)
    world.add(start_time=START, end_time=END)

    found = probe_world(world, Quirks(reading=reading, times=times, date_ranges=date_ranges))

    assert (found.reading, found.has_date_ranges, found.has_revision) == (reading, date_ranges, True)
    milliseconds = 0 if times == "epoch" else 250
    assert found.first_start == found.last_start == datetime(2026, 10, 5, 10, 0, 0, milliseconds * 1000, UTC)


@pytest.mark.parametrize("reading", ["literal", "overlap"])
def test_active_sessions_tell_no_reading(reading: Any) -> None:
    """They have no end to be amid of; ranges they tell all the same."""
    world = World(EMPTY)
    for hour in range(3):
        world.add(start_time=f"2026-10-05T1{hour}:00:00Z", end_time=None)

    found = probe_world(world, Quirks(reading=reading))

    assert (found.reading, found.has_date_ranges) == (None, True)


@pytest.mark.parametrize("reading", ["literal", "overlap"])
@pytest.mark.parametrize("question", range(5))
def test_session_that_vanishes_while_it_is_probed(
    reading: Any, question: int, start_appliance: Start, connect_client: Connect
) -> None:
    """Whenever the clean-up takes the session that the probe goes by, no answer is wrong; at worst it is None."""
    simulator = start_appliance(reading=reading)
    world = simulator.world
    for key in world.keys()[1:]:
        world.delete(key)
    world.change(world.keys()[0], start_time=START, end_time=END)
    lists: list[str] = []

    def hook(kind: str, path: str, params: Any) -> None:
        if kind == "list":
            if len(lists) == question and len(world):
                world.delete(world.keys()[0])
            lists.append(path)

    simulator.on_request = hook
    found = probe(connect_client(simulator))

    assert len(world) == 0
    assert found.reading in {None, reading}
    assert found.has_date_ranges in {None, True}
    assert found.has_counts is True


@pytest.mark.parametrize("reading", ["literal", "overlap"])
@pytest.mark.parametrize("question", range(5))
def test_session_that_arrives_while_it_is_probed(
    reading: Any, question: int, start_appliance: Start, connect_client: Connect
) -> None:
    """A session that started before all others becomes visible late, and still everything is found out."""
    simulator = start_appliance(reading=reading)
    world = simulator.world
    first = world.by_start()[0].start
    lists: list[str] = []

    def hook(kind: str, path: str, params: Any) -> None:
        if kind == "list":
            if len(lists) == question:
                start = datetime.fromtimestamp(first / 1000 - 60, UTC)
                world.add(start_time=start, end_time=start)
            lists.append(path)

    simulator.on_request = hook
    found = probe(connect_client(simulator))

    assert len(world) == 31
    assert (found.reading, found.has_date_ranges) == (reading, True)


def test_snapshot_of_another_is_seen(start_appliance: Start, connect_client: Connect) -> None:
    """Another program that holds the only snapshot shows that there are some; who does not ask takes none."""
    simulator = start_appliance()
    assert probe(connect_client(simulator), open_snapshot=False).has_snapshots is None
    assert "snapshot" not in simulator.requests
    assert probe(connect_client(simulator)).has_snapshots is True

    access = Access(url=simulator.url, appliance="x", username="auditor", password=SecretStr(SECRET))
    with Client(access, user_agent_suffix="another") as other:
        with pytest.raises(RateLimitError):
            other.get(SNAPSHOT_PATH, kind="snapshot")
        assert probe(other).has_snapshots is True


def test_info_needs_no_kind_of_its_own(start_appliance: Start, connect_client: Connect) -> None:
    """Requests are counted by the caller's words."""
    client = connect_client(start_appliance())
    client.get(INFO_PATH, kind="anything")

    assert client.requests_by_kind == {"login": 1, "anything": 1}


def test_a_login_that_ends_before_the_info_page_is_made_anew(start_appliance: Start, connect_client: Connect) -> None:
    """The info page answers without a login, too, only without the version: that is no sign of another product."""
    simulator = start_appliance(firmware="7.5.1")
    client = connect_client(simulator)
    ends = iter([True, True, True])

    def end_logins(kind: str, _path: str, _params: Any) -> None:
        if kind == "info" and next(ends, False):
            simulator.end_logins()

    simulator.on_request = end_logins

    assert probe(client).firmware_version == "7.5.1"


def test_a_product_without_a_version_is_refused(start_appliance: Start, connect_client: Connect) -> None:
    """What never tells its firmware is not taken for an appliance."""
    simulator = start_appliance()
    client = connect_client(simulator)
    simulator.on_request = lambda kind, _path, _params: simulator.end_logins() if kind == "info" else None

    with pytest.raises(BadAnswerError, match="firmware_version"):
        probe(client)
