"""The law of the policies' history: it tells what was seen at any time, and the lake alone gives the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl.extract.policies import Configuration, Policy, compare_policies
from spsetl.lake import Lake, compact_lake
from spsetl.queries import read_statement
from spsetl.warehouse.merge import merge_part
from spsetl.warehouse.policies import fetch_known_policies
from spsetl.warehouse.rebuild import rebuild_tables
from spsetl.warehouse.work import WorkDatabase

BEGIN = datetime(2026, 10, 20, tzinfo=UTC)
PLACES: Any = [("ssh", "connections"), ("ssh", "options"), ("rdp", "connections")]
Look = Mapping[Any, Mapping[str, int] | None]
State = dict[tuple[str, str, str], int]
Row = tuple[Any, ...]

# What one look sees in each place: the number that each policy holds, or None where the place cannot be read.
looks = st.fixed_dictionaries(
    dict.fromkeys(PLACES, st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 2)))
)
# What is seen, days since the last look (none, or fewer, where a clock stands or is set back), and whether a run that
# saw the same was killed before, between lake and warehouse.
steps = st.lists(st.tuples(looks, st.sampled_from([1, 1, 0, -2]), st.booleans()), max_size=6)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkDatabase]:
    """One for all examples, each of which begins with empty tables."""
    folder = tmp_path_factory.mktemp("work")
    with WorkDatabase(folder / "work.duckdb", published=folder / "none.duckdb") as opened:
        yield opened


@dataclass
class Copy:
    """A lake and a work database, fed as a sync does it; and what was there each time that something changed."""

    work: WorkDatabase
    lake: Lake
    now: datetime = BEGIN
    runs: int = 0
    state: State = field(default_factory=dict)
    seen: list[tuple[datetime, State]] = field(default_factory=list)

    def look(self, look: Look, days: int, *, is_killed: bool) -> None:
        """One look, and what follows of it."""
        self.now += timedelta(days=days)
        found = Configuration(
            {
                place: [Policy(key, f"name {n}", {"n": n}, n) for key, n in policies.items()]
                for place, policies in look.items()
                if policies is not None
            }
        )
        if is_killed:
            self._write(found)
        moment, files, versions = self._write(found)
        with self.work.transaction() as connection:
            assert merge_part(connection, files).rows.get("policies", 0) == versions
        self.state = {key: n for key, n in self.state.items() if key[:2] not in found.read}
        self.state |= {(*place, key): n for place, some in look.items() for key, n in (some or {}).items()}
        if moment is not None:
            self.seen.append((moment, self.state))
        assert self.state == (self.seen[-1][1] if self.seen else {})

    def _write(self, found: Configuration) -> tuple[datetime | None, dict[str, list[str]], int]:
        """The lake's part of it: when, the files, and how many versions are new."""
        self.runs += 1
        self.now += timedelta(minutes=1)
        run_id = f"{BEGIN + timedelta(days=self.runs):%Y%m%dT%H%M%SZ}-{self.runs:08x}"
        known = fetch_known_policies(self.work, "sps")
        batch = compare_policies(found, known, now=self.now, appliance="sps", run_id=run_id)
        rows = batch.to_pylist()
        with self.lake.writer(appliance="sps", run_id=run_id, part="policies") as writer:
            if rows:
                writer.write({"policies": batch})
        return (
            rows[0]["extracted_at"] if rows else None,
            writer.files,
            len([row for row in rows if row["body"] is not None]),
        )

    def history(self) -> list[Row]:
        """All versions, of which no two are valid at one time."""
        run = self.work.connection.execute
        assert run(read_statement("checks", "policies__one_valid_version")).fetchall() == []
        return run(
            "select protocol, kind, policy_key, retention_days, valid_from, valid_to, name, body, extracted_at, "
            "run_id, appliance from policies order by all"
        ).fetchall()


def valid_at(rows: list[Row], moment: datetime) -> State:
    """What the history says of that time."""
    return {row[:3]: row[3] for row in rows if row[4] <= moment and (row[5] is None or row[5] > moment)}


@settings(max_examples=8)
@given(steps, st.booleans())
def test_the_history_tells_what_was_seen_and_the_lake_gives_the_same(
    work: WorkDatabase, steps: list[tuple[Look, int, bool]], is_compacted: bool
) -> None:
    """Whatever changes, goes, returns or is not read, and also where a killed run has written the same before."""
    with TemporaryDirectory() as name:
        copy = Copy(work, Lake(Path(name) / "lake"))
        work.connection.execute("delete from policies")
        for look, days, is_killed in steps:
            copy.look(look, days, is_killed=is_killed)
        history = copy.history()
        assert [moment for moment, _ in copy.seen] == sorted({moment for moment, _ in copy.seen})
        for moment, expected in copy.seen:
            assert valid_at(history, moment) == expected
        if is_compacted:
            compact_lake(copy.lake, now=BEGIN + timedelta(days=99))
        work.connection.execute("delete from policies")
        assert rebuild_tables(work, copy.lake)["policies"] == len(history)
        assert copy.history() == history
