"""The law of a sync: whatever the world, the appliance and the night, the copy equals the world."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, ask, sync

specs = st.builds(
    WorldSpec,
    sessions=st.integers(0, 40),
    seed=st.integers(1, 1000),
    days=st.integers(1, 8),
    burst=st.sampled_from([0, 0, 15]),
    late=st.sampled_from([0.0, 0.2]),
    deleted_per_night=st.sampled_from([0.0, 0.5]),
)
quirks = st.builds(
    Quirks,
    reading=st.sampled_from(["literal", "overlap"]),
    ties=st.sampled_from(["stable", "unstable"]),
    page_limit=st.sampled_from([7, 20, 500]),
    detail_limit=st.sampled_from([3, 500]),
    revision_by_name=st.booleans(),
    naming=st.just("recording"),
    snapshots=st.booleans(),
    snapshot_short_pages=st.booleans(),
    snapshot_empty_last_page=st.booleans(),
    counts=st.booleans(),
    date_ranges=st.booleans(),
    histogram=st.booleans(),
    unavailable=st.sampled_from([0.0, 0.05]),
    half_body=st.sampled_from([0.0, 0.05]),
)
# What happens between two syncs, or amid one: (what, which session, at which request; None for between).
happenings = st.lists(
    st.tuples(
        st.sampled_from(["change", "delete", "add", "reopen", "late", "night", "drop snapshot", "log out"]),
        st.integers(0, 10_000),
        st.one_of(st.none(), st.integers(1, 60)),
    ),
    max_size=8,
)


class Life:
    """What happens to a world and its appliance."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.world = simulator.world
        self.requests = 0
        self.amid: dict[int, list[tuple[str, int]]] = {}
        simulator.on_request = self._at_request

    def live(self, some: list[tuple[str, int, int | None]]) -> None:
        """Let it happen now, or at its request."""
        self.requests = 0
        self.amid = {}
        # Logins that end several times within one request are another matter: the client gives up on them.
        log_outs = [event for event in some if event[0] == "log out"]
        for what, which, at in [event for event in some if event not in log_outs[1:]]:
            if at is None:
                self.happen(what, which)
            else:
                self.amid.setdefault(at, []).append((what, which))

    def _at_request(self, *_: Any) -> None:
        self.requests += 1
        for what, which in self.amid.pop(self.requests, []):
            self.happen(what, which)

    def happen(self, what: str, which: int) -> None:
        """One thing."""
        keys = self.world.keys()
        key = keys[which % len(keys)] if keys else None
        if what == "night":
            self.simulator.advance_night()
        elif what == "drop snapshot":
            self.simulator.drop_snapshot()
        elif what == "log out":
            self.simulator.end_logins()
        elif what == "add" or key is None:
            self.world.add()
        elif what == "change":
            self.world.change(key, {"user.name": f"user {which}"})
        elif what == "reopen":
            self.world.change(key, {"end_time": None, "active": True})
        elif what == "late":
            started = self.world.session(key)["body"]["start_time"]
            self.world.add(start_time=started, creation_time=self.world.now)
        else:
            self.world.delete(key)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specs, quirks, st.lists(happenings, min_size=1, max_size=3), st.sampled_from(["auto", "windows"]))
def test_the_copy_equals_the_world(
    spec: WorldSpec, quirk: Quirks, nights: list[list[tuple[str, int, int | None]]], strategy: str
) -> None:
    """After nights on which anything may happen, also amid the reading, and a quiet one, nothing differs."""
    world = World(spec)
    seen = set(world.keys())
    with (
        TemporaryDirectory() as folder,
        Simulator(world, quirk) as simulator,
        stamina.set_testing(True, attempts=20),
        patch("spsetl.sync.planning.SWEEP_WINDOW", 10),
    ):
        life = Life(simulator)
        path = Path(folder)
        more: dict[str, object] = {"strategy": strategy, "most_missing": 100, "lookback": 24}
        for night in [*nights, []]:
            life.live(night)
            sync(simulator, path, accept_missing=True, **more)
            seen |= set(world.keys())
            simulator.advance_clock(1000)
        gone = {key for (key,) in ask(path, "select session_key from sessions")} - set(world.keys())
        told = (
            {}
            if quirk.revision_by_name
            else {"told": lambda row: row | {"revision": None} if "revision" in row else row}
        )
        assert_equal_copy(world, path / "warehouse.duckdb", appliance=NAME, gone=gone, **told)
        # A session that changes between list and details has the new ones already when it is next listed.
        is_quiet = not any(at for night in nights for _, _, at in night)
        assert not (is_quiet and quirk.revision_by_name and simulator.repeated_details)
        verdicts = {verdict for (verdict,) in ask(path, "select verdict from sync_windows")}
        assert verdicts <= {"equal", "uncounted", "differs"}
