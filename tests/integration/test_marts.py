"""The marts: given rows and the rows that are expected of them, by hand."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import pytest

from spsetl.hours import OfficeHours
from spsetl.queries import read_descriptions, read_folder
from spsetl.warehouse.checks import run_checks
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.marts_models import read_marts
from spsetl.warehouse.work import WorkDatabase
from tests.fetches import columns_of, fetches_of

HOURS: Final = OfficeHours.parse("Mon-Fri 08:00-18:00 Europe/Budapest")
FETCHED: Final = {"channels_status": "fetched", "events_status": "fetched", "alerts_status": "fetched"}


def at(text: str) -> datetime:
    """A time of the tables."""
    return datetime.fromisoformat(text)


A: Final[dict[str, Any]] = {
    "appliance": "sps1",
    "session_key": "a",
    "user_name": "alice",
    "user_gateway_username": "alice-gw",
    "user_server_username": "root,postgres",
    "server_ip": "10.0.0.1",
    "server_name": "db1",
    "server_port": 22,
    "client_ip": "10.9.0.1",
    "client_name": "laptop",
    "recording_connection_policy_id": "p1",
    "recording_connection_policy": "ssh-main",
    "recording_channel_policy": "shell-only",
    "recording_auth_method": "publickey",
    "protocol": "ssh",
    "verdict": "accept",
    "origin": "RECORDING",
    "node_id": "n1",
    "recording_index_status": "INDEXED",
    "start_time": at("2026-10-30 09:00"),
    "end_time": at("2026-10-30 10:00"),
    "creation_time": at("2026-10-30 10:01"),
    "duration": 3599,
    "active": False,
    "analytics_score_aggregated": 40.0,
    "analytics_scripted": True,
    "analytics_tags": "prod,db",
    "analytics_interesting_events": "sudo su",
    "recording_archived": True,
    **FETCHED,
    "extracted_at": at("2026-11-02 22:00"),
    "run_id": "run1",
}
# Saturday before midnight in UTC, Sunday in Budapest; goes on; its details were never fetched.
B: Final = {
    "appliance": "sps1",
    "session_key": "b",
    "user_name": "alice",
    "server_ip": "10.0.0.1",
    "server_name": "db1.example",
    "protocol": "SSH",
    "recording_connection_policy_id": "p1",
    "recording_connection_policy": "ssh-renamed",
    "recording_index_status": "CHANNEL_OPEN",
    "start_time": at("2026-10-31 23:30"),
    "active": True,
    "analytics_score_aggregated": 70.5,
    "channels_status": "pending",
    "events_status": "not_indexed",
    "alerts_status": "pending",
    "extracted_at": at("2026-11-02 22:00"),
    "run_id": "run1",
}
# Known by the gateway's login and the server's name alone; failed; nobody gave its length; has no policy's ID.
C: Final = {
    "appliance": "sps2",
    "session_key": "c",
    "user_gateway_username": "bob",
    "server_name": "web1",
    "client_name": "desk",
    "protocol": "RDP",
    "verdict": "auth-fail",
    "recording_deny_reason": "wrong password",
    "recording_connection_policy": "rdp",
    "recording_index_status": "NO_TRAIL",
    "start_time": at("2026-10-30 08:30"),
    "end_time": at("2026-10-30 08:30:07.5"),
    "channels_status": "fetched",
    "events_status": "not_indexed",
    "alerts_status": "gone",
    "extracted_at": at("2026-11-02 22:01"),
    "run_id": "run2",
}
# Alice's first visit to that server was by the other appliance, which has it no more.
D: Final = A | {
    "appliance": "sps2",
    "session_key": "d",
    "start_time": at("2026-10-30 08:00"),
    "end_time": at("2026-10-30 08:00:10"),
    "duration": 10,
    "server_name": None,
    "recording_connection_policy_id": "q1",
    "analytics_score_aggregated": None,
    "analytics_interesting_events": None,
    "missing_since": at("2026-11-01 22:00"),
}
# Out of a log: neither user nor server; Monday, a minute too early.
E: Final = {
    "appliance": "sps2",
    "session_key": "e",
    "origin": "LOG",
    "log_auth_method": "password",
    "start_time": at("2026-11-02 06:59"),
    "channels_status": "not_requested",
    "events_status": "not_requested",
    "alerts_status": "not_requested",
    "extracted_at": at("2026-11-02 22:01"),
    "run_id": "run2",
}


def insert(work: WorkDatabase, table: str, *rows: dict[str, Any]) -> None:
    """Rows as they stand in the copy; other columns are NULL."""
    for row in rows:
        values = ", ".join(f"${name}" for name in row)
        work.connection.execute(f"insert into {table} ({', '.join(row)}) values ({values})", row)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkDatabase]:
    """The five sessions with what belongs to them, and their marts."""
    folder = tmp_path_factory.mktemp("copy")
    a = {"appliance": "sps1", "session_key": "a"}
    with WorkDatabase(folder / "work.duckdb", published=folder / "none.duckdb") as work:
        insert(work, "sessions", *map(columns_of, (A, B, C, D, E)))
        insert(work, "detail_fetches", *fetches_of((A, B, C, D, E)))
        moment = at("2026-10-30 09:05")
        insert(work, "channels", a | {"channel_key": "1", "channel_id": "1", "type": "session shell"})
        insert(work, "channels", a | {"channel_key": "2", "verdict": "four-eyes", "start_time": moment, "active": True})
        insert(work, "events", *(a | {"record_id": n, "type": "command", "time": moment} for n in (1, 2, 3)))
        insert(work, "alerts", a | {"record_id": 9, "alert_type": "adp.event.command", "time": moment})
        scores = {"keystroke": 40.0, "command": 40.0, "hostlogin": 12.0}
        insert(work, "session_scores", *(a | {"algorithm": name, "score": score} for name, score in scores.items()))
        found = a | {"field": "analytics.interesting_events", "position": 0, "value": "sudo su"}
        insert(work, "session_lists", found, a | {"field": "analytics.tags", "position": 0, "value": "prod"})
        policy = {"appliance": "sps1", "protocol": "ssh", "kind": "connections", "valid_from": moment}
        insert(work, "policies", policy | {"policy_key": "p1", "name": "ssh-main", "valid_to": at("2026-11-01 22:00")})
        insert(work, "policies", policy | {"policy_key": "p9", "name": "unused"})
        run = {"run_id": "run1", "appliance": "sps1", "kind": "sync", "status": "done", "started_at": moment}
        insert(work, "sync_runs", run | {"sessions_new": 5, "seconds": 1.5})
        insert(work, "sync_runs", run | {"run_id": "run2", "appliance": "sps2", "details": ""})
        build_marts(work, HOURS)
        yield work


def rows(work: WorkDatabase, mart: str, columns: str) -> list[tuple[Any, ...]]:
    """These columns of a mart, in order."""
    return work.connection.execute(f"select {columns} from mart.{mart} order by all").fetchall()


def test_fct_sessions_has_each_session_once_and_whole(work: WorkDatabase) -> None:
    """Every column of one that has everything."""
    answer = work.connection.execute("select * from mart.fct_sessions where session_key = 'a'")
    row = dict(zip([name for name, *_ in answer.description], answer.fetchall()[0], strict=True))

    assert row == {
        **{name: A[name] for name in ("appliance", "session_key", "user_name", "server_name", "server_ip")},
        **{name: A[name] for name in ("server_port", "client_ip", "client_name", "origin", "node_id")},
        **{name: A[name] for name in ("extracted_at", "run_id", *FETCHED)},
        "gateway_user_name": "alice-gw",
        "server_user_name": "root,postgres",
        "server_key": "10.0.0.1",
        "client_key": "10.9.0.1",
        "connection_policy_id": "p1",
        "connection_policy": "ssh-main",
        "channel_policy": "shell-only",
        "protocol": "SSH",
        "verdict": "ACCEPT",
        "deny_reason": None,
        "auth_method": "publickey",
        "index_status": "INDEXED",
        "started_at": A["start_time"],
        "ended_at": A["end_time"],
        "created_at": A["creation_time"],
        "started_date": date(2026, 10, 30),
        "started_hour": 10,
        "started_weekday": 5,
        "duration_seconds": 3599,
        "channel_count": 2,
        "event_count": 3,
        "alert_count": 1,
        "risk_score": 40.0,
        "highest_score": 40.0,
        "highest_score_algorithm": "command",
        "tags": "prod,db",
        "is_active": False,
        "is_recorded": True,
        "is_indexed": True,
        "is_archived": True,
        "is_scripted": True,
        "is_missing": False,
        "has_failed_login": False,
        "has_alerts": True,
        "has_interesting_events": True,
        "is_outside_office_hours": False,
        "is_first_user_server_pair": False,
        "first_seen_user_server_pair": D["start_time"],
        "missing_since": None,
    }


def test_fct_sessions_names_and_judges_the_others(work: WorkDatabase) -> None:
    """Names come from what is known; a verdict is spelled in one way; no boolean is NULL."""
    found = rows(work, "fct_sessions", "session_key, user_name, server_key, client_key, verdict, auth_method")
    assert found[1:] == [
        ("b", "alice", "10.0.0.1", None, None, None),
        ("c", "bob", "web1", "desk", "AUTH_FAIL", None),
        ("d", "alice", "10.0.0.1", "10.9.0.1", "ACCEPT", "publickey"),
        ("e", None, None, None, None, "password"),
    ]
    flags = "is_active, is_recorded, is_missing, has_failed_login, has_alerts, has_interesting_events"
    assert rows(work, "fct_sessions", f"session_key, {flags}")[1:] == [
        ("b", True, True, False, False, False, False),
        ("c", False, False, False, True, False, False),
        ("d", False, True, True, False, False, False),
        ("e", False, False, False, False, False, False),
    ]


def test_fct_sessions_tells_none_from_not_fetched(work: WorkDatabase) -> None:
    """0 channels, events or alerts only where they were fetched; a length only of what has ended."""
    counts = "session_key, channel_count, event_count, alert_count, duration_seconds"
    assert rows(work, "fct_sessions", counts) == [
        ("a", 2, 3, 1, 3599),
        ("b", None, None, None, None),
        ("c", 0, None, None, 7),
        ("d", 0, 0, 0, 10),
        ("e", None, None, None, None),
    ]


def test_fct_sessions_knows_the_office_and_first_visits(work: WorkDatabase) -> None:
    """Hours and weekdays are the office's; a pair's first session is that of any appliance."""
    when = "session_key, started_date, started_hour, started_weekday, is_outside_office_hours"
    assert rows(work, "fct_sessions", f"{when}, is_first_user_server_pair, first_seen_user_server_pair")[1:] == [
        ("b", date(2026, 10, 31), 0, 7, True, False, D["start_time"]),
        ("c", date(2026, 10, 30), 9, 5, False, True, C["start_time"]),
        ("d", date(2026, 10, 30), 9, 5, False, True, D["start_time"]),
        ("e", date(2026, 11, 2), 7, 1, True, False, None),
    ]


def test_dimensions_count_what_names_them(work: WorkDatabase) -> None:
    """Users, pairs, servers and clients, with the newest name, over all appliances; not those that nobody names."""
    assert rows(work, "dim_users", "*") == [
        ("alice", 3, 1, 1, 1, 0, 1, 70.5, D["start_time"], B["start_time"], True),
        ("bob", 1, 1, 1, 0, 1, 0, None, C["start_time"], C["start_time"], False),
    ]
    assert rows(work, "dim_user_server_pairs", "*") == [
        ("alice", "10.0.0.1", 3, D["start_time"], B["start_time"], "sps2", "d"),
        ("bob", "web1", 1, C["start_time"], C["start_time"], "sps2", "c"),
    ]
    assert rows(work, "dim_servers", "*") == [
        ("10.0.0.1", "db1.example", "10.0.0.1", 3, 1, 1, 70.5, D["start_time"], B["start_time"]),
        ("web1", "web1", None, 1, 1, 0, None, C["start_time"], C["start_time"]),
    ]
    assert rows(work, "dim_clients", "*") == [
        ("10.9.0.1", "laptop", "10.9.0.1", 2, 1, 1, 40.0, D["start_time"], A["start_time"]),
        ("desk", "desk", None, 1, 1, 0, None, C["start_time"], C["start_time"]),
    ]


def test_dim_connection_policies_has_the_used_and_the_configured(work: WorkDatabase) -> None:
    """Whether a policy is configured is known only where the configuration was read, and by its ID."""
    used = [A["start_time"], B["start_time"]]
    assert rows(work, "dim_connection_policies", "*") == [
        ("sps1", "p1", "p1", "ssh-renamed", "SSH", 2, 1, 1, *used, False),
        ("sps1", "p9", "p9", "unused", "SSH", 0, 0, 0, None, None, True),
        ("sps2", "q1", "q1", "ssh-main", "SSH", 1, 1, 1, D["start_time"], D["start_time"], None),
        ("sps2", "rdp", None, "rdp", "RDP", 1, 1, 1, C["start_time"], C["start_time"], None),
    ]


def test_dim_dates_has_every_day_between(work: WorkDatabase) -> None:
    """From the first start to the last, whether or not a session began on it."""
    found = rows(work, "dim_dates", "*")
    assert [row[0] for row in found] == [date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)]
    assert found[0] == (date(2026, 10, 30), 2026, 4, 10, "October", 44, 30, 5, "Friday", False, True)
    assert found[2] == (date(2026, 11, 1), 2026, 4, 11, "November", 44, 1, 7, "Sunday", True, False)


def test_agg_sessions_daily_adds_up(work: WorkDatabase) -> None:
    """One row per day, appliance, protocol and verdict."""
    friday = date(2026, 10, 30)
    assert rows(work, "agg_sessions_daily", "*") == [
        (friday, "sps1", "SSH", "ACCEPT", 1, 1, 1, 1, 3, 0, 0, 0, 3599, 40.0),
        (friday, "sps2", "RDP", "AUTH_FAIL", 1, 1, 1, 0, 0, 1, 0, 0, 7, None),
        (friday, "sps2", "SSH", "ACCEPT", 1, 1, 1, 0, 0, 0, 0, 0, 10, None),
        (date(2026, 10, 31), "sps1", "SSH", None, 1, 1, 1, 0, 0, 0, 1, 1, 0, 70.5),
        (date(2026, 11, 2), "sps2", None, None, 1, 0, 0, 0, 0, 0, 1, 0, 0, None),
    ]


def test_details_and_report_pages_are_views_of_the_rows_below(work: WorkDatabase) -> None:
    """Channels, events, alerts, and the pages of a report."""
    moment = at("2026-10-30 09:05")
    assert rows(work, "fct_channels", "channel_key, channel_type, verdict, started_at, is_active") == [
        ("1", "session shell", None, None, False),
        ("2", None, "FOUR_EYES", moment, True),
    ]
    assert rows(work, "fct_events", "session_key, record_id, event_type, occurred_at, occurred_date") == [
        ("a", n, "command", moment, moment.date()) for n in (1, 2, 3)
    ]
    assert rows(work, "fct_alerts", "session_key, record_id, alert_type, raised_at") == [
        ("a", 9, "adp.event.command", moment)
    ]
    counts = "interesting_session_count, scripted_session_count, total_duration_seconds, average_risk_score"
    assert rows(work, "report_users", f"user_name, session_count, {counts}") == [
        ("alice", 3, 1, 2, 3609, 55.25),
        ("bob", 1, 0, 0, 7, None),
    ]
    assert rows(work, "report_servers", "server_key, session_count, client_count, failed_login_count") == [
        ("10.0.0.1", 3, 1, 0),
        ("web1", 1, 1, 1),
    ]
    assert rows(work, "report_interesting_events", "session_key, interesting_event, user_name, risk_score") == [
        ("a", "sudo su", "alice", 40.0)
    ]
    assert rows(work, "report_fetch_result", "run_id, run_kind, new_count, duration_seconds, is_done") == [
        ("run1", "sync", 5, 1.5, True),
        ("run2", "sync", None, None, True),
    ]


def test_every_mart_is_described_as_it_is(work: WorkDatabase) -> None:
    """Each SELECT has a description; columns and types are those of it, and the comments say the same."""
    assert read_folder("models").keys() == read_descriptions("models").keys()
    for mart in read_marts():
        found = work.connection.execute(
            "select column_name, data_type, comment from duckdb_columns() "
            "where schema_name = 'mart' and table_name = $name order by column_index",
            {"name": mart.name},
        ).fetchall()
        assert found == [(c.name, c.sql_type, c.comment) for c in mart.columns], mart.name
        assert mart.statement.startswith(f"-- {mart.comment}"), mart.name


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("delete from mart.dim_users where user_name = 'bob'", "mart__counts_agree"),
        ("delete from mart.agg_sessions_daily where protocol = 'RDP'", "mart__counts_agree"),
        ("update mart.fct_sessions set event_count = 4 where session_key = 'a'", "mart__counts_agree"),
        ("delete from mart.fct_sessions where session_key = 'e'", "mart__fct_sessions__one_row_per_session"),
        ("insert into mart.fct_sessions from mart.fct_sessions", "mart__fct_sessions__one_row_per_session"),
        ("alter table mart.dim_dates add column spread hugeint", "mart__types_for_every_tool"),
    ],
)
def test_wrong_marts_are_not_published(damage: str, check: str, work: WorkDatabase) -> None:
    """A missing row, a wrong count, a type that some driver cannot read: each is a check that stops it."""
    assert [result for result in run_checks(work) if result.offending_rows and result.is_fatal] == []
    work.connection.execute("begin")
    work.connection.execute(damage)
    failed = [result.name for result in run_checks(work) if result.offending_rows and result.is_fatal]
    work.connection.execute("rollback")
    assert check in failed
