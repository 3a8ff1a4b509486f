import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.appliance.throttle import QuietHoursBegan, QuietPauses, RequestsStopped, Throttle
from spsetl.hours import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")  # 2026: 02:00 is 03:00 on 29 March, 03:00 is 02:00 on 25 October
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # changes by half an hour
SUMMER = datetime(2026, 7, 1, tzinfo=BERLIN)


def quiet_seconds(text: str, now: datetime, zone: ZoneInfo = BERLIN) -> float:
    """Seconds to the end of the quiet hours."""
    return QuietHours.parse(text, zone).seconds_until_end(now)


@pytest.mark.parametrize(
    ("text", "at", "minutes"),
    [
        ("21:55-22:30", "21:54", 0),
        ("21:55-22:30", "21:55", 35),
        ("21:55-22:30", "22:29", 1),
        ("21:55-22:30", "22:30", 0),
        ("23:30-00:30", "23:45", 45),
        ("23:30-00:30", "00:15", 15),
        ("23:30-00:30", "12:00", 0),
        ("23:00-24:00", "23:30", 30),
        (" 02:00-03:00 ,12:00-13:00", "12:10", 50),
        ("02:00-03:00,02:30-04:00,04:00-05:00", "02:15", 165),
        ("22:00-24:00,00:00-01:00", "23:00", 120),
    ],
)
def test_quiet_hours_have_an_end(text: str, at: str, minutes: int) -> None:
    """Ranges are quiet from their first minute to before their end; those that touch are one."""
    hour, minute = at.split(":")
    now = SUMMER.replace(hour=int(hour), minute=int(minute))

    assert quiet_seconds(text, now) == 60 * minutes


def test_seconds_count_to_the_very_end() -> None:
    """The seconds of the minute that has begun count as well."""
    now = SUMMER.replace(hour=22, minute=29, second=59, microsecond=750_000)

    assert quiet_seconds("21:55-22:30", now) == 0.25


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "such as"),
        ("never", "such as"),
        ("21:54", "such as"),
        ("21:54-", "such as"),
        ("25:00-26:00", "such as"),
        ("21:60-22:00", "such as"),
        ("24:00-01:00", "such as"),
        ("01:00-02:00,", "such as"),
        ("1:00-2:00", "such as"),
        ("01:00 - 02:00", "such as"),
        ("०१:00-02:00", "such as"),
        ("02:00-02:00", "same time"),
        ("00:00-24:00", "leave some time"),
        ("13:00-01:00, 01:00-12:00,09:00-14:00", "leave some time"),
    ],
)
def test_wrong_text_is_refused_without_repeating_it(text: str, reason: str) -> None:
    """What is no range, or a whole day, is told in a few words that do not have it in them."""
    with pytest.raises(ValueError, match=reason) as raised:
        QuietHours.parse(text)

    assert not text or text not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "zone", "begin", "hours"),
    [
        ("01:00-04:00", BERLIN, datetime(2026, 3, 29, 0, 0, tzinfo=UTC), 2),
        ("01:00-04:00", BERLIN, datetime(2026, 10, 24, 23, 0, tzinfo=UTC), 4),
        ("01:00-02:30", BERLIN, datetime(2026, 3, 29, 0, 0, tzinfo=UTC), 1),
        ("23:00-06:00", BERLIN, datetime(2026, 3, 28, 22, 0, tzinfo=UTC), 6),
        ("01:30-02:15", LORD_HOWE, datetime(2026, 10, 3, 15, 0, tzinfo=UTC), 0.5),
    ],
)
def test_daylight_saving_is_seen(text: str, zone: ZoneInfo, begin: datetime, hours: float) -> None:
    """In the nights of the changes quiet hours last as long as the wall clock makes them."""
    assert quiet_seconds(text, begin, zone) == hours * 3600
    assert quiet_seconds(text, begin - timedelta(seconds=1), zone) == 0


@given(
    begin=st.integers(0, 1439),
    length=st.integers(1, 1439),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    zone=st.sampled_from([BERLIN, LORD_HOWE, ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]),
)
def test_end_is_the_first_moment_that_is_not_quiet(begin: int, length: int, now: datetime, zone: ZoneInfo) -> None:
    """At the end the hours are over, one microsecond before they are not, and they last a day and an hour at most."""
    end = (begin + length) % 1440
    hours = QuietHours.parse(f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}", zone)
    moment = now.replace(tzinfo=UTC)
    seconds = hours.seconds_until_end(moment)
    local = moment.astimezone(zone)

    assert (seconds > 0) == ((60 * local.hour + local.minute - begin) % 1440 < length)
    assert 0 <= seconds <= 25 * 3600
    if seconds:
        over = moment + timedelta(seconds=seconds)
        assert hours.seconds_until_end(over) == 0
        assert 0 < hours.seconds_until_end(over - timedelta(microseconds=1)) < 1e-3


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine stands in Berlin."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_zone_of_this_machine_is_the_default() -> None:
    """Without a zone the machine's own counts, with its changes to daylight saving."""
    hours = QuietHours.parse("01:00-04:00")

    assert hours.seconds_until_end(datetime(2026, 3, 29, 0, 0, tzinfo=UTC)) == 2 * 3600
    assert hours.seconds_until_end(datetime(2026, 10, 24, 23, 0, tzinfo=UTC)) == 4 * 3600
    assert hours.seconds_until_end(datetime(2026, 7, 1, 2, 0, tzinfo=UTC)) == 0


def test_each_quiet_period_is_told_once() -> None:
    """Whoever waits, however often it wakes: one message for a period, with its end, and one for the next."""
    night = SUMMER.replace(hour=22)
    moments = iter([night, night, night, night, night + timedelta(hours=1)] * 2 + [night + timedelta(days=1)] * 2)
    told: list[datetime] = []
    pauses = QuietPauses(QuietHours.parse("21:55-22:30", BERLIN), told.append, lambda: next(moments))
    stopping = _Impatient()

    assert pauses.wait_out(stopping)
    assert pauses.wait_out(stopping)
    stopping.set()
    assert not pauses.wait_out(stopping)
    end = SUMMER.replace(hour=22, minute=30)
    assert told == [end, end + timedelta(days=1)]
    assert stopping.waits == [30, 30, 30, 30, 30]


class _Impatient(threading.Event):
    """An event that nobody has to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        self.waits.append(timeout)
        return self.is_set()


def test_no_turn_begins_in_quiet_hours() -> None:
    """A turn is refused while it is quiet, and given afterwards; a stop ends the waiting."""
    moment = [SUMMER.replace(hour=22)]
    throttle = Throttle(1, pauses=QuietPauses(QuietHours.parse("21:55-22:30", BERLIN), None, lambda: moment[0]))
    with pytest.raises(QuietHoursBegan), throttle.turn("list"):
        pytest.fail("nothing may be sent")

    moment[0] += timedelta(hours=1)
    throttle.wait_while_quiet()
    with throttle.turn("list"):
        moment[0] -= timedelta(hours=1)
    throttle.stop()
    with pytest.raises(RequestsStopped):
        throttle.wait_while_quiet()
