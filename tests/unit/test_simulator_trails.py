from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from spsetl.cli import app
from spsetl.simulator import Quirks, World, WorldSpec
from spsetl.simulator.times import to_ms

SPEC = WorldSpec(sessions=600, days=10)


@pytest.fixture(scope="module")
def world() -> World:
    """A world that no test changes."""
    return World(SPEC)


def has_trail(world: World, key: str) -> bool:
    """Whether the session's document tells of a recording."""
    recording = world.session(key)["body"].get("recording", {})
    return recording.get("index_status") not in {None, "NO_TRAIL", 6}


def test_only_recordings_are_downloaded_and_few_of_them(world: World) -> None:
    """Most have no download; those that have some list them by time, after the session's end and not in the future."""
    downloads = {key: found for key in world if (found := world.trail_downloads(key))}
    assert 20 < len(downloads) < 150
    assert any(len(found) > 1 for found in downloads.values())
    assert {one["from_api"] for found in downloads.values() for one in found} == {True, False}
    for key, found in downloads.items():
        assert has_trail(world, key)
        end = world.session(key)["body"]["end_time"]
        times = [datetime.fromisoformat(one["time"]) for one in found]
        assert all(one.keys() == {"from_api", "ip_address", "time", "username"} for one in found)
        assert times == sorted(times)
        assert datetime.fromisoformat(end) - timedelta(seconds=1) < times[0]
        assert times[-1] <= world.now


def test_downloads_and_indexing_follow_from_the_spec(world: World) -> None:
    """Another world of the same spec has the same."""
    other = World(SPEC)
    assert [world.trail_downloads(key) for key in world] == [other.trail_downloads(key) for key in other]
    assert [world.indexing(key) for key in world] == [other.indexing(key) for key in other]


def test_what_a_night_leaves_alone_keeps_its_downloads_and_its_indexing(world: World) -> None:
    """As long as the revision stays, so do they; and a night brings both."""
    later = World(SPEC)
    later.advance_night()
    kept = [key for key in later if key in world]
    same = [key for key in kept if later.session(key) == world.session(key)]
    assert len(same) > 300
    assert all(later.trail_downloads(key) == world.trail_downloads(key) for key in same)
    assert all(later.indexing(key) == world.indexing(key) for key in same)
    assert any(later.indexing(key) and not world.indexing(key) for key in kept)
    assert any(later.trail_downloads(key) and not world.trail_downloads(key) for key in kept)


def test_a_download_leaves_the_revision_alone() -> None:
    """It comes last, at the world's time; nothing in the session tells of it."""
    world = World(SPEC)
    key = next(key for key in world if world.trail_downloads(key))
    before, session = world.trail_downloads(key), world.session(key)
    world.download(key)
    world.advance(timedelta(milliseconds=1))
    world.download(key, username="olga", ip_address="10.1.2.3", from_api=True)
    new = {"from_api": True, "ip_address": "10.1.2.3", "time": "2026-11-01T00:00:00.001Z", "username": "olga"}
    assert world.trail_downloads(key)[:-2] == before
    assert world.trail_downloads(key)[-1] == new
    assert world.session(key) == session


def test_nothing_can_be_downloaded_without_a_recording() -> None:
    """Neither of a session from logs, nor where auditing is off, nor of one that is not there."""
    world = World(SPEC)
    without = [key for key in world if not has_trail(world, key)]
    origins = {world.session(key)["body"]["origin"] for key in without}
    assert {"LOG", "RECORDING"} <= origins
    for key in without:
        assert world.trail_downloads(key) == []
        with pytest.raises(ValueError, match="no recording"):
            world.download(key)
    with pytest.raises(KeyError):
        world.download("no-such-key")


def test_indexing_tells_what_the_index_status_tells(world: World) -> None:
    """A job where the indexer is at work, done or has failed; none before that, and none without a recording."""
    jobs = {"INDEXING_IN_PROGRESS": "IN_PROGRESS", "INDEXED": "COMPLETED", "INDEXING_FAILED": "FAILED"}
    names = ("CHANNEL_OPEN", "NOT_INDEXED", "INDEXING_IN_PROGRESS", "INDEXED", "INDEXING_NOT_REQUIRED")
    names = (*names, "INDEXING_FAILED", "NO_TRAIL")
    seen = set()
    for key in world:
        status = world.session(key)["body"].get("recording", {}).get("index_status")
        status = names[status] if isinstance(status, int) else status
        seen.add(status)
        job = world.indexing(key)
        assert (job or {}).get("status") == jobs.get(status)
        if job:
            assert job.keys() == {"config", "statistics", "status", "version"}
            assert world.find(key).start <= job["statistics"]["start_time"] <= to_ms(world.now)
    assert seen == {None, *names}


def test_a_session_can_be_given_any_number_of_events() -> None:
    """Whatever its status; ids are distinct and grow, and so do times; the revision grows; others keep theirs."""
    world = World(SPEC)
    keys = world.keys()
    log = next(key for key in keys if world.session(key)["body"]["origin"] == "LOG")
    before, others = world.session(log)["body"], [world.events(key) for key in keys if key != log]
    for count in (2500, 0, 3000):
        world.give_events(log, count)
        events = world.events(log)
        assert len(events) == count
        assert all(one["record_id"] < two["record_id"] for one, two in pairwise(events))
        times = [datetime.fromisoformat(event["time"]) for event in events]
        assert all(one < two for one, two in pairwise(times))
        assert all(1 <= len(event["time"].partition(".")[2]) <= 6 for event in events)
    assert times[0] >= datetime.fromisoformat(before["start_time"]).replace(tzinfo=None)
    assert world.session(log)["body"] == before | {"revision": before["revision"] + 3}
    assert [world.events(key) for key in keys if key != log] == others
    with pytest.raises(KeyError):
        world.give_events("no-such-key", 1)


def test_many_sessions_can_arrive_at_once() -> None:
    """All with the fields they have in common, at one start if wanted, each with a key of its own."""
    world = World(WorldSpec(sessions=10))
    keys = world.add_many(300, {"user.name": "swarm"}, start_time="2026-10-20T10:00:00Z")
    assert len(set(keys)) == 300
    assert len(world) == 310
    bodies = [world.session(key)["body"] for key in keys]
    assert {body["user"]["name"] for body in bodies} == {"swarm"}
    assert {datetime.fromisoformat(body["start_time"]).isoformat() for body in bodies} <= {
        "2026-10-20T10:00:00+00:00",
        "2026-10-20T15:00:00+05:00",
    }
    assert len({body["protocol"] for body in bodies}) > 3
    late = world.add_many(3, creation_time=world.now + timedelta(hours=5))
    assert set(late) <= set(world.pending_keys())


def test_each_quirk_has_its_option() -> None:
    """Of `spsetl simulate`, numbers below zero included."""
    options = ["--no-trail-downloads", "--no-indexing", "--no-date-ranges", "--count-drift=-7"]
    _, bound, _ = app.parse_args(["simulate", *options, "--detail-offset-limit", "10000"], exit_on_error=False)
    assert bound.arguments["quirks"] == Quirks(
        trail_downloads=False, indexing=False, date_ranges=False, count_drift=-7, detail_offset_limit=10_000
    )
