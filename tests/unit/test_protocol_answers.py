from datetime import UTC, datetime
from typing import Any

import pytest

from spsetl.appliance.protocol import (
    Bin,
    decode_count,
    decode_details,
    decode_histogram,
    decode_info,
    decode_list,
    decode_snapshot,
    decode_time,
)
from spsetl.errors import BadAnswerError

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


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
