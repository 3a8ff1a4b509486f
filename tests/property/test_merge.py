"""The laws of merging: what the source said last wins, whatever the order; replaying anything changes nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl import schema
from spsetl.warehouse.details import count_pending, pending_details
from spsetl.warehouse.merge import merge_part
from spsetl.warehouse.work import WorkDatabase

KINDS = ("channels", "events", "alerts")
BEGIN = datetime(2026, 11, 1)  # noqa: DTZ001 the tables hold UTC without a zone


@dataclass(frozen=True)
class Version:
    """One version of a session, as one sync fetched it."""

    key: str
    revision: int | None
    content: str
    fetched: int
    indexed: bool = True

    @property
    def row_hash(self) -> str:
        """Equal for equal contents only."""
        return f"{self.revision}/{self.content}/{self.indexed}"


def session_row(version: Version) -> dict[str, Any]:
    """The version as a row of `sessions`."""
    row: dict[str, Any] = dict.fromkeys(schema.SESSIONS.names)
    row |= {
        "appliance": "sps",
        "session_key": version.key,
        "revision": version.revision,
        "start_time": BEGIN,
        "user_name": version.content,
        "row_hash": version.row_hash,
        "recording_index_status": "INDEXED" if version.indexed else "NOT_INDEXED",
        "extracted_at": BEGIN + timedelta(days=version.fetched),
        "run_id": f"run{version.fetched}",
    }
    return row


def fetch_row(key: str, row_hash: str, kind: str) -> dict[str, Any]:
    """A row of `detail_fetches`: the details of this version were fetched, after all that the test merges."""
    return dict.fromkeys(schema.DETAIL_FETCHES.names) | {
        "appliance": "sps",
        "session_key": key,
        "kind": kind,
        "status": schema.FETCHED,
        "row_hash": row_hash,
        "extracted_at": BEGIN + timedelta(days=99),
        "run_id": "details",
    }


class Warehouse:
    """A real work database, fed with versions and details."""

    def __init__(self, folder: Path, work: WorkDatabase) -> None:
        self.folder = folder
        self.work = work
        self.numbers = count()

    def _write(self, table: schema.Table, rows: Sequence[dict[str, Any]]) -> list[str]:
        path = self.folder / f"{next(self.numbers)}.parquet"
        pq.write_table(pa.Table.from_pylist(list(rows), schema=table.arrow_schema), path)
        return [str(path)]

    def merge(self, versions: Sequence[Version]) -> None:
        """Merge one window's versions; each also has its content as a value of a list."""
        lists = [
            {
                "appliance": "sps",
                "session_key": v.key,
                "field": "tags",
                "position": 0,
                "value": v.content,
                "extracted_at": BEGIN + timedelta(days=v.fetched),
            }
            for v in versions
        ]
        files = {"sessions": self._write(schema.SESSIONS, [session_row(v) for v in versions])}
        files["session_lists"] = self._write(schema.SESSION_LISTS, lists)
        with self.work.transaction() as connection:
            merge_part(connection, files)

    def fetch_details(self, kinds: Sequence[str] = KINDS) -> list[str]:
        """Fetch what is pending: one event a session, which names the version it belongs to; gives the keys."""
        pending = [one for some in pending_details(self.work, appliance="sps", kinds=kinds, size=2) for one in some]
        events = [
            dict.fromkeys(schema.EVENTS.names)
            | {"appliance": "sps", "session_key": p.session_key, "record_id": 1, "content": p.row_hash}
            for p in pending
            if "events" in p.kinds
        ]
        files = {"events": self._write(schema.EVENTS, events)} if events else {}
        fetches = [fetch_row(p.session_key, p.row_hash, kind) for p in pending for kind in p.kinds]
        with self.work.transaction() as connection:
            merge_part(connection, files | {"detail_fetches": self._write(schema.DETAIL_FETCHES, fetches)})
        return sorted(p.session_key for p in pending)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the work database answers."""
        return self.work.connection.execute(query).fetchall()

    @property
    def contents(self) -> dict[str, tuple[int | None, str]]:
        """Revision and content by key; each key must be there once, with the list of its own version."""
        rows = self.rows("select session_key, revision, user_name from sessions")
        lists = dict(self.rows("select session_key, value from session_lists"))
        assert len(rows) == len({key for key, _, _ in rows})
        assert lists == {key: content for key, _, content in rows}
        return {key: (revision, content) for key, revision, content in rows}


@contextmanager
def warehouse() -> Iterator[Warehouse]:
    """An empty one."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with WorkDatabase(folder / "work.duckdb", published=folder / "none.duckdb") as work:
            yield Warehouse(folder, work)


versions = st.builds(
    Version,
    key=st.sampled_from(["a", "_b", "c"]),
    revision=st.integers(1, 4),
    content=st.just(""),
    fetched=st.integers(0, 5),
    indexed=st.booleans(),
).map(lambda v: Version(v.key, v.revision, f"r{v.revision}", v.fetched, v.indexed))
windows = st.lists(st.lists(versions, min_size=1, max_size=3, unique_by=lambda v: v.key), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None)
@given(windows)
def test_what_was_said_last_wins_in_any_order(merged: list[list[Version]]) -> None:
    """Whatever was merged when, and in which windows; of one run, the newest revision."""
    last: dict[str, tuple[int, int]] = {}
    for version in (v for window in merged for v in window):
        last[version.key] = max(last.get(version.key, (0, 0)), (version.fetched, version.revision or 0))
    with warehouse() as house:
        for window in merged:
            house.merge(window)
        assert house.contents == {key: (revision, f"r{revision}") for key, (_, revision) in last.items()}


@settings(max_examples=10, deadline=None)
@given(windows)
def test_replaying_changes_nothing(merged: list[list[Version]]) -> None:
    """Merging all of it again leaves every row as it is, and asks for no details again."""
    with warehouse() as house:
        for window in merged:
            house.merge(window)
        house.fetch_details()
        before = house.rows("select * from sessions order by all"), house.rows("select * from events order by all")
        for window in merged:
            house.merge(window)
        assert house.fetch_details() == []
        after = house.rows("select * from sessions order by all"), house.rows("select * from events order by all")
        assert after == before


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=6))
def test_without_revision_the_last_fetched_content_wins(contents: list[str]) -> None:
    """Where the appliance hides the revision, the hash of the row stands in."""
    with warehouse() as house:
        for day, content in enumerate(contents):
            house.merge([Version("a", None, content, day)])
            assert house.contents["a"] == (None, content)
            assert house.fetch_details() == (["a"] if day == 0 or contents[day - 1] != content else [])


def test_details_follow_the_revision() -> None:
    """Details are fetched when a session is new or its revision moved, and replace the old ones; else not."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0), Version("b", 1, "one", 0)])
        assert house.fetch_details() == ["a", "b"]
        house.merge([Version("a", 2, "two", 1), Version("b", 1, "one", 1)])
        assert house.fetch_details() == ["a"]
        assert house.rows("select session_key, content from events order by all") == [
            ("a", "2/two/True"),
            ("b", "1/one/True"),
        ]


def test_another_content_of_the_same_revision_keeps_the_details() -> None:
    """A row can differ without a new revision: the row is replaced, its details are not asked for."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0)])
        house.fetch_details()
        house.merge([Version("a", 1, "other", 1)])
        assert house.contents == {"a": (1, "other")}
        assert house.fetch_details() == []


def test_events_of_an_older_revision_go_when_the_new_one_has_none() -> None:
    """A session that is to be indexed anew has no events meanwhile."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0)])
        house.fetch_details()
        house.merge([Version("a", 2, "two", 1, indexed=False)])
        assert house.fetch_details() == ["a"]
        assert house.rows("select count(*) from events") == [(0,)]
        assert house.rows("select events_status from session_details") == [("not_indexed",)]


def test_details_of_a_session_that_changed_meanwhile_are_fetched_again() -> None:
    """Details that belong to an older version than the copy's are not taken for the new one's."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0)])
        stale = [fetch_row("a", Version("a", 0, "older", 0).row_hash, "channels")]
        with house.work.transaction() as connection:
            merge_part(connection, {"detail_fetches": house._write(schema.DETAIL_FETCHES, stale)})
        assert house.fetch_details() == ["a"]


def test_a_session_that_returns_is_no_longer_missing() -> None:
    """What the appliance lost and lists again is there again."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0)])
        house.work.connection.execute("update sessions set missing_since = $at", {"at": BEGIN + timedelta(days=1)})
        house.merge([Version("a", 1, "one", 2)])
        assert house.rows("select missing_since from sessions") == [(None,)]


def missing_file(house: Warehouse, keys: list[str], *, day: int, end: datetime | None = None) -> dict[str, list[str]]:
    """What a window that began at BEGIN and held these sessions no more wrote."""
    rows = [
        {
            "appliance": "sps",
            "session_key": key,
            "window_start": BEGIN,
            "window_end": end,
            "extracted_at": BEGIN + timedelta(days=day),
            "run_id": f"run{day}",
        }
        for key in keys
    ]
    return {"missing_sessions": house._write(schema.MISSING_SESSIONS, rows)}


def test_what_a_window_held_no_more_is_marked_and_not_asked_for() -> None:
    """Once, with the time of the first look; details of what is gone are not asked for."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0), Version("_b", 1, "one", 0)])
        for day, expected in ((1, 1), (2, 0)):
            with house.work.transaction() as connection:
                merged = merge_part(connection, missing_file(house, ["a"], day=day))
            assert merged.missing == expected
        marks = dict(house.rows("select session_key, missing_since from sessions"))
        assert marks == {"a": BEGIN + timedelta(days=1), "_b": None}
        assert house.fetch_details() == ["_b"]


@pytest.mark.parametrize(
    ("day", "end"),
    [
        pytest.param(1, BEGIN, id="the session now starts outside of that window"),
        pytest.param(0, None, id="the session was fetched later than the window was read"),
    ],
)
def test_a_session_that_was_found_elsewhere_meanwhile_is_not_gone(day: int, end: datetime | None) -> None:
    """Its start moved into another window, which has it."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0)])
        with house.work.transaction() as connection:
            assert merge_part(connection, missing_file(house, ["a"], day=day, end=end)).missing == 0
        assert house.rows("select missing_since from sessions") == [(None,)]


def test_kinds_that_are_not_wanted_leave_the_queue_and_come_back() -> None:
    """What SPSETL_DETAILS leaves out is told apart from what waits, and from what there is none of."""
    with warehouse() as house:
        house.merge([Version("a", 1, "one", 0), Version("_b", 1, "one", 0, indexed=False)])
        want = "update sync_runs set details = $details"
        house.work.connection.execute("insert into sync_runs (run_id, appliance) values ('run0', 'sps')")
        house.work.connection.execute(want, {"details": "events"})
        assert count_pending(house.work, appliance="sps") == 1
        statuses = "select session_key, channels_status, events_status from session_details order by all"
        assert house.rows(statuses) == [("_b", "not_requested", "not_indexed"), ("a", "not_requested", "pending")]
        assert house.fetch_details(["events"]) == ["a"]
        house.work.connection.execute(want, {"details": "channels,events"})
        assert house.rows(statuses) == [("_b", "pending", "not_indexed"), ("a", "pending", "fetched")]
        assert house.fetch_details(["channels", "events"]) == ["_b", "a"]


@pytest.mark.parametrize(
    ("index_status", "events_status"),
    [
        ("INDEXED", schema.PENDING),
        (None, schema.PENDING),
        ("NOT_INDEXED", schema.NOT_INDEXED),
        ("NO_TRAIL", schema.NOT_INDEXED),
        ("INDEXING_FAILED", schema.PENDING),
        ("SOMETHING_NEW", schema.PENDING),
    ],
)
def test_details_of_a_fresh_session_are_pending(index_status: str | None, events_status: str) -> None:
    """Details are to be fetched, but for events that the indexing status rules out, and kinds that nobody wants."""
    with warehouse() as house:
        row = session_row(Version("a", 1, "one", 0)) | {"recording_index_status": index_status}
        with house.work.transaction() as connection:
            merge_part(connection, {"sessions": house._write(schema.SESSIONS, [row])})
        statuses = house.rows("select * exclude (appliance, session_key, start_time) from session_details")
        kinds = schema.PENDING, events_status, schema.PENDING, schema.NOT_REQUESTED, schema.NOT_REQUESTED
        assert statuses == [(None, *kinds, True)]
        pending = next(pending_details(house.work, appliance="sps", kinds=KINDS, size=9))
        assert pending[0].kinds == tuple(kind for kind in KINDS if kind != "events" or events_status == schema.PENDING)


def test_a_revision_that_goes_back_is_what_the_source_says_now() -> None:
    """After a restore or a new index: the row is replaced, and its details are those of that time."""
    with warehouse() as house:
        house.merge([Version("a", 3, "three", 0)])
        house.fetch_details()
        house.merge([Version("a", 1, "restored", 1)])
        assert house.contents == {"a": (1, "restored")}
        assert house.fetch_details() == ["a"]


def test_lists_are_those_of_the_version_that_won() -> None:
    """Also where one step read a session twice."""
    with warehouse() as house:
        house.merge([Version("a", 2, "new", 1), Version("a", 1, "old", 0)])
        assert house.contents == {"a": (2, "new")}


def _fail_amid_a_transaction(house: Warehouse) -> None:
    with house.work.transaction() as connection:
        connection.execute("insert into sync_runs (run_id) values ('x')")
        _ = 1 / 0


def test_a_transaction_that_fails_leaves_nothing() -> None:
    """All of a step or none of it."""
    with warehouse() as house:
        with pytest.raises(ZeroDivisionError):
            _fail_amid_a_transaction(house)
        assert house.rows("select count(*) from sync_runs") == [(0,)]
