"""The law of the marts: built from what changed, they are what a full build makes."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl import schema
from spsetl.hours import OfficeHours
from spsetl.warehouse import marts
from spsetl.warehouse.checks import require_passed, run_checks
from spsetl.warehouse.marts import BuiltMarts, build_marts, forget_marts
from spsetl.warehouse.marts_models import read_marts
from spsetl.warehouse.work import WorkDatabase

HOURS = OfficeHours.parse("Mon-Fri 08:00-18:00 Europe/Budapest")
BEGIN = datetime(2026, 11, 1)  # noqa: DTZ001 the tables hold UTC without a zone
APPLIANCES = ("sps1", "sps2")
KEYS = ("a", "b", "c")
USERS = (None, "alice", "bob")
SERVERS = (None, "10.0.0.1", "10.0.0.2")
STATUSES = (schema.PENDING, schema.FETCHED, schema.GONE)


class Copy:
    """The tables of a work database, changed as syncs change them."""

    def __init__(self, work: WorkDatabase) -> None:
        self.work = work
        self.runs = count()
        for table in schema.COPIED_TABLES:
            work.connection.execute(f"delete from {table.name}")
        for name in ("policies", "detail_fetches"):
            work.connection.execute(f"delete from {name}")
        self.forget()

    def forget(self) -> None:
        """The next build is a full one."""
        with self.work.transaction() as connection:
            forget_marts(connection)

    def write_session(self, appliance: str, key: str, user: str | None, server: str | None, hour: int) -> None:
        """A new session or revision, whose details are still to be fetched."""
        run = next(self.runs)
        row = {
            "appliance": appliance,
            "session_key": key,
            "user_name": user,
            "server_ip": server,
            "start_time": BEGIN + timedelta(hours=hour),
            "protocol": "ssh",
            "verdict": ("accept", "auth-fail")[run % 2],
            "duration": run,
            "recording_connection_policy_id": f"p{hour % 2}",
            "extracted_at": BEGIN + timedelta(days=run),
            "run_id": f"run{run}",
        }
        where = f"where appliance = '{appliance}' and session_key = '{key}'"
        for table in ("sessions", "session_scores", "detail_fetches"):
            self.work.connection.execute(f"delete from {table} {where}")
        self._insert("sessions", row)
        score = {"appliance": appliance, "session_key": key, "algorithm": "keystroke", "score": run}
        self._insert("session_scores", score)
        self._insert("session_scores", score | {"algorithm": "command"})

    def fetch_details(self, appliance: str, key: str, status: str, events: int) -> None:
        """What became of the session's events, if it is there; gone ones leave those of before."""
        where = f"where appliance = '{appliance}' and session_key = '{key}'"
        ask = self.work.connection.execute
        if not ask(f"select 1 from sessions {where}").fetchall():
            return
        if status == schema.FETCHED:
            ask(f"delete from events {where}")
            for n in range(events):
                self._insert("events", {"appliance": appliance, "session_key": key, "record_id": n})
        ask(f"delete from detail_fetches {where}")
        if status != schema.PENDING:
            fetch = {"appliance": appliance, "session_key": key, "kind": "events", "status": status}
            self._insert("detail_fetches", fetch)

    def mark(self, appliance: str, key: str, *, missing: bool) -> None:
        """The session has gone from the appliance, or is back."""
        since = "timestamp '2026-11-20'" if missing else "null"
        self.work.connection.execute(
            f"update sessions set missing_since = {since} where appliance = '{appliance}' and session_key = '{key}'"
        )

    def configure(self, policy: str) -> None:
        """The configuration has one more connection policy."""
        self._insert("policies", {"appliance": "sps1", "kind": "connections", "protocol": "ssh", "policy_key": policy})

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names = ", ".join(row)
        values = ", ".join(f"${name}" for name in row)
        self.work.connection.execute(f"insert into {table} ({names}) values ({values})", row)

    def build(self) -> BuiltMarts:
        """Bring the marts to the state of the tables; no check finds anything in them."""
        built = build_marts(self.work, HOURS)
        require_passed([result for result in run_checks(self.work) if result.name.startswith("mart__")])
        return built

    def rows(self) -> dict[str, list[Any]]:
        """All marts."""
        ask = self.work.connection.execute
        return {mart.name: ask(f"select * from mart.{mart.name} order by all").fetchall() for mart in read_marts()}

    def comments(self) -> list[Any]:
        """What every table, view and column of the marts says of itself."""
        return self.work.connection.execute(
            "select table_name, column_name, data_type, comment from duckdb_columns() where schema_name = 'mart' "
            "union all select table_name, null, null, comment from duckdb_tables() where schema_name = 'mart' "
            "union all select view_name, null, null, comment from duckdb_views() where schema_name = 'mart' "
            "order by all"
        ).fetchall()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkDatabase]:
    """One work database for all examples."""
    folder = tmp_path_factory.mktemp("copy")
    with WorkDatabase(folder / "work.duckdb", published=folder / "none.duckdb") as work:
        yield work


@pytest.fixture(scope="module", autouse=True)
def _however_many() -> Iterator[None]:
    """However many sessions changed, only they are built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marts, "_MOST_CHANGED", 1e9)
        yield


session = st.tuples(
    st.just("write_session"),
    st.tuples(
        st.sampled_from(APPLIANCES),
        st.sampled_from(KEYS),
        st.sampled_from(USERS),
        st.sampled_from(SERVERS),
        st.integers(0, 3).map(lambda day: 30 * day),
    ),
)
details = st.tuples(
    st.just("fetch_details"),
    st.tuples(st.sampled_from(APPLIANCES), st.sampled_from(KEYS), st.sampled_from(STATUSES), st.integers(0, 2)),
)
missing = st.tuples(
    st.just("mark"),
    st.tuples(st.sampled_from(APPLIANCES), st.sampled_from(KEYS), st.booleans()),
)
policy = st.tuples(st.just("configure"), st.tuples(st.sampled_from(["p0", "p2"])))
nights = st.lists(st.lists(st.one_of(session, session, details, missing, policy), max_size=6), min_size=1, max_size=2)


def live(copy: Copy, night: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    """What a night changes, all in one transaction."""
    with copy.work.transaction():
        for name, arguments in night:
            if name == "mark":
                copy.mark(*arguments[:2], missing=arguments[2])
            else:
                getattr(copy, name)(*arguments)


@settings(max_examples=6)
@given(nights)
def test_what_changed_is_built_to_what_a_full_build_makes(
    work: WorkDatabase, nights: list[list[tuple[str, tuple[Any, ...]]]]
) -> None:
    """After any nights of new, changed, late, missing and returned sessions; rows, types and comments."""
    copy = Copy(work)
    copy.write_session("sps1", "always", "alice", "10.0.0.1", 30)
    assert copy.build().is_full
    for night in nights:
        live(copy, night)
        assert not copy.build().is_full
    found = copy.rows(), copy.comments()

    copy.forget()
    assert copy.build().is_full

    assert (copy.rows(), copy.comments()) == found


def test_only_what_changed_is_built(work: WorkDatabase) -> None:
    """The session itself, and those whose user and server were first seen otherwise; nothing where nothing changed."""
    copy = Copy(work)
    for hour, key in enumerate(KEYS):
        copy.write_session("sps1", key, "alice", "10.0.0.1", 24 + hour)
        copy.write_session("sps2", key, "bob", "10.0.0.1", 24 + hour)
    assert copy.build() == BuiltMarts(is_full=True, sessions=6)

    assert copy.build() == BuiltMarts(is_full=False, sessions=0)
    copy.fetch_details("sps1", "c", schema.FETCHED, 2)
    assert copy.build() == BuiltMarts(is_full=False, sessions=1)
    copy.write_session("sps2", "late", "alice", "10.0.0.1", 0)
    assert copy.build() == BuiltMarts(is_full=False, sessions=4)


def test_many_changes_are_built_anew(work: WorkDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that is less work than to replace rows."""
    copy = Copy(work)
    for number in range(5):
        copy.write_session("sps1", f"{number}", f"user{number}", "10.0.0.1", 0)
    copy.build()
    monkeypatch.setattr(marts, "_MOST_CHANGED", 0.2)

    copy.write_session("sps1", "0", "user0", "10.0.0.1", 0)
    assert copy.build() == BuiltMarts(is_full=False, sessions=1)
    copy.write_session("sps1", "0", "user0", "10.0.0.1", 0)
    copy.write_session("sps1", "1", "user1", "10.0.0.1", 0)
    assert copy.build() == BuiltMarts(is_full=True, sessions=5)


def test_other_office_hours_build_all_anew(work: WorkDatabase) -> None:
    """As do other statements, whose text is in the same fingerprint."""
    copy = Copy(work)
    copy.write_session("sps1", "a", "alice", "10.0.0.1", 9)
    copy.build()
    outside = "select is_outside_office_hours from mart.fct_sessions"
    assert work.connection.execute(outside).fetchall() == [(True,)]

    assert build_marts(work, OfficeHours.parse("Sun 00:00-24:00 UTC")).is_full
    assert work.connection.execute(outside).fetchall() == [(False,)]


@pytest.mark.parametrize("step", ["_show_changed", "_hide_changed", "build_others"])
def test_a_build_that_fails_leaves_the_marts_as_they_were(
    step: str, work: WorkDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it stays, not even what stood in for the tables meanwhile; the next one makes it good."""
    copy = Copy(work)
    for key in KEYS:
        copy.write_session("sps1", key, "alice", "10.0.0.1", 1)
    copy.build()
    before = copy.rows()
    copy.write_session("sps1", "d", "alice", "10.0.0.1", 0)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(step)

    with monkeypatch.context() as patch:
        patch.setattr(marts._Marts, step, fail)
        with pytest.raises(RuntimeError, match=step):
            copy.build()

    assert work.connection.execute("select count(*) from sessions").fetchall() == [(4,)]
    assert copy.rows() == before
    assert copy.build() == BuiltMarts(is_full=False, sessions=4)
