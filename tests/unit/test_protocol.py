from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.appliance.protocol import ListQuery, decode_time, detail_path, format_time, local_path, session_path
from spsetl.errors import BadAnswerError

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
URL = "https://sps.example.com"


def test_list_query_names_everything_it_relies_on() -> None:
    """Fields, order, limit and offset are always sent: the appliance's defaults differ from version to version."""
    assert ListQuery().path == "/api/audit/sessions"
    assert ListQuery().params == {"fields": "*,revision", "sort": "start_time", "limit": 500, "offset": 0}


def test_list_query_sends_what_it_was_given() -> None:
    """A start is sent with time and offset, a filter as it is."""
    query = ListQuery(fields="revision", start=NOON, sort="-start_time", q="active:true", offset=7, limit=10)

    assert query.params == {
        "fields": "revision",
        "sort": "-start_time",
        "limit": 10,
        "offset": 7,
        "start": "2026-11-01T12:00:00.000+00:00",
        "q": "active:true",
    }


def test_page_of_a_snapshot_has_no_offset() -> None:
    """A snapshot is followed by its links."""
    params = ListQuery(snapshot="abc").params

    assert params["snapshot"] == "abc"
    assert "offset" not in params


@pytest.mark.parametrize("wrong", [{"limit": 501}, {"limit": 0}, {"offset": 10001}, {"offset": -1}])
def test_page_that_does_not_exist_cannot_be_asked_for(wrong: dict[str, int]) -> None:
    """The appliance would answer another page in silence: 500 rows for 501, page one beyond offset 10000."""
    with pytest.raises(ValueError, match="would not give"):
        ListQuery(**wrong)  # type: ignore[arg-type] # a page has only numbers here


@pytest.mark.parametrize(
    ("key", "quoted"),
    [
        ("abc", "abc"),
        ("_abc", "_abc"),
        ("svc/x/ssh:1", "svc%2Fx%2Fssh%3A1"),
        ("50%", "50%25"),
        ("%2F", "%252F"),
        ("a?b#c", "a%3Fb%23c"),
        ("ключ", "%D0%BA%D0%BB%D1%8E%D1%87"),
        ("..a", "..a"),
    ],
)
def test_key_is_quoted_whole(key: str, quoted: str) -> None:
    """Whatever a key holds stays one part of the path."""
    assert session_path(key) == f"/api/audit/sessions/{quoted}"
    assert detail_path(key, "events") == f"/api/audit/sessions/{quoted}/events"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda key: key not in {".", ".."}))
def test_quoted_key_comes_back(key: str) -> None:
    """Every key is one part of the path, and the same key again on the other side."""
    start, _, part = session_path(key).rpartition("/")

    assert (start, unquote(part)) == ("/api/audit/sessions", key)
    assert part.isascii()
    assert not set(part) & set("?#/ ")


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_key_that_leads_elsewhere_is_refused(key: str) -> None:
    """An empty key would ask for the list, a dot for the folder above."""
    with pytest.raises(BadAnswerError):
        session_path(key)


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis adds the zones
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30)), ZoneInfo("Europe/Budapest")]),
    )
)
def test_formatted_time_is_cut_to_milliseconds(moment: datetime) -> None:
    """The text is the same moment or less than a millisecond earlier, never later."""
    text = format_time(moment)
    decoded = decode_time(text)

    assert decoded is not None
    assert timedelta(0) <= moment.astimezone(UTC) - decoded < timedelta(milliseconds=1)
    assert len(text) == len("2026-11-01T00:00:00.000+00:00")


def test_formatted_time_is_utc_with_its_offset() -> None:
    """Another zone is converted; midnight is written out."""
    assert format_time(datetime(2026, 11, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-01T00:00:00.000+00:00"
    assert format_time(datetime(2026, 1, 1, 0, 0, 0, 999_999, UTC)) == "2026-01-01T00:00:00.999+00:00"


def test_time_without_a_zone_is_not_sent() -> None:
    """A moment that could be any is a defect of the caller."""
    with pytest.raises(ValueError, match="zone"):
        format_time(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("/api/audit/sessions?offset=500", "/api/audit/sessions?offset=500"),
        (f"{URL}/api/audit/sessions?offset=500", "/api/audit/sessions?offset=500"),
    ],
)
def test_link_to_the_same_appliance_is_followed(link: str, path: str) -> None:
    """A link may be site-relative, or name the appliance itself."""
    assert local_path(link, URL) == path


@pytest.mark.parametrize(
    "link",
    [
        "https://other.example.com/api/audit/sessions",
        "https://sps.example.com.evil.example/api/",
        "https://sps.example.com@evil.example/api/",
        "//other.example.com/api/audit/sessions",
        "http://sps.example.com/api/audit/sessions",
        "/other",
        "api/audit/sessions",
        "?offset=500",
        "/api/\r\nHost: x",
        "",
    ],
)
def test_link_to_elsewhere_is_refused(link: str) -> None:
    """The login is never sent to another host, and no link leaves /api."""
    with pytest.raises(BadAnswerError) as refused:
        local_path(link, URL)

    assert "\n" not in str(refused.value)
