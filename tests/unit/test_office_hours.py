"""Office hours: what of a text they are, and which moments of the week SQL counts among them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spsetl.errors import SettingsError
from spsetl.hours import OfficeHours
from spsetl.settings import Settings, load_settings
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.work import WorkDatabase

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Mon-Fri 08:00-18:00 Europe/Budapest", OfficeHours((1, 2, 3, 4, 5), 480, 600, "Europe/Budapest")),
        ("mon,WED,Sat-Sun 00:00-24:00 UTC", OfficeHours((1, 3, 6, 7), 0, 1440, "UTC")),
        ("Sat-Mon 22:00-06:00 Asia/Kolkata", OfficeHours((1, 6, 7), 1320, 480, "Asia/Kolkata")),
        ("  Tue   23:59-00:00 UTC ", OfficeHours((2,), 1439, 1, "UTC")),
        ("Fri 06:30-24:00 UTC", OfficeHours((5,), 390, 1050, "UTC")),
    ],
)
def test_days_times_and_zone_are_read(text: str, hours: OfficeHours) -> None:
    """Days singly or from one to another, also over the end of the week; times that may cross midnight; a zone."""
    assert OfficeHours.parse(text) == hours
    assert str(OfficeHours.parse(text)) == text


def test_the_default_is_monday_to_friday_7_to_19() -> None:
    """In UTC, as long as nobody says where the office is."""
    assert Settings().office_hours == OfficeHours((1, 2, 3, 4, 5), 420, 720, "UTC")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "days, times and a time zone"),
        ("Mon-Fri", "days, times and a time zone"),
        ("Mon-Fri 8-18 UTC", "days, times and a time zone"),
        ("Mon-Fri 24:00-06:00 UTC", "days, times and a time zone"),
        ("Mon-Fri 08:00-18:00", "days, times and a time zone"),
        ("Mon-Fri 08:00-18:00 UTC please", "days, times and a time zone"),
        ("Mo-Fr 08:00-18:00 UTC", "name days as Mon, Tue"),
        ("Mon-Wed-Fri 08:00-18:00 UTC", "name days as Mon, Tue"),
        ("Mon,,Fri 08:00-18:00 UTC", "name days as Mon, Tue"),
        ("Mon-Fri 08:00-08:00 UTC", "at the same time"),
        ("Mon-Fri 08:00-18:00 Europe/Nowhere", "IANA"),
        ("Mon-Fri 08:00-18:00 Europe", "IANA"),
        ("Mon-Fri 08:00-18:00 /etc/passwd", "IANA"),
    ],
)
def test_others_are_refused_on_one_line(text: str, reason: str) -> None:
    """The message says what is wrong and how it is written."""
    with pytest.raises(SettingsError) as refused:
        load_settings({"office_hours": text}, environ={})

    assert str(refused.value).startswith("argument office_hours must ")
    assert reason in str(refused.value)
    assert "Mon-Fri 08:00-18:00 Europe/Budapest" in str(refused.value)
    assert "\n" not in str(refused.value)


def is_inside(moment: datetime, days: list[str], begin: int, end: int, zone: str) -> bool:
    """Whether an office that opens on these days, from minute to minute, is open then; boring Python."""
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    if begin < end:
        return today in days and begin <= minute < end
    return (today in days and minute >= begin) or (yesterday in days and minute < end)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkDatabase]:
    """A copy with a session in every 45 minutes of two weeks, over the end of summer time in Europe."""
    folder = tmp_path_factory.mktemp("copy")
    with WorkDatabase(folder / "work.duckdb", published=folder / "none.duckdb") as work:
        work.connection.execute(
            "insert into sessions by name select 'sps' as appliance, n::varchar as session_key, "
            "timestamp '2026-10-19 00:07:00' + to_minutes((45 * n)::integer) as start_time from range(448) t(n)"
        )
        yield work


_minutes = st.integers(0, 47).map(lambda half: 30 * half)


@settings(max_examples=12)
@given(
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    begin=_minutes,
    end=_minutes,
    zone=st.sampled_from(["UTC", "Europe/Budapest", "Asia/Kolkata", "America/New_York"]),
)
def test_sql_counts_the_minutes_of_the_wall_clock(
    work: WorkDatabase, days: list[str], begin: int, end: int, zone: str
) -> None:
    """`is_outside_office_hours`, `started_hour` and `started_weekday` are what a wall clock in the zone says."""
    assume(begin != end)
    text = f"{','.join(days)} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02} {zone}"
    build_marts(work, OfficeHours.parse(text))

    rows = work.connection.execute(
        "select started_at, started_hour, started_weekday, is_outside_office_hours from mart.fct_sessions"
    ).fetchall()

    assert len(rows) == 448
    for moment, hour, weekday, is_outside in rows:
        local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
        assert (hour, weekday) == (local.hour, local.isoweekday())
        assert is_outside is not is_inside(moment, days, begin, end, zone), moment
