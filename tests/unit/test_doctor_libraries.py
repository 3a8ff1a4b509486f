"""What doctor says of versions, of growth and of a full sync: plain numbers in, findings out."""

from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from spsetl.appliance.protocol import seconds_ahead
from spsetl.doctor.finding import Finding, red, yellow
from spsetl.doctor.libraries import check_libraries, declared_bounds, installed_versions
from spsetl.doctor.pace import estimate_sync
from spsetl.doctor.settings import MASK, check_settings
from spsetl.doctor.way import within
from spsetl.errors import LoginError
from spsetl.queries import read_statement
from spsetl.settings import load_settings

GOOD = {"prefect": "3.8.8", "fastapi": "0.150.0", "sqlalchemy": "2.0.58", "duckdb": "2.0.0"}


def judge(versions: dict[str, str], *, uses_prefect: bool = True) -> list[Finding]:
    """What is found of these versions beside good ones."""
    return list(check_libraries(GOOD | versions, {}, uses_prefect=uses_prefect))


def test_good_versions_are_green() -> None:
    """One line, and the versions as facts."""
    (found,) = judge({})
    assert found.state == "green"
    assert found.facts["versions"]["duckdb"] == "2.0.0"


@pytest.mark.parametrize(
    ("versions", "says"),
    [
        ({"fastapi": "0.155.0"}, "prefect 3.8.8 with fastapi 0.155.0: each flow run fails"),
        ({"sqlalchemy": "2.1.0"}, "prefect 3.8.8 with sqlalchemy 2.1.0: the Prefect server looks healthy"),
        ({"duckdb": "1.4.1"}, "duckdb 1.4.1"),
        ({"duckdb": "3.0.0"}, "duckdb 3.0.0"),
    ],
)
def test_known_bad_combinations_are_named(versions: dict[str, str], says: str) -> None:
    """Red with the reason, and what to install instead."""
    (found,) = judge(versions)
    assert (found.state, found.exit_code) == ("red", 2)
    assert says in found.found
    assert "constraints" in found.next_step


def test_what_only_prefect_would_notice_is_yellow_without_it() -> None:
    """A sync by cron needs neither FastAPI nor SQLAlchemy."""
    (found,) = judge({"sqlalchemy": "2.1.0"}, uses_prefect=False)
    assert (found.state, found.exit_code) == ("yellow", 0)
    assert judge({"duckdb": "1.4.1"}, uses_prefect=False)[0].state == "red"


def test_newer_prefect_is_no_known_bad_combination() -> None:
    """The failures are of 3.8."""
    assert [found.state for found in judge({"prefect": "3.9.0", "sqlalchemy": "2.1.0"})] == ["green"]


def test_untried_versions_are_yellow() -> None:
    """Outside of what is declared, and nothing worse is known."""
    bounds = {"pyarrow": SpecifierSet(">=22"), "duckdb": SpecifierSet(">=2,<3")}
    (found,) = check_libraries(GOOD | {"pyarrow": "21.0"}, bounds, uses_prefect=False)
    assert (found.state, found.exit_code) == ("yellow", 0)
    assert "pyarrow 21.0 (tried: >=22)" in found.found


def test_what_is_installed_here_is_good() -> None:
    """The constraints hold what the table asks for."""
    versions, bounds = installed_versions(), declared_bounds()
    assert {"duckdb", "prefect", "fastapi", "sqlalchemy"} <= versions.keys()
    assert str(bounds["duckdb"])
    assert [found.state for found in check_libraries(versions, bounds, uses_prefect=True)] == ["green"]


@pytest.mark.parametrize(
    ("sessions", "since", "growth"),
    [(1000, 5, 50 / 5 / 1000), (1000, 0.5, None), (0, 5, None), (1000, None, None)],
)
def test_growth_is_by_new_sessions(sessions: int, since: float | None, growth: float | None) -> None:
    """Those of the nights after the first, as a part of all; nothing is said before a day has passed."""
    with duckdb.connect() as connection:
        connection.execute(
            "create table sync_runs (appliance varchar, kind varchar, status varchar, started_at timestamp,"
            " sessions_new int)"
        )
        connection.execute(f"create table sessions as from range({sessions})")
        for days, new in ((since, 1000), (0, 50)) if since is not None else ():
            connection.execute(
                "insert into sync_runs select 'sps', 'sync', 'done',"
                " (current_timestamp at time zone 'UTC')::timestamp - to_seconds($days * 86400), $new",
                {"days": days, "new": new},
            )
        ((found,),) = connection.execute(read_statement("status", "growth")).fetchall()
    assert found == (None if growth is None else pytest.approx(growth, rel=0.01))


@given(
    sessions=st.integers(0, 10**7),
    kinds=st.integers(0, 5),
    seconds=st.floats(0.001, 60),
    concurrency=st.integers(1, 64),
)
def test_an_estimate_is_the_sum_of_its_terms(sessions: int, kinds: int, seconds: float, concurrency: int) -> None:
    """Whole pages, one request for each kind of each session, and hours that shrink as more are asked at once."""
    pace = {"page_sessions": 500, "page_seconds": seconds, "detail_seconds": seconds}
    estimate = estimate_sync(sessions, kinds, pace, concurrency)
    assert (estimate["list_requests"] - 1) * 500 < sessions or sessions == 0
    assert estimate["list_requests"] * 500 >= sessions
    assert estimate["detail_requests"] == sessions * kinds
    requests = estimate["list_requests"] + estimate["detail_requests"]
    assert estimate["hours"] * 3600 * concurrency == pytest.approx(requests * seconds)


def test_no_secret_is_shown() -> None:
    """Of the password only that it is set, and where."""
    settings = load_settings(
        {"url": "https://sps.example.com", "username": "auditor"}, environ={"SPSETL_PASSWORD": "hushhush"}
    )
    (finding,) = check_settings(settings)
    assert finding.facts["password"] == {"value": MASK, "origin": "SPSETL_PASSWORD"}
    assert finding.facts["username"] == {"value": "auditor", "origin": "argument username"}
    assert finding.facts["concurrency"] == {"value": 8, "origin": "default"}
    assert "hushhush" not in f"{finding}"
    assert any(line.startswith("password") and line.endswith("SPSETL_PASSWORD") for line in finding.lines)
    assert len(finding.lines) == 4


def test_an_error_is_split_into_what_is_wrong_and_what_to_do() -> None:
    """At its last semicolon; without one there is a general next step."""
    found = red("login", LoginError("refused; really; correct the password"))
    assert (found.found, found.next_step, found.exit_code) == ("refused; really", "correct the password", 4)
    assert red("login", LoginError("refused")).next_step
    assert (yellow("clock", "slow; set it").found, yellow("clock", "slow; set it").next_step) == ("slow", "set it")


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Sun, 01 Nov 2026 00:00:00 GMT", 0),
        ("Sun, 01 Nov 2026 00:01:40 GMT", 100.5),
        ("Sat, 31 Oct 2026 23:58:20 GMT", -99.5),
        ("yesterday", None),
    ],
)
def test_a_clock_is_read_to_the_second(date: str, ahead: float | None) -> None:
    """A date has whole seconds, so that less than one is none; what is no date says nothing."""
    ours = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    assert seconds_ahead(date, ours) == ahead


def test_within_gives_what_is_asked_or_raises() -> None:
    """The answer, the error, or the end of the time."""
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
