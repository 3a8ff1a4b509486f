import pytest
from pydantic import SecretStr

from spsetl.access import Access
from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities, probe
from spsetl.appliance.protocol import INFO_PATH
from spsetl.simulator import Simulator, World, WorldSpec
from tests.appliances import SECRET, Connect, Start

pytestmark = pytest.mark.usefixtures("without_sleeps")


def test_probe_asks_three_questions(start_appliance: Start, connect_client: Connect) -> None:
    """Version, first and last session take three requests, and say what is there."""
    simulator = start_appliance(firmware="7.5.1")
    client = connect_client(simulator)
    starts = sorted(session.start for session in simulator.world.by_start())

    found = probe(client)

    assert client.requests_by_kind == {"login": 1, "info": 1, "sessions": 2}
    assert (found.firmware_version, found.has_revision, found.match_count) == ("7.5.1", True, 30)
    assert found.first_start is not None
    assert found.last_start is not None
    assert [round(moment.timestamp() * 1000) for moment in (found.first_start, found.last_start)] == [
        starts[0],
        starts[-1],
    ]


def test_probe_sees_a_hidden_revision(start_appliance: Start, connect_client: Connect) -> None:
    """An appliance that does not show the revision when asked is found out."""
    assert probe(connect_client(start_appliance(revision_by_name=False))).has_revision is False


def test_probe_of_an_empty_appliance() -> None:
    """Without sessions there is no start, and nothing is claimed about the revision."""
    world = World(WorldSpec(sessions=30, days=3))
    for key in list(world.keys()):
        world.delete(key)
    with Simulator(world, username="auditor", password=SECRET) as simulator:
        access = Access(url=simulator.url, appliance="x", username="auditor", password=SecretStr(SECRET))
        with Client(access) as client:
            found = probe(client)

    assert found == Capabilities(
        firmware_version="8.0.0", has_revision=None, first_start=None, last_start=None, match_count=0
    )


def test_info_needs_no_kind_of_its_own(start_appliance: Start, connect_client: Connect) -> None:
    """Requests are counted by the caller's words."""
    client = connect_client(start_appliance())
    client.get(INFO_PATH, kind="anything")

    assert client.requests_by_kind == {"login": 1, "anything": 1}
