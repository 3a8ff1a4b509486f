"""Row C: the next night, ours beside dlt's incremental with the same look-back, by requests; and what each finds."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb

from tests.benchmarks.appliances import appliance
from tests.benchmarks.contents import select_versions
from tests.benchmarks.programs import Measured, Sample, fresh, run
from tests.benchmarks.results import Given, Row, Verdict
from tests.benchmarks.systems import DLT, OURS, STARTS, Work

_CONNECTIONS: Final = 16
_LOOKBACK_DAYS: Final = 3
_LATE_DAYS: Final = 10
_LATE: Final = 20
_FIRST_NOTE: Final = (
    "the first sync lists all; its details, some 300,000 requests at full size, are marked as fetched and not "
    "fetched: the nights after ask for the same either way"
)
_DLT_NOTE: Final = (
    "dlt has no first load here: what it knows is taken to be right; it is given windows, as its look-back holds "
    "more than the 10000 sessions that the appliance answers"
)
_CHANGED: Final = 100  # one session in so many


@dataclass(frozen=True)
class _Night:
    """One night, by both."""

    ours: Sample
    dlts: Sample


def measure_c(given: Given) -> Row:
    """Two nights after a first sync: nothing changed; one in a hundred changed, of any age, and some arrived late."""
    sessions = given.scaled(100_000, 1000)
    row = Row("C", f"the night after {sessions:,} sessions of 30 days, look-back {_LOOKBACK_DAYS} days, with details")
    folder = fresh(given.folder / "nights")
    with appliance(sessions=sessions) as source:
        start = source.now - timedelta(days=_LOOKBACK_DAYS)
        work = Work(source, folder, _CONNECTIONS, details=True, filters=source.filters(start))
        first = _first_sync(work)
        _truth(work, "before")
        quiet = _night(work)
        changes = source.order("change", every=_CHANGED, late=_LATE, late_days=_LATE_DAYS)
        _truth(work, "after")
        busy = _night(work)
    missed = {OURS: _missed(folder, OURS), DLT: _missed(folder, DLT)}
    row.measured = [
        _measured(f"{system}, {night}", sample)
        for night, both in (("nothing changed", quiet), ("1 % changed", busy))
        for system, sample in ((OURS, both.ours), (DLT, both.dlts))
    ]
    row.verdicts = [
        _fewer(quiet, "fewer requests than dlt, nothing changed", 100),
        _fewer(busy, "fewer requests than dlt, 1 % changed", 8),
        Verdict("finds every change", f"{missed[OURS]:,} missed; dlt misses {missed[DLT]:,}", missed[OURS] == 0),
    ]
    row.figures = {"changes": changes, "requests of the first listing": first.requests.total()}
    row.notes += [
        _FIRST_NOTE,
        _DLT_NOTE,
    ]
    return row


def _first_sync(work: Work) -> Sample:
    copy = fresh(work.folder / OURS)
    sample = run(STARTS[OURS](Work(work.appliance, copy, _CONNECTIONS, details=False)), work.appliance)
    work.appliance.order("day")
    _mark_fetched(copy / "data/work/warehouse.duckdb")
    return sample


def _mark_fetched(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "insert into detail_fetches by name select appliance, session_key, 'fetched' as status, extracted_at, "
            "run_id, unnest(['channels', 'events', 'alerts']) as kind from sessions"
        )


def _night(work: Work) -> _Night:
    ours = run(STARTS[OURS](work.into(work.folder / OURS)), work.appliance)
    dlts = run(STARTS[DLT](work.into(fresh(work.folder / DLT))), work.appliance)
    work.appliance.order("day")
    return _Night(ours, dlts)


def _truth(work: Work, name: str) -> None:
    work.appliance.order("truth", folder=str(fresh(work.folder / name)), details=False)


def _missed(folder: Path, system: str) -> int:
    """Sessions that the copy does not have as the world has them: of dlt, its night on top of what was there before."""
    known = (
        f"union all select session_key, revision, score from '{folder}/before/sessions.parquet'"
        if system == DLT
        else ""
    )
    with duckdb.connect() as connection:
        found = select_versions(connection, system, folder / system)
        row = connection.execute(
            f"select count(*) from '{folder}/after/sessions.parquet' t where (t.session_key, t.revision, t.score) "
            f"not in (select (session_key, revision, score) from ({found} {known}))"
        ).fetchone()
    return int(row[0]) if row else 0


def _measured(name: str, sample: Sample) -> Measured:
    return Measured(name, [sample])


def _fewer(night: _Night, target: str, bound: float) -> Verdict:
    return Verdict.at_least(target, night.dlts.requests.total() / night.ours.requests.total(), bound)
