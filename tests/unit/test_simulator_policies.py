"""The world's policies: what its sessions name is configured, and nights change it, the same in any process."""

import pytest

from spsetl.simulator import World, WorldSpec
from spsetl.simulator.policies import KINDS, RETENTION_DAYS, Policies

PROTOCOLS = tuple(RETENTION_DAYS)


def bodies(policies: Policies, night: int) -> dict[tuple[str, str, str], object]:
    """Every policy of every protocol."""
    return {
        (protocol, kind, item["key"]): item["body"]
        for protocol in PROTOCOLS
        for kind in KINDS
        for item in policies.items(protocol, kind, night)
    }


def test_every_policy_that_a_session_names_is_configured() -> None:
    """By its key and its name, and the channel policy by its name."""
    world = World(WorldSpec(sessions=500))
    configured = bodies(world.policies, 0)
    recorded = 0
    for key in world:
        session = world.session(key)["body"]
        recording = session.get("recording")
        if recording is None:
            continue
        recorded += 1
        protocol = session["protocol"].lower()
        connection = configured[protocol, "connections", recording["connection_policy_id"]]
        assert connection["name"] == recording["connection_policy"]  # type: ignore[index]
        names = {item["body"]["name"] for item in world.policies.items(protocol, "channel_policies", 0)}
        assert recording["channel_policy"] in names
    assert recorded > 300


def test_keys_are_unique() -> None:
    """Among the connections of all protocols, too: a session names only the key."""
    keys = [key for _, kind, key in bodies(Policies(), 1) if kind == "connections"]
    assert len(set(keys)) == len(keys) == 3 * len(PROTOCOLS) + 1


@pytest.mark.parametrize("night", range(9))
def test_each_night_changes_one_policy_and_one_comes_or_goes(night: int) -> None:
    """Over the nights, each protocol's settings policy has its turn."""
    before, after = bodies(Policies(), night), bodies(Policies(), night + 1)
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert [(protocol, kind) for protocol, kind, _ in changed] == [
        (PROTOCOLS[night % len(PROTOCOLS)], "settings_policies")
    ]
    assert [(protocol, kind) for protocol, kind, _ in before.keys() ^ after.keys()] == [("ssh", "connections")]


def test_tests_may_put_and_delete() -> None:
    """What is put stays, whatever the night; what is taken out of it afterwards does not change it."""
    policies = Policies()
    body = {"name": "mine", "list": [1]}
    policies.put("rdp", "connections", "k", body)
    body["list"] = []
    policies.items("rdp", "connections", 3)[-1]["body"]["name"] = "other"
    assert policies.items("rdp", "connections", 5)[-1] == {"key": "k", "body": {"name": "mine", "list": [1]}}
    policies.delete("rdp", "connections", "k")
    assert bodies(policies, 5) == bodies(Policies(), 5)
