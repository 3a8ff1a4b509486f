"""Superset draws the dashboard while syncs publish beside it. Run by `make bi`, as it needs `.venv-superset`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from spsetl.simulator import Simulator, World, WorldSpec
from tests.bi.nights import Nights, PassingNights
from tests.bi.superset import DEPLOYMENT, Superset
from tests.syncing import ask

PUBLISHED_BESIDE: Final = 5
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 the warehouse's times are UTC without a zone
# The same questions asked of the tables that the marts are made from.
QUESTIONS: Final = {
    "Sessions": "select count(*) from sessions",
    "Active now": "select count(*) from sessions where active",
    "Last sync (UTC)": "select max(finished_at) from sync_runs where status = 'done'",
    "Failed logins": """
        select count(*) from sessions
        where verdict.upper().replace('-', '_') in ('AUTH_FAIL', 'GW_AUTH_FAIL', 'USER_MAPPING_FAIL', 'KEY_ERROR')""",
    "Alerts by rule": "select rule_name, count(*) from alerts group by all",
    "File transfers by day": """
        select date_trunc('day', time), count(*) from events where type = 'file_transfer' group by all""",
    "Top users": """
        with s as (select *, coalesce(user_name, user_gateway_username) as who from sessions)
        select coalesce(who, '(unknown)'), count(*), max(analytics_score_aggregated), max(start_time)
        from s group by all""",
    "When sessions start": """
        select lpad(hour(start_time)::varchar, 2, '0'),
            isodow(start_time) || ' ' || strftime(start_time, '%a'), count(*) from sessions group by all""",
}
COLUMNS: Final = {
    "Top users": ("user_label", "session_count", "highest_risk_score", "last_started_at"),
    "When sessions start": ("hour_of_day", "weekday", "session_count"),
}


@dataclass(frozen=True)
class House:
    """Superset, the copy that it shows, and the nights that change it."""

    superset: Superset
    folder: Path
    nights: Nights


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An appliance of 2,000 sessions, its copy, and a Superset that shows it."""
    folder = tmp_path_factory.mktemp("bi")
    data = folder / "Daten für #1"  # a path may look like this, and must come through an address and YAML
    (folder / "superset").mkdir(mode=0o755)
    with Simulator(World(WorldSpec(sessions=2_000, days=20))) as simulator:
        nights = Nights(simulator, data)
        nights.sync()
        with Superset(folder / "superset", data / "warehouse.duckdb") as superset:
            yield House(superset, data, nights)


def plain(value: object) -> object:
    """A value of DuckDB as Superset's JSON has it: times are milliseconds since 1970."""
    return (value - EPOCH).total_seconds() * 1000 if isinstance(value, datetime) else value


def same_rows(house: House, name: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What the chart shows, and what DuckDB answers to its question."""
    shown = house.superset.rows(house.superset.charts()[name])
    wanted = [tuple(map(plain, row)) for row in ask(house.folder, QUESTIONS[name])]
    return sorted(tuple(row[c] for c in COLUMNS.get(name, row)) for row in shown), sorted(wanted)


def test_every_chart_has_data(house: House) -> None:
    """The dashboard has a chart for each file of the bundle, and each of them has rows."""
    charts = house.superset.charts()
    empty = [name for name, number in charts.items() if not house.superset.rows(number)]

    assert len(charts) == len(list(DEPLOYMENT.glob("privileged_sessions/charts/*.yaml")))
    assert empty == []


def test_every_answer_is_whole_while_syncs_publish(house: House) -> None:
    """Four browsers ask for every chart again and again while syncs publish: each answer is 200, and has rows."""
    charts = house.superset.charts()
    with PassingNights(house.nights) as nights, ThreadPoolExecutor(4) as browsers:
        while nights.is_going_on and nights.passed < PUBLISHED_BESIDE:
            answers = dict(zip(charts, browsers.map(house.superset.rows, charts.values()), strict=True))
            assert [name for name, rows in answers.items() if not rows] == []


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_chart_shows_what_duckdb_answers(house: House, name: str) -> None:
    """The numbers of a chart are those of the same question asked of the published file."""
    shown, wanted = same_rows(house, name)

    assert shown
    assert shown == wanted


def test_a_range_of_time_filters(house: House) -> None:
    """With a range of time, as the dashboard's filter gives it, the days from its start up to its end are counted."""
    number = house.superset.charts()["Sessions"]
    (row,) = house.superset.rows_within(number, "2026-10-15T00:00:00 : 2026-10-20T12:00:00")
    within = "start_time >= '2026-10-15' and start_time < '2026-10-20 12:00:00'"

    assert [(row["session_count"],)] == ask(house.folder, f"select count(*) from sessions where {within}")
    assert row["session_count"] > 0


def test_the_next_answer_is_of_the_newest_copy(house: House) -> None:
    """After a sync has published, charts show the new copy: no worker keeps an old file, and no cache an answer."""
    before, _ = same_rows(house, "Sessions"), same_rows(house, "Last sync (UTC)")
    house.nights.pass_one()

    # Each worker process is asked several times.
    for _ in range(6):
        for name in ("Sessions", "Last sync (UTC)"):
            shown, wanted = same_rows(house, name)
            assert shown == wanted
    assert same_rows(house, "Sessions")[0] > before[0]


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("create table mart.mine as select 1", "does not allow for DDL/DML"),
        ("select * from read_text('/etc/passwd')", "file system operations are disabled"),
        ("copy (select 1) to '/tmp/spsetl-bi.csv'", "file system operations are disabled"),
        ("set enable_external_access = true", "the configuration has been locked"),
        ("install httpfs", ""),
    ],
)
def test_sql_lab_only_reads_the_warehouse(house: House, statement: str, complaint: str) -> None:
    """SQL that writes, or reads other files than the warehouse, is refused."""
    answer = house.superset.run_sql(statement)

    assert answer.status_code >= 400
    assert complaint in answer.text


def test_sql_lab_reads_the_marts(house: House) -> None:
    """SQL that reads is answered."""
    answer = house.superset.run_sql("select count(*) as n from mart.fct_sessions")

    assert answer.status_code == 200
    assert [(answer.json()["data"][0]["n"],)] == ask(house.folder, "select count(*) from mart.fct_sessions")


def test_prepared_again_all_is_there_once(house: House) -> None:
    """Prepared a second time, as after an upgrade, Superset has each chart once, and it still answers."""
    before = house.superset.charts()
    house.superset.prepare()

    assert house.superset.charts() == before
    assert house.superset.rows(before["Sessions"])


def test_secrets_are_the_owners_alone(house: House) -> None:
    """Nobody else can read the key, the password and Superset's own database."""
    home = house.folder.parent / "superset"

    assert home.stat().st_mode & 0o077 == 0
    assert [f.name for f in home.glob("*-*") if f.stat().st_mode & 0o077] == []
