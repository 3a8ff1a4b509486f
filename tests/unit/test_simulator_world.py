import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from spsetl.simulator import World, WorldSpec
from spsetl.simulator.details import CHANNEL_TYPES
from spsetl.simulator.vocabulary import HOSTILE_USERS

Bodies = dict[str, dict[str, Any]]

SPEC = WorldSpec(sessions=600, days=10)
# Every field that the notes on the API name, besides those of log, vault and the links.
PATHS = """
active analytics.interesting_events analytics.score.aggregated analytics.score.details analytics.scripted
analytics.scripted_results analytics.similar_sessions analytics.tags analytics.bucketed_duration
analytics.bucketed_starting_hour client.ip client.name client.port creation_time duration end_time hidden
log.adapter_name log.auth_method log.syslog_time node_id origin phantom protocol recording.archived
recording.audit_trail.archive.date recording.audit_trail.archive.path recording.audit_trail.archive.policy
recording.audit_trail.archive.server recording.archive.date recording.archive.path recording.archive.policy
recording.archive.server recording.auth_method recording.channel_policy recording.command_extracted
recording.connection_policy recording.connection_policy_id recording.content_reference_id recording.deny_reason
recording.has_accepted_channel recording.index_status recording.network_id recording.server_local.ip
recording.server_local.name recording.server_local.port recording.session_id recording.target.ip recording.target.name
recording.target.port recording.verdict recording.window_title_extracted revision server.id server.ip server.name
server.port start_time trail_download_link user.id user.name user.name_domain user.gateway_username
user.gateway_username_domain user.server_username user.server_username_domain verdict vault.access_request_type
vault.account_name vault.created.timestamp vault.created.user.user_name vault.is_emergency alerts.href channels.href
events.href indexing.href trail_downloads.href recording.audit_trail.download.href ticketing.approver.name labels
carbon_grams
"""


def paths_of(value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """All dotted paths of a document, those of objects included."""
    for name, inner in value.items():
        yield prefix + name
        if isinstance(inner, dict):
            yield from paths_of(inner, f"{prefix}{name}.")


@pytest.fixture(scope="module")
def world() -> World:
    """A world that no test changes."""
    return World(SPEC)


@pytest.fixture(scope="module")
def bodies(world: World) -> Bodies:
    """The bodies of all its sessions."""
    return {key: world.session(key)["body"] for key in world}


def test_the_world_has_as_many_sessions_as_the_spec_says() -> None:
    """The burst comes on top, and its sessions start at one whole second."""
    world = World(WorldSpec(sessions=50, burst=70))
    starts = Counter(datetime.fromisoformat(world.session(key)["body"]["start_time"]) for key in world)
    assert len(world) == len(world.keys()) == 120
    moment, count = starts.most_common(1)[0]
    assert count >= 70
    assert moment.microsecond == 0


def test_another_process_builds_the_very_same_world() -> None:
    """Neither the hash seed nor the order of asking matters, also after a night."""
    code = (
        "import orjson, sys; from spsetl.simulator import World, WorldSpec; w = World(WorldSpec(sessions=60, days=3));"
        "w.advance_night(); keys = list(reversed(w.keys()));"
        "sys.stdout.buffer.write(orjson.dumps([[w.session(k), w.channels(k), w.events(k), w.alerts(k)] for k in keys]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": "77"}
    )
    world = World(WorldSpec(sessions=60, days=3))
    world.advance_night()
    here = [[world.session(k), world.channels(k), world.events(k), world.alerts(k)] for k in reversed(world.keys())]
    assert orjson.loads(done.stdout) == here


def test_another_seed_gives_another_world() -> None:
    """No key is shared."""
    other = World(WorldSpec(sessions=600, days=10, seed=2))
    assert not set(other.keys()) & set(World(SPEC).keys())


def test_every_documented_field_occurs(bodies: Bodies) -> None:
    """And so do fields that no document names."""
    seen = {path for body in bodies.values() for path in paths_of(body)}
    assert set(PATHS.split()) - seen == set()


def test_the_awkward_cases_occur(bodies: Bodies) -> None:
    """Absent parts, both types of values, keys that must be quoted, clusters, long and active sessions, NULLs."""
    values = list(bodies.values())
    starts = Counter(body["start_time"] for body in values)
    assert {body["origin"] for body in values} == {"RECORDING", "LOG", "VAULT"}
    assert any("recording" not in body for body in values)
    assert any("analytics" not in body for body in values)
    assert {type(body["user"]["server_username"]) for body in values} >= {str, list}
    assert {type(body["recording"]["index_status"]) for body in values if "recording" in body} == {str, int}
    assert any(key.startswith("_") for key in bodies)
    assert any("/" in key and ":" in key for key in bodies)
    assert any(body["start_time"].endswith("+05:00") for body in values)
    assert any(body["end_time"] is None for body in values)
    assert any((body.get("duration") or 0) > 2 * 86_400 for body in values)
    assert any(value is None for body in values for value in body["user"].values())
    assert starts.most_common(1)[0][1] > 5
    assert {body["user"]["name"] for body in values} & set(HOSTILE_USERS)
    assert any(len(body["user"]["server_username"] or "") > 1 for body in values)


def test_every_channel_type_of_the_guides_occurs_with_its_elements(world: World) -> None:
    """SSH and RDP types, and ICA, Telnet, VNC, HTTP and MSSQL."""
    bodies = [channel["body"] for key in world for channel in world.channels(key)]
    by_type = {body["type"]: body for body in bodies}
    assert set(by_type) == {kind for kinds in CHANNEL_TYPES.values() for kind in kinds}
    assert "command" in by_type["session exec"]
    assert "scp_path" in by_type["session exec scp"]
    assert "subsystem_name" in by_type["session subsystem sftp"]
    assert (
        {"ip", "name", "port"}
        == set(by_type["local forward"]["originator"])
        == set(by_type["remote forward"]["connected"])
    )
    assert "dynamic_channel" in by_type["dynamic virtual"]
    assert all(
        "device_name" in by_type[f"{kind} redirect"] for kind in ("serial", "parallel", "printer", "disk", "scard")
    )
    assert any("application" in body for body in bodies)
    assert any("client_x509_subject" in body for body in bodies)
    assert any("four_eyes_authorizer" in body for body in bodies)
    assert any(body["active"] and body["end_time"] is None for body in bodies)


def test_some_sessions_have_more_records_than_a_page_holds(world: World) -> None:
    """More than 500 and more than 1000 events, and more than 500 alerts; record ids grow and never repeat."""
    counts = [len(world.events(key)) for key in world]
    assert any(500 < count <= 1000 for count in counts)
    assert max(counts) > 1000
    assert max(len(world.alerts(key)) for key in world) > 500
    for key in world:
        for records in (world.events(key), world.alerts(key)):
            ids = [record["record_id"] for record in records]
            assert ids == sorted(set(ids))


def test_the_index_status_rules_the_events(world: World) -> None:
    """None before and without indexing, a part while it goes on or where it failed, all of them in the end."""
    found = Counter()
    for key in world:
        body = world.session(key)["body"]
        if world.events(key):
            found[str(body["recording"]["index_status"])] += 1
    assert set(found) <= {"INDEXED", "3", "INDEXING_FAILED", "5", "INDEXING_IN_PROGRESS", "2"}
    assert found["INDEXED"]
    assert found["INDEXING_FAILED"]
    key = next(key for key in world if len(world.events(key)) > 1000)
    whole = world.events(key)
    other = World(SPEC)
    other.change(key, {"recording.index_status": "INDEXING_IN_PROGRESS"})
    assert other.events(key) == whole[: len(other.events(key))]
    assert 0 < len(other.events(key)) < len(whole)
    other.change(key, {"recording.index_status": 1})
    assert other.events(key) == []


def test_a_mean_session_is_light() -> None:
    """About three channels, four events and less than one alert."""
    world = World(WorldSpec(sessions=3000))
    keys = world.keys()
    assert 2.5 < sum(len(world.channels(key)) for key in keys) / len(keys) < 3.5
    assert 2.5 < sum(len(world.events(key)) for key in keys) / len(keys) < 5.5
    assert 0.1 < sum(len(world.alerts(key)) for key in keys) / len(keys) < 0.8


def test_sessions_start_when_people_work() -> None:
    """Noon sees more sessions than midnight."""
    world = World(WorldSpec(sessions=3000))
    hours = Counter(world.session(key)["body"]["start_time"][11:13] for key in world)
    assert hours["09"] + hours["13"] > 5 * (hours["02"] + hours["03"])


def test_a_night_changes_the_world_as_nights_do() -> None:
    """Sessions close, are indexed, scored and archived, arrive, arrive late and go; revisions only ever grow."""
    world = World(SPEC)
    late = world.pending_keys()
    before = {key: world.session(key)["body"] for key in world}
    oldest = world.keys()[0]
    world.advance_night()
    after = {key: world.session(key)["body"] for key in world}
    kept = before.keys() & after.keys()
    changed = {key for key in kept if before[key] != after[key]}
    assert world.now == SPEC.now + timedelta(days=1)
    assert all(after[key]["revision"] > before[key]["revision"] for key in changed)
    assert all(after[key]["revision"] == before[key]["revision"] for key in kept - changed)
    assert any(before[key]["active"] and not after[key]["active"] for key in changed)
    assert any("analytics" in after[key] and "analytics" not in before[key] for key in changed)
    assert any(
        after[key].get("recording", {}).get("archived") != before[key].get("recording", {}).get("archived")
        for key in changed
    )
    assert oldest not in after
    arrived = after.keys() - before.keys()
    assert arrived & set(late)
    assert 50 < len(arrived) < 75
    assert 0 < len(before.keys() - after.keys()) < 10


def test_indexing_brings_events_in_the_night() -> None:
    """A session that was not indexed has none; indexed, it has some."""
    world = World(SPEC)
    without = [key for key in world if not world.events(key)]
    world.advance_night()
    indexed = [key for key in without if key in world and world.events(key)]
    assert indexed
    assert all(world.session(key)["body"]["recording"]["index_status"] not in {"NOT_INDEXED", 1} for key in indexed)


def test_what_a_night_leaves_alone_keeps_its_details(world: World) -> None:
    """Channels, events and alerts of a session are the same as long as its revision is."""
    later = World(SPEC)
    later.advance_night()
    same = [k for k in later if k in world and later.session(k) == world.session(k)]
    assert len(same) > 300
    for key in same:
        assert later.channels(key) == world.channels(key)
        assert later.events(key) == world.events(key)
        assert later.alerts(key) == world.alerts(key)


def test_some_sessions_are_never_indexed() -> None:
    """Two weeks later their status is still NOT_INDEXED."""
    world = World(SPEC)
    for _ in range(14):
        world.advance_night()
    old = [world.session(key)["body"] for key in world.keys()[:200]]
    assert any(body.get("recording", {}).get("index_status") == "NOT_INDEXED" for body in old)


def test_hooks_make_sessions_arrive_change_and_vanish() -> None:
    """A change raises the revision, an arrival may be late, and what vanished is gone."""
    world = World(WorldSpec(sessions=10))
    key = world.add(
        "my_key", {"user.name": "nobody"}, start_time="2026-10-31T10:00:00Z", end_time="2026-10-31T11:00:00Z"
    )
    body = world.session(key)["body"]
    assert (key, body["user"]["name"], body["duration"]) == ("my_key", "nobody", 3600)
    assert (body["start_time"][:19], body["active"]) == ("2026-10-31T10:00:00", False)
    world.change(key, verdict="DENY", user__name="somebody", end_time=None)
    changed = world.session(key)["body"]
    assert (changed["verdict"], changed["user"]["name"], changed["active"]) == ("DENY", "somebody", True)
    assert changed["revision"] == body["revision"] + 1
    world.delete(key)
    with pytest.raises(KeyError):
        world.session(key)
    late = world.add(creation_time=world.now + timedelta(hours=5))
    assert late not in world
    world.advance(timedelta(hours=6))
    assert late in world


def test_a_change_can_leave_the_revision_alone() -> None:
    """As an appliance that hides its revisions would do."""
    world = World(WorldSpec(sessions=10))
    key = world.keys()[3]
    before = world.session(key)["body"]
    world.change(key, {"user.name": "quiet"}, revision=False)
    after = world.session(key)["body"]
    assert after["revision"] == before["revision"]
    assert after["user"]["name"] == "quiet"
