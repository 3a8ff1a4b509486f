"""Channels, events and alerts of an answer into rows."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spsetl.flatten import Flattener
from spsetl.schema import ALERTS, CHANNELS, EVENTS, Table

SAMPLE = json.loads((Path(__file__).parent.parent / "samples" / "flatten-details.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
TIME = "2017-04-11T09:21:21.04"


def tables_of(table: Table, *items: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows of these items of one session, by table."""
    flattener = Flattener(appliance="sps-1", run_id="run-1")
    flattener.add_details(table, "s", items, extracted_at=NOW)
    return {name: batch.to_pylist() for name, batch in flattener.take().items()}


def test_channels() -> None:
    """Channels come with dotted keys, Unix seconds and no channel_id, or with all that is newer."""
    forward, drawing = tables_of(CHANNELS, *SAMPLE["channels"])["channels"]

    assert (forward["session_key"], forward["channel_key"], forward["channel_id"]) == ("s", "5", None)
    assert (forward["originator_ip"], forward["originator_port"]) == ("::1", 59578)
    assert (forward["connected_ip"], forward["connected_port"]) == ("server.example", 22)
    assert forward["start_time"] == datetime(2016, 1, 4, 10, 9, 5)  # noqa: DTZ001 columns have no zone
    assert forward["extra"] is None
    assert (drawing["channel_key"], drawing["channel_id"], drawing["originator_ip"]) == ("7", "7", "192.0.2.1")


def test_events() -> None:
    """Events come bare, wrapped, or with their older dotted names; their time is kept as it came, too."""
    bare, wrapped, older = tables_of(EVENTS, *SAMPLE["events"])["events"]

    assert (bare["record_id"], bare["channel_id"], bare["action"], bare["content"]) == (46, "0", "ls", "$ ls")
    assert bare["time"] == datetime(2017, 4, 11, 9, 21, 21, 40000)  # noqa: DTZ001 columns have no zone
    assert bare["time_raw"] == TIME
    assert (wrapped["record_id"], wrapped["channel_id"], wrapped["extra"]) == (64, "1", None)
    assert (older["record_id"], older["channel_id"], older["time_raw"]) == (78, "3", "1491902483")
    assert older["time"] == datetime(2017, 4, 11, 9, 21, 23)  # noqa: DTZ001 columns have no zone
    assert json.loads(older["extra"]) == {"psm.events.colour": "red"}


def test_alerts() -> None:
    """An alert goes to its columns and leaves nothing over."""
    (alert,) = tables_of(ALERTS, *SAMPLE["alerts"])["alerts"]

    assert (alert["record_id"], alert["channel_id"], alert["rule_name"]) == (94, "0", "PatternMatcherRule")
    assert (alert["matched_action"], alert["matched_content"], alert["matched_regexp"]) == ("ls", "$ ls", "ls")
    assert alert["time_raw"] == "2017-04-25T13:26:39.144356"
    assert alert["extra"] is None


def test_lists_of_details_are_joined_or_kept() -> None:
    """Details have no list rows: a text column holds the values joined, and `extra` all other lists."""
    tables = tables_of(EVENTS, {"record_id": 1, "content": ["a", None, 2], "time": [1], "x": ["y"]})

    assert list(tables) == ["events"]
    assert tables["events"][0]["content"] == "a,2"
    assert tables["events"][0]["time_raw"] is None
    assert json.loads(tables["events"][0]["extra"]) == {"time": [1], "x": ["y"]}


def test_key_of_a_wrapped_event_is_kept_where_it_says_something_else() -> None:
    """The key beside an event's body is dropped only when it is its record_id."""
    (event,) = tables_of(EVENTS, {"key": "e-1", "body": {"record_id": 1}, "meta": {}})["events"]

    assert json.loads(event["extra"]) == {"$item": {"key": "e-1"}}


def test_same_item_twice_is_one_row() -> None:
    """An item that a shifting page repeats is not doubled, whatever the order of its keys."""
    event = {"record_id": 1, "content": "x"}
    tables = tables_of(EVENTS, event, event, {"content": "x", "record_id": 1})

    assert list(tables) == ["events"]
    assert len(tables["events"]) == 1


@pytest.mark.parametrize(
    ("table", "first", "second", "reason"),
    [
        (EVENTS, {"record_id": 1, "content": "x"}, {"record_id": "1"}, "record_id repeated with other contents"),
        (CHANNELS, {"key": 1, "body": {}}, {"key": "1", "body": {"a": 1}}, "channel_key repeated with other contents"),
    ],
)
def test_same_key_with_other_contents_goes_to_quarantine(table: Table, first: Any, second: Any, reason: str) -> None:
    """What repeats a key and says something else is neither lost nor doubled."""
    tables = tables_of(table, first, second)

    assert len(tables[table.name]) == 1
    assert [(row["reason"], json.loads(row["raw"])) for row in tables["quarantine"]] == [(reason, second)]


@pytest.mark.parametrize(
    ("table", "item", "reason"),
    [
        (EVENTS, 5, "not an object"),
        (EVENTS, {"content": "x"}, "record_id: missing"),
        (EVENTS, {"record_id": None}, "record_id: missing"),
        (EVENTS, {"record_id": "", "time": TIME}, "record_id: missing"),
        (EVENTS, {"key": "1", "body": None}, "record_id: missing"),
        (EVENTS, {"record_id": {"begin": 1}}, "record_id: missing"),
        (EVENTS, {"record_id": 1.5}, "record_id: missing"),
        (ALERTS, {"alert_type": "x"}, "record_id: missing"),
        (CHANNELS, {"key": "1"}, "body: not an object"),
        (CHANNELS, {"body": {"type": "x"}}, "channel_key: missing"),
        (CHANNELS, {"key": "", "body": {"channel_id": ""}}, "channel_key: missing"),
    ],
)
def test_unreadable_detail_goes_to_quarantine(table: Table, item: Any, reason: str) -> None:
    """A detail that nothing tells apart is kept whole, with its session and its reason."""
    tables = tables_of(table, item)

    assert list(tables) == ["quarantine"]
    (row,) = tables["quarantine"]
    assert (row["table_name"], row["session_key"], row["reason"]) == (table.name, "s", reason)
    assert json.loads(row["raw"]) == item


def test_same_unreadable_detail_of_two_sessions_is_two_rows() -> None:
    """Quarantine tells its rows apart by their hash, so the session is part of it."""
    flattener = Flattener(appliance="a", run_id="r")
    flattener.add_details(EVENTS, "s1", [{"content": "x"}], extracted_at=NOW)
    flattener.add_details(EVENTS, "s2", [{"content": "x"}], extracted_at=NOW)
    first, second = flattener.take()["quarantine"].to_pylist()

    assert first["raw"] == second["raw"]
    assert first["row_hash"] != second["row_hash"]
