"""The copy answers as the appliance that it was copied from does: the simulated one, which shares no code with us."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.settings import load_settings
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from spsetl.simulator.search import Search
from spsetl.simulator.statistics import count_bins, count_values
from spsetl.sync import ThreadRunner, run_sync
from tests.statistics_oracle import histogram_of, stats_of

# How the appliance reads start and end, and what the same is called here.
READINGS = {"literal": "contained", "overlap": "overlap"}
FIELDS = (
    "protocol",
    "user.name",
    "client.port",
    "client.address",
    "active",
    "duration",
    "verdict",
    "origin",
    "psm.connection_policy",
    "recording.index_status",
    "recording.has_accepted_channel",
    "analytics.score.aggregated",
    "analytics.score.details.keystroke.score",
    "analytics.tags",
    "analytics.interesting_events",
    "user.server_username",
    "vault.account_name",
)
ZONES = ("Etc/UTC", "Europe/Budapest", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
SPEC = WorldSpec(sessions=600, days=40)


class Both(NamedTuple):
    """A simulated appliance's world, and the published copy of it."""

    world: World
    warehouse: Warehouse


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A world, synced once."""
    world, folder = World(SPEC), tmp_path_factory.mktemp("parity")
    with Simulator(world) as simulator:
        login = {"username": simulator.username, "password": simulator.password, "ca_file": simulator.ca_file}
        arguments: dict[str, Any] = {"url": simulator.url, "appliance": "sps", "data_dir": Path(folder), **login}
        settings = load_settings(arguments | {"details": "none"}, environ={})
        run_sync(settings, runner=ThreadRunner())
    with open_warehouse(folder) as warehouse:
        yield Both(world, warehouse)


def written(moment: datetime) -> st.SearchStrategy[str]:
    """The ways to write a moment as a parameter: its date alone, or with the time in some zone."""
    offsets = (timedelta(0), timedelta(hours=5, minutes=30), timedelta(hours=-2))
    return st.sampled_from(
        [moment.date().isoformat(), *(moment.astimezone(timezone(offset)).isoformat() for offset in offsets)]
    )


@st.composite
def ranges(draw: st.DrawFn) -> dict[str, str]:
    """A start and an end within the world's days, as parameters."""
    minutes = SPEC.days * 24 * 60
    first, last = sorted(draw(st.lists(st.integers(0, minutes), min_size=2, max_size=2, unique=True)))
    start, end = (SPEC.now - timedelta(minutes=minutes - number) for number in (first, last))
    return {"start": draw(written(start)), "end": draw(written(end))}


@given(
    bounds=st.just({}) | ranges(),
    field=st.sampled_from(FIELDS),
    sub_field=st.none() | st.sampled_from(FIELDS),
    size=st.integers(1, 12),
    reading=st.sampled_from(list(READINGS)),
)
def test_stats_are_those_of_the_appliance(
    both: Both, bounds: dict[str, str], field: str, sub_field: str | None, size: int, reading: Any
) -> None:
    """Items, others and what `meta` says of the question are equal."""
    asked = {"field": field, "size": str(size), **({"sub_fields": sub_field} if sub_field else {}), **bounds}
    theirs = count_values(Search(both.world, Quirks(reading=reading)), asked)

    ours = stats_of(
        both.warehouse,
        field,
        sub_field=sub_field,
        size=size,
        match=READINGS[reading],
        now=both.world.now,
        **bounds,
    ).as_json

    assert ours["items"] == theirs["items"]
    assert ours["meta"] == theirs["meta"] | {"href": "/api/audit/sessions/stats", "parent": "/api/audit/sessions"}


@given(
    bounds=ranges(),
    field=st.sampled_from(FIELDS),
    bin_size=st.sampled_from(["hour", "day", "week", "month", "year"]),
    zone=st.sampled_from(ZONES),
    reading=st.sampled_from(list(READINGS)),
)
def test_histograms_are_those_of_the_appliance(
    both: Both, bounds: dict[str, str], field: str, bin_size: Any, zone: str, reading: Any
) -> None:
    """Bins and what `meta` says of the question are equal, but for `size`, which limits nothing in a histogram."""
    quirks = Quirks(reading=reading)
    asked = {"field": field, "bin_size": bin_size, "time_zone": zone, **bounds}
    theirs = count_bins(Search(both.world, quirks), quirks, both.world.now_ms, asked)

    ours = histogram_of(
        both.warehouse,
        bin_size,
        field=field,
        time_zone=zone,
        match=READINGS[reading],
        now=both.world.now,
        **bounds,
    ).as_json

    assert (ours["key"], ours["body"]) == (theirs["key"], theirs["body"])
    place = {"href": "/api/audit/sessions/histogram", "parent": "/api/audit/sessions"}
    assert ours["meta"] == {name: value for name, value in theirs["meta"].items() if name != "size"} | place
