"""The law of counting: what an appliance is found to count is what a plain look at every session gives."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from spsetl.appliance.answers import Answer, decode_answer
from spsetl.appliance.client import Client
from spsetl.appliance.probe import probe
from spsetl.extract.counts import count_all, count_window, fetch_daily_counts
from spsetl.simulator import Quirks, World, WorldSpec
from spsetl.simulator.appliance import Appliance
from spsetl.simulator.messages import Request, classify
from spsetl.window import EPOCH, Window

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BEGIN = NOW - timedelta(days=3)
LENGTH = timedelta(days=3) // timedelta(milliseconds=1)
LONG_ENOUGH = timedelta(seconds=2)


class Direct:
    """A client that asks a simulated appliance without a network between them."""

    def __init__(self, world: World, quirks: Quirks) -> None:
        self._appliance = Appliance(world, quirks, "audit", "secret")
        basic = b"Basic " + base64.b64encode(b"audit:secret")
        welcome = self._appliance.answer(Request("authentication", "", {}, {b"authorization": basic}))
        self._headers = {b"cookie": welcome.headers[0][1].partition(";")[0].encode()}

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, kind: str) -> Any:
        """The answer's JSON, or the error that it stands for, as the real client has it."""
        asked, key = classify(path)
        texts = {name: str(value) for name, value in (params or {}).items()}
        found = self._appliance.answer(Request(asked, path, texts, self._headers, key))
        answer = Answer(found.status, found.content_type, found.body, {}, {}, cut_unseen=False)
        return decode_answer(answer, kind=kind)


# Few distinct milliseconds around whole seconds, so that many sessions start together and edges hit them.
moments = st.one_of(
    st.integers(0, LENGTH - 1),
    st.tuples(st.integers(0, LENGTH // 1000 - 1), st.sampled_from([0, 1, 999])).map(lambda at: at[0] * 1000 + at[1]),
    st.integers(0, 3),
).map(lambda ms: BEGIN + timedelta(milliseconds=ms))
lengths = st.none() | st.sampled_from([0, 1, 999, 1999, 2000, 60_000, 200_000_000]).map(
    lambda ms: timedelta(milliseconds=ms)
)
quirks_of_any_kind = st.builds(
    Quirks,
    reading=st.sampled_from(["literal", "overlap"]),
    histogram_reading=st.sampled_from(["", "literal", "overlap"]),
    ties=st.sampled_from(["stable", "unstable"]),
    star_has_revision=st.booleans(),
    revision_by_name=st.booleans(),
    date_ranges=st.booleans(),
    naming=st.sampled_from(["recording", "psm"]),
    times=st.sampled_from(["iso", "epoch"]),
    bin_size_parameter=st.sampled_from(["bin_size", "bin-size"]),
    snapshots=st.booleans(),
    counts=st.booleans(),
    histogram=st.booleans(),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds of no, one or some sessions, active ones and ties among them."""
    world = World(WorldSpec(sessions=0, late=0, now=NOW))
    for start, length in draw(st.lists(st.tuples(moments, lengths), max_size=12)):
        world.add(start_time=start, end_time=None if length is None else start + length)
    return world


def spans(world: World) -> list[tuple[datetime, datetime | None]]:
    """Start and end of every session, as its own document has them."""
    bodies = [world.session(key)["body"] for key in world]
    return [
        (
            datetime.fromisoformat(body["start_time"]).astimezone(UTC),
            body["end_time"] and datetime.fromisoformat(body["end_time"]),
        )
        for body in bodies
    ]


def floor(moment: datetime, times: str) -> datetime:
    """A time as the list shows it."""
    return moment.replace(microsecond=0) if times == "epoch" else moment


@given(world=worlds(), quirks=quirks_of_any_kind)
def test_a_probe_finds_out_the_quirks(world: World, quirks: Quirks) -> None:
    """All that a world can tell, and None for nothing else."""
    found = probe(cast("Client", Direct(world, quirks)))
    shown = [(floor(start, quirks.times), end and floor(end, quirks.times)) for start, end in spans(world)]
    is_told = any(end and end - start >= LONG_ENOUGH for start, end in shown)
    assert found.reading == (quirks.reading if is_told else None)
    assert found.has_date_ranges == (quirks.date_ranges if shown else None)
    assert found.has_revision == (quirks.revision_by_name or quirks.star_has_revision if shown else None)
    assert (found.has_snapshots, found.has_counts) == (quirks.snapshots, quirks.counts)
    assert found.bin_size_parameter == (quirks.bin_size_parameter if quirks.histogram else None)
    starts = [start for start, _ in shown]
    assert (found.first_start, found.last_start) == ((min(starts), max(starts)) if starts else (None, None))
    assert found.match_count == len(world)


@given(
    world=worlds(),
    quirks=quirks_of_any_kind,
    cuts=st.lists(st.tuples(moments, st.sampled_from([-1, 0, 1, 999, 1000])), max_size=5),
)
def test_counts_are_a_plain_look_at_every_session(
    world: World, quirks: Quirks, cuts: list[tuple[datetime, int]]
) -> None:
    """Over consecutive windows, whatever their edges; together they make up all sessions."""
    client = cast("Client", Direct(world, quirks))
    capabilities = probe(client)
    starts = [start for start, _ in spans(world)]
    own = [start + timedelta(microseconds=n) for start in starts[:2] for n in (0, 1)]
    edges = sorted({EPOCH, *own, *(cut + timedelta(microseconds=off) for cut, off in cuts)})
    windows = [*(Window(a, b) for a, b in pairwise(edges)), Window(edges[-1], None)]

    found = [count_window(client, capabilities, window) for window in windows]

    expected = [sum(start in window for start in starts) for window in windows]
    by_difference = capabilities.has_counts and capabilities.reading == "literal"
    if capabilities.has_date_ranges or by_difference:
        assert found == expected
        assert sum(expected) == count_all(client, capabilities)
    else:
        assert found == [None] * len(windows)


@given(world=worlds(), quirks=quirks_of_any_kind, days=st.integers(1, 3))
def test_daily_counts_are_a_plain_look_at_what_the_reading_lets_pass(world: World, quirks: Quirks, days: int) -> None:
    """From midnight to midnight: under the overlap reading every session of the day, under the literal one fewer."""
    client, end = cast("Client", Direct(world, quirks)), BEGIN + timedelta(days=days)

    found = fetch_daily_counts(client, probe(client), BEGIN, end)

    is_literal = (quirks.histogram_reading or quirks.reading) == "literal"
    expected = {BEGIN.date() + timedelta(days=n): 0 for n in range(days)}
    for start, ended in spans(world):
        if start < end and (not is_literal or (ended is not None and ended < end)):
            expected[start.date()] += 1
    assert found == (expected if quirks.histogram else None)
