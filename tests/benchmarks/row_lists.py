"""Rows A and A2: the list alone, without latency and with."""

from dataclasses import replace
from math import ceil
from typing import Final

from tests.benchmarks.appliances import Appliance, appliance
from tests.benchmarks.comparing import by_name, compare, simulator_limit, write_pages
from tests.benchmarks.loading import measure_loading
from tests.benchmarks.programs import fresh
from tests.benchmarks.results import TIMES, Given, Row, Verdict
from tests.benchmarks.systems import AIRBYTE, BARE, DLT, OURS, SCRIPT, SINGER, Work

_CONNECTIONS: Final = 8
_PAGE: Final = 500
_SLOW: Final = 1  # rounds of what takes long and has no target


def measure_a(given: Given) -> Row:
    """All systems, as fast as they can."""
    sessions = given.scaled(50_000)
    row = Row("A", f"{sessions:,} sessions, list only, no latency, {_CONNECTIONS} connections, whole process")
    with appliance(sessions=sessions) as source:
        work = _work(source, given)
        few = {SINGER: _SLOW, SCRIPT: _SLOW}
        row.measured = compare(work, [OURS, DLT, AIRBYTE, SCRIPT, SINGER, BARE], given.turns(), few)
        found = by_name(row.measured)
        loading = measure_loading(work, given.turns())
        row.measured.append(loading)
    ours = found[OURS]
    row.verdicts = [
        Verdict.at_least("dlt", found[DLT].seconds / ours.seconds, 5),
        Verdict.at_least("the CDK, which only reads", found[AIRBYTE].seconds / ours.seconds, 3.5),
        Verdict.at_most("dlt's memory", ours.megabytes / found[DLT].megabytes, 0.33),
        Verdict("beside the bare loop", f"{ours.seconds / found[BARE].seconds:.2f} {TIMES}", None),
        Verdict("beside DuckDB loading the same Parquet", f"{ours.seconds / loading.seconds:.2f} {TIMES}", None),
    ]
    bare = found[BARE]
    row.figures["bare loop"] = (
        f"{bare.requests / bare.seconds:,.0f} requests/s, {sessions / bare.seconds:,.0f} sessions/s"
    )
    row.figures["simulator's limit"] = simulator_limit(bare)
    row.notes.append("the CDK reads and loads nothing; Singer keeps each body as one JSON column and is sequential")
    return row


def measure_a2(given: Given) -> Row:
    """Ours alone, beside the floor that latency sets."""
    sessions, latency = given.scaled(200_000), 0.1
    row = Row("A2", f"{sessions:,} sessions, list only, {latency * 1000:.0f} ms a request, {_CONNECTIONS} connections")
    with appliance(sessions=sessions, latency=latency) as source:
        row.measured = compare(_work(source, given), [OURS, BARE], given.turns(3))
    found = by_name(row.measured)
    pages = ceil(sessions / _PAGE)
    floor = pages * latency / _CONNECTIONS
    own_floor = found[OURS].requests * latency / _CONNECTIONS
    row.verdicts = [
        Verdict.at_most("the floor, published file included", found[OURS].seconds / own_floor, 1.5),
        Verdict("beside the floor of full pages alone", f"{found[OURS].seconds / floor:.2f} {TIMES}", None),
    ]
    row.figures["floor"] = (
        f"{found[OURS].requests:,} requests {TIMES} {latency:g} s ÷ {_CONNECTIONS} = {own_floor:.2f} s"
    )
    row.figures["floor of full pages"] = f"{pages:,} requests: {floor:.2f} s"
    return row


def _work(source: Appliance, given: Given) -> Work:
    folder = fresh(given.folder / "list")
    work = Work(source, folder, _CONNECTIONS, details=False)
    return replace(work, paths=write_pages(work, folder))
