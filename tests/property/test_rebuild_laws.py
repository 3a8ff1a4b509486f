"""The law of rebuilding: the lake alone gives what the merges made, row by row, whatever happened in which order.

Left out: `appliances`, which no lake holds.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from hypothesis import event, given, settings
from hypothesis import strategies as st

from spsetl import schema
from spsetl.flatten import Flattener
from spsetl.flatten.values import hash_of
from spsetl.lake import Lake, compact_lake
from spsetl.runs import Run
from spsetl.settings import Settings
from spsetl.sync.quarantine import replay
from spsetl.warehouse import checks, runs
from spsetl.warehouse.details import pending_details
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.merge import fetch_known, merge_part
from spsetl.warehouse.rebuild import rebuild_tables
from spsetl.warehouse.windows import UNCOUNTED, WindowRecord
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import Window

BEGIN = datetime(2026, 10, 20, tzinfo=UTC)
KINDS = tuple(schema.DETAIL_KINDS)
HALVES = (Window(BEGIN, BEGIN + timedelta(days=1)), Window(BEGIN + timedelta(days=1), None))
COMPARED = (*schema.COPIED_TABLES, schema.DETAIL_FETCHES, schema.POLICIES, schema.SYNC_RUNS, schema.SYNC_WINDOWS)
DETAILS: Mapping[str, dict[str, Any]] = {
    "channels": {"key": "c1", "body": {"type": "shell"}},
    "events": {"record_id": 1, "content": "ls"},
    "alerts": {"record_id": 1, "rule_name": "rule"},
    "trail_downloads": {"username": "auditor"},
    "indexing": {"status": "COMPLETED"},
}


@dataclass(frozen=True)
class State:
    """A session as the appliance has it."""

    key: str
    revision: int | None
    content: int = 0
    indexed: bool = True
    half: int = 0

    def item(self) -> dict[str, Any]:
        """As the list gives it; its lists and scores change with its content."""
        body = {
            "start_time": (BEGIN + timedelta(days=self.half, hours=1)).isoformat(),
            "user": {"name": f"user {self.content}"},
            "recording": {"index_status": "INDEXED" if self.indexed else "NOT_INDEXED"},
            "analytics": {
                "tags": [f"tag {n}" for n in range(self.content % 3)],
                "score": {"details": {f"algorithm {self.content % 2}": {"score": self.content}}},
            },
        }
        return {"key": self.key, "body": body | ({} if self.revision is None else {"revision": self.revision})}


@dataclass(frozen=True)
class Change:
    """What became of a session since the last look at it, and how it was seen."""

    moved: int
    touched: bool
    indexed: bool
    half: int
    seen: str

    def apply(self, state: State) -> State:
        """What the appliance has then: its revision falls only after a restore."""
        if not (self.moved or self.touched):
            return state
        revision = None if state.revision is None else max(state.revision + self.moved, 0)
        return replace(state, revision=revision, content=state.content + 1, indexed=self.indexed, half=self.half)


class Copy:
    """A lake and a work database, fed side by side as a sync does it; each step is a run of its own, a day later."""

    def __init__(self, folder: Path, work: WorkDatabase) -> None:
        self.folder, self.work, self.lake = folder, work, Lake(folder / "lake")
        self.day = 0
        self.marked: set[str] = set()
        self.wanted: list[str] = list(KINDS)
        self.states = {"a": State("a", 1), "_b": State("_b", 1), "hides": State("hides", None)}

    @property
    def now(self) -> datetime:
        """The moment of the step."""
        return BEGIN + timedelta(days=self.day)

    @property
    def run_id(self) -> str:
        """The run of the step."""
        return f"{self.now:%Y%m%dT%H%M%SZ}-{self.day:08x}"

    @contextmanager
    def run(self) -> Iterator[None]:
        """A run that ends well."""
        self.day += 1
        run = Run(appliance="sps", run_id=self.run_id, started_at=self.now, details=tuple(self.wanted))
        runs.begin_run(self.work, run)
        yield
        run.sessions_seen = run.sessions_new = run.sessions_changed = run.sessions_missing = self.day
        run.unreadable["sessions"], run.given["sessions"] = self.day, 100 * self.day
        run.requests = {"list": 1}
        run.end()
        run.finished_at, run.seconds = self.now, 1.5
        with self.lake.writer(appliance="sps", run_id=self.run_id, part="run") as writer:
            writer.write({"sync_runs": runs.run_batch(run.as_row(ordered_at=self.now, watermark=BEGIN))})
        with self.work.transaction() as connection:
            merge_part(connection, writer.files)

    def read_windows(self, changes: Mapping[str, Change]) -> None:
        """Look at all sessions, in two windows; how a session is seen says whether it can be read, or is gone."""
        for key, change in changes.items():
            self.states[key] = change.apply(self.states[key])
        with self.run():
            for half, window in enumerate(HALVES):
                keys = [key for key in changes if self.states[key].half == half]
                self._read_window(half, window, {key: changes[key].seen for key in keys})

    def _read_window(self, half: int, window: Window, seen: Mapping[str, str]) -> None:
        known = fetch_known(self.work, "sps", window).to_pylist()
        hashes = {row["session_key"]: row["row_hash"] for row in known if not row["is_missing"]}
        flattener = Flattener(appliance="sps", run_id=self.run_id, known=hashes)
        listed = [self.states[key].item() for key, how in seen.items() if how == "whole"]
        flattener.add_sessions(listed, extracted_at=self.now)
        spoilt = [self._quarantined("sessions", key, self._spoil(key, how)) for key, how in seen.items()]
        there = {key for key, how in seen.items() if how != "gone"}
        gone = [row["session_key"] for row in known if not row["is_missing"] and row["session_key"] not in there]
        self.marked.update(gone)
        marks = [
            {"session_key": key, "window_start": naive(window.start), "window_end": window.end and naive(window.end)}
            for key in gone
        ]
        record = WindowRecord(
            kind="list",
            window=window,
            requests=1,
            rows_received=0,
            distinct_keys=0,
            source_count=None,
            verdict=UNCOUNTED,
            finished_at=self.now,
        )
        with self.lake.writer(appliance="sps", run_id=self.run_id, part=f"list-{half}") as writer:
            writer.write(flattener.take())
            writer.write(self._batches("quarantine", [row for row in spoilt if row["raw"] is not None]))
            writer.write(self._batches("missing_sessions", marks))
            writer.write({"sync_windows": record.as_batch("sps", self.run_id)})
        with self.work.transaction() as connection:
            merge_part(connection, writer.files)

    def _spoil(self, key: str, how: str) -> dict[str, Any] | None:
        """What nobody can read, or what an older version could not."""
        item = self.states[key].item()
        return {"hopeless": {"key": key, "body": {}}, "too new": item}.get(how)

    def _quarantined(self, table: str, key: str | None, item: dict[str, Any] | None) -> dict[str, Any]:
        raw = None if item is None else json.dumps(item, sort_keys=True)
        belongs_to = "" if table == "sessions" else key
        row_hash = hash_of(f"{belongs_to}\n{raw}".encode())
        return {"table_name": table, "session_key": key, "reason": "too new", "raw": raw, "row_hash": row_hash}

    def _batches(self, table: str, rows: Sequence[dict[str, Any]]) -> dict[str, pa.RecordBatch]:
        constants = {"appliance": "sps", "extracted_at": naive(self.now), "run_id": self.run_id}
        columns = schema.BY_NAME[table].arrow_schema
        return {table: pa.RecordBatch.from_pylist([row | constants for row in rows], schema=columns)} if rows else {}

    def merge_late(self, key: str) -> None:
        """A window that was read before the last one comes after it, and has an older revision of a session."""
        of_copy = self.work.connection.execute(
            "select revision, extracted_at from sessions where session_key = $key and revision > 1", {"key": key}
        ).fetchone()
        if of_copy is None or key in self.marked:
            return
        revision, extracted_at = of_copy
        item = replace(self.states[key], revision=revision - 1, content=-1, indexed=True).item()
        with self.run():
            flattener = Flattener(appliance="sps", run_id=self.run_id)
            flattener.add_sessions([item], extracted_at=(extracted_at - timedelta(hours=1)).replace(tzinfo=UTC))
            with self.lake.writer(appliance="sps", run_id=self.run_id, part="late") as writer:
                writer.write(flattener.take())
            with self.work.transaction() as connection:
                merge_part(connection, writer.files)

    def fetch_details(self, outcomes: Mapping[str, str], size: int) -> None:
        """Fetch what waits, some of it: rows, none, unreadable, or nothing since it is gone, or failed in some way."""
        with self.run():
            pending = next(pending_details(self.work, appliance="sps", kinds=self.wanted, size=size), [])
            flattener = Flattener(appliance="sps", run_id=self.run_id)
            journal, spoilt = [], []
            for session in pending:
                statuses = {k: outcomes[k] if outcomes[k] in IN_VAIN else schema.FETCHED for k in session.kinds}
                for kind in statuses:
                    items = self._details(kind, outcomes[kind])
                    if items is not None:
                        flattener.add_details(
                            schema.BY_NAME[kind], session.session_key, items[:1], extracted_at=self.now
                        )
                        spoilt += [self._quarantined(kind, session.session_key, item) for item in items[1:]]
                journal += [
                    {
                        "session_key": session.session_key,
                        "kind": kind,
                        "status": status,
                        "error": None if status == schema.FETCHED else f"{kind}: {status}",
                        "revision": session.revision,
                        "row_hash": session.row_hash,
                    }
                    for kind, status in statuses.items()
                ]
            with self.lake.writer(appliance="sps", run_id=self.run_id, part="details-0") as writer:
                writer.write(flattener.take())
                writer.write(self._batches("quarantine", spoilt))
                writer.write(self._batches("detail_fetches", journal))
            with self.work.transaction() as connection:
                merge_part(connection, writer.files)

    def _details(self, kind: str, outcome: str) -> list[dict[str, Any]] | None:
        """What came, the first readable; what comes after it was not, though the present code can read all but one."""
        own = DETAILS[kind]
        body = {"key": "c2", "body": {"type": f"on day {self.day}"}}
        other = body if kind == "channels" else own | {"record_id": 2, "extra": self.day}
        return {
            "rows": [own],
            "none": [],
            "unreadable": [own, other, own | {"beside": "with the same key, where it has one"}],
        }.get(outcome)

    def replay(self) -> None:
        """Read the quarantine once more."""
        self.day += 1
        event(f"replayed {min(replay(self.work, self.lake, appliance='sps', run_id=self.run_id, now=self.now), 1)}")

    def double(self, table: str) -> None:
        """The table's files lie there twice for a while."""
        for name in self.lake.files(table):
            path = Path(name)
            if "again" not in path.name:
                shutil.copy(path, path.with_name(f"{path.stem}-again.parquet"))

    def rows(self, work: WorkDatabase) -> dict[str, list[Any]]:
        """All of the copy, and how far its details are."""
        tables = (*COMPARED, *schema.VIEWS)
        return {t.name: work.connection.execute(f"select * from {t.name} order by all").fetchall() for t in tables}

    def rebuilt(self) -> dict[str, list[Any]]:
        """All that the lake alone gives; and no check finds anything in it."""
        path = self.folder / "rebuild.duckdb"
        with WorkDatabase(path, published=path) as work:
            counts = rebuild_tables(work, self.lake)
            rows = self.rows(work)
            assert counts == {table.name: len(rows[table.name]) for table in COMPARED}
            build_marts(work, Settings().office_hours)
            checks.require_passed(checks.run_checks(work))
        path.unlink()
        return rows


def naive(moment: datetime) -> datetime:
    """UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def empty_copy() -> Iterator[Copy]:
    """Nothing in it yet."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with WorkDatabase(folder / "work.duckdb", published=folder / "none.duckdb") as work:
            yield Copy(folder, work)


KEYS = ("a", "_b", "hides")
SEEN = ("whole", "whole", "whole", "gone", "hopeless", "too new")
changes = st.builds(
    Change,
    moved=st.sampled_from([0, 1, 1, -1]),
    touched=st.booleans(),
    indexed=st.booleans(),
    half=st.sampled_from([0, 0, 0, 1]),
    seen=st.sampled_from(SEEN),
)
IN_VAIN = ("gone", "failed", "absent", "vanished")
outcomes = st.fixed_dictionaries(
    dict.fromkeys(KINDS, st.sampled_from(["rows", "rows", "none", "unreadable", *IN_VAIN]))
)
others = st.one_of(
    st.just(()),
    st.tuples(st.just("merge_late"), st.sampled_from(KEYS)),
    st.tuples(st.just("request"), st.sets(st.sampled_from(KINDS))),
    st.tuples(st.just("compact")),
    st.tuples(st.just("replay")),
    st.tuples(st.just("double"), st.sampled_from([table.name for table in schema.LAKE_TABLES])),
)
nights = st.tuples(
    st.tuples(st.just("read_windows"), st.fixed_dictionaries(dict.fromkeys(KEYS, changes))),
    others,
    st.one_of(st.just(()), st.tuples(st.just("fetch_details"), outcomes, st.integers(2, 3))),
    others,
)


def take(copy: Copy, step: tuple[Any, ...]) -> None:
    """One step."""
    if not step:
        return
    name, *arguments = step
    if name == "compact":
        compact_lake(copy.lake, now=BEGIN + timedelta(days=99))
    elif name == "request":
        copy.wanted = [kind for kind in KINDS if kind in arguments[0]]
    else:
        getattr(copy, name)(*arguments)


@settings(max_examples=6, deadline=None)
@given(st.lists(nights, min_size=2, max_size=6))
def test_the_lake_alone_gives_what_the_merges_made(taken: list[tuple[tuple[Any, ...], ...]]) -> None:
    """Every row of every copied table, with its lineage, and of the runs and their windows."""
    with empty_copy() as copy:
        for step in chain.from_iterable(taken):
            take(copy, step)
        assert copy.rebuilt() == copy.rows(copy.work)
