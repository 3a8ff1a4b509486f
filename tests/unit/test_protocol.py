from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsetl.appliance.protocol import (
    Bin,
    ListQuery,
    decode_count,
    decode_details,
    decode_histogram,
    decode_info,
    decode_list,
    decode_snapshot,
    decode_time,
    detail_path,
    format_time,
    local_path,
    session_path,
)
from spsetl.errors import BadAnswerError

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
URL = "https://sps.example.com"


# Questions


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


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 - hypothesis adds the zones
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


# Answers


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00.000+00:00",
        "2026-11-01T17:00:00+05:00",
        "2026-11-01T12:00:00",
        1793534400,
        1793534400.0,
    ],
)
def test_time_is_read_in_every_spelling(value: object) -> None:
    """With any offset, with none, and as Unix seconds, the time is the same."""
    assert decode_time(value) == NOON


@pytest.mark.parametrize("value", [None, "", "soon", True, [], {}, 1e30, float("nan"), "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_none(value: object) -> None:
    """What cannot be read as a time is None, and no error."""
    assert decode_time(value) is None


def page(**meta: Any) -> dict[str, Any]:
    """A page of the list with two items."""
    items = [{"key": "1", "body": {}}, {"key": "2", "body": {}}]
    return {"items": items, "meta": {"match_count": 39, "limit": 500, "offset": 0, "next": None, **meta}}


def test_page_is_read() -> None:
    """Items, counts and the link to the next page come out as they are."""
    decoded = decode_list(page(next="/api/audit/sessions?offset=2"))

    assert [item["key"] for item in decoded.items] == ["1", "2"]
    assert (decoded.match_count, decoded.limit, decoded.offset) == (39, 500, 0)
    assert decoded.next == "/api/audit/sessions?offset=2"


def test_page_of_a_snapshot_is_read() -> None:
    """No count, no offset and no further page are None, not 0."""
    decoded = decode_list({"items": [], "meta": {"next": None}})

    assert (decoded.match_count, decoded.limit, decoded.offset, decoded.next) == (None, None, None, None)


def test_items_that_are_no_objects_are_kept() -> None:
    """An item that cannot be read must not hide the others, nor vanish."""
    assert decode_list({"items": [None, 1, {"key": "1"}], "meta": {}}).items == (None, 1, {"key": "1"})


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "",
        {},
        {"items": []},
        {"meta": {}},
        {"items": None, "meta": {}},
        {"items": {}, "meta": {}},
        {"items": [], "meta": []},
        {"items": [], "meta": {"match_count": "many"}},
        {"items": [], "meta": {"match_count": -1}},
        {"items": [], "meta": {"match_count": True}},
        {"items": [], "meta": {"match_count": 1.5}},
        {"items": [], "meta": {"offset": []}},
        {"items": [], "meta": {"next": 5}},
    ],
)
def test_other_shape_is_no_page(answer: Any) -> None:
    """What is not the documented list is refused; an empty page must be one that the appliance meant."""
    with pytest.raises(BadAnswerError):
        decode_list(answer)


def test_numbers_as_text_are_read() -> None:
    """The guide shows `"size": "10"`: a number may come in quotes."""
    assert decode_list(page(match_count="39")).match_count == 39


def test_details_are_read_under_either_name() -> None:
    """Old examples of channels call their items `channels` and have no meta."""
    item = {"key": "1", "body": {}}

    assert decode_details({"items": [item], "meta": {"match_count": 1}}, "channels").items == (item,)
    assert decode_details({"channels": [item]}, "channels").items == (item,)


@pytest.mark.parametrize("answer", [{}, {"channels": []}, {"items": 1, "events": []}, {"items": [], "meta": 1}, []])
def test_other_shape_is_no_detail(answer: Any) -> None:
    """A list of events is not taken from anything else."""
    with pytest.raises(BadAnswerError):
        decode_details(answer, "events")


def test_histogram_is_read() -> None:
    """Bins come with their start in UTC and both counts; the bin size is the appliance's own word."""
    bucket = {"id": "2026-11-01T12:00:00.000Z", "start_count": 1, "active_count": 2}

    histogram = decode_histogram({"body": {"buckets": [bucket]}, "meta": {"bin_size": "hour"}})

    assert histogram.bins == (Bin(NOON, 1, 2),)
    assert histogram.bin_size == "hour"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"body": {}},
        {"body": {"buckets": [1]}},
        {"body": {"buckets": [{"id": "x", "start_count": 1, "active_count": 2}]}},
        {"body": {"buckets": [{"id": "2026-11-01T12:00:00Z", "start_count": 1}]}},
    ],
)
def test_other_shape_is_no_histogram(answer: Any) -> None:
    """A bin without a time or a count is refused."""
    with pytest.raises(BadAnswerError):
        decode_histogram(answer)


def test_single_values_are_read() -> None:
    """Version, snapshot and count are taken from where they are documented."""
    assert decode_info({"body": {"firmware_version": "8.0.0"}}) == "8.0.0"
    assert decode_snapshot({"body": {"snapshot": "abc"}}) == "abc"
    assert decode_count({"count": 12345}) == 12345
    assert decode_count({"count": 0}) == 0


@pytest.mark.parametrize("decode", [decode_info, decode_snapshot, decode_count])
@pytest.mark.parametrize("answer", [None, {}, {"body": {}}, {"body": {"firmware_version": 8}}, {"count": None}])
def test_missing_single_value_is_refused(decode: Any, answer: Any) -> None:
    """A value that did not come is not made up."""
    with pytest.raises(BadAnswerError):
        decode(answer)


def test_message_does_not_show_the_answer() -> None:
    """What the answer holds stays out of the message."""
    with pytest.raises(BadAnswerError) as refused:
        decode_list({"items": "the-content", "meta": {"next": "the-content"}})

    assert "the-content" not in str(refused.value)


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
