"""Sessions of an answer into rows."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from spsetl.flatten import Flattener

SAMPLE = Path(__file__).parent.parent / "samples" / "flatten-sessions.json"
NOW = datetime(2026, 11, 1, 2, 30, tzinfo=timezone(timedelta(hours=2)))
START = "2024-03-01T22:10:05Z"


def rows_of(items: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of these sessions, by table."""
    flattener = Flattener(appliance="sps-1", run_id="run-1")
    flattener.add_sessions(items, extracted_at=NOW)
    return {name: batch.to_pylist() for name, batch in flattener.take().items()}


def tables_of(**body: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows of one session with this body, by table."""
    return rows_of([{"key": "k", "body": {"start_time": START} | body}])


def session_of(**body: Any) -> dict[str, Any]:
    """The row of one session with this body."""
    return tables_of(**body)["sessions"][0]


def extra_of(session: dict[str, Any]) -> Any:
    """What no column of the session holds."""
    return json.loads(session["extra"])


def lists_of(tables: dict[str, list[dict[str, Any]]]) -> list[tuple[str, int, str]]:
    """Field, position and value of the rows of `session_lists`."""
    return [(row["field"], row["position"], row["value"]) for row in tables.get("session_lists", [])]


def test_session_as_the_guide_shows_it() -> None:
    """A session of today goes to its columns, its lists and its scores, and leaves nothing over."""
    tables = rows_of(json.loads(SAMPLE.read_text(encoding="utf-8"))[:1])
    session = tables["sessions"][0]

    assert session["session_key"] == "_Yr7c0sBq1"
    assert session["appliance"] == "sps-1"
    assert session["start_time"] == datetime(2024, 3, 1, 22, 10, 5, 250123)  # noqa: DTZ001 columns have no zone
    assert session["end_time"] == datetime(2024, 3, 1, 22, 11, 2)  # noqa: DTZ001 columns have no zone
    assert session["user_server_username"] == "root,postgres"
    assert session["analytics_score_aggregated"] == 21.0
    assert session["analytics_similar_sessions"] is None
    assert session["analytics_scripted_results"] == (
        '{"clockmaster":{"result":true},"gapminder":{"reason":"no baseline","result":false}}'
    )
    assert session["extra"] is None
    assert session["extracted_at"] == datetime(2026, 11, 1, 0, 30)  # noqa: DTZ001 columns have no zone
    assert session["run_id"] == "run-1"
    assert session["missing_since"] is None
    assert lists_of(tables) == [
        ("analytics.interesting_events", 0, "sudo"),
        ("analytics.interesting_events", 1, "vi, /etc/hosts"),
        ("analytics.tags", 0, "night"),
        ("user.server_username", 0, "root"),
        ("user.server_username", 1, "postgres"),
    ]
    assert {row["algorithm"]: row["score"] for row in tables["session_scores"]} == {"keystroke": 12.5, "command": 40.0}


def test_older_spellings_go_to_the_newer_columns() -> None:
    """`psm`, `address`, a bare `name`, Unix seconds and numbers as text are what the newer fields are."""
    tables = rows_of(json.loads(SAMPLE.read_text(encoding="utf-8"))[1:])
    session = tables["sessions"][0]

    assert session["session_key"] == "2"
    assert session["client_ip"] == "192.0.2.8"
    assert session["client_port"] == 40023
    assert session["user_name"] == "bob"
    assert session["recording_connection_policy"] == "legacy"
    assert session["recording_index_status"] == "NOT_INDEXED"
    assert session["recording_server_local_ip"] == "198.51.100.2"
    assert session["start_time"] == datetime(2016, 1, 4, 10, 6, 28)  # noqa: DTZ001 columns have no zone
    assert session["extra"] is None
    assert lists_of(tables) == [("user.server_username", 0, "oracle")]


def test_dotted_key_is_the_nested_field() -> None:
    """A key with a dot in its name is the field that nesting would make, at any depth."""
    session = session_of(**{"client.ip": "192.0.2.1", "recording": {"target.port": 22}, "psm.target": {"name": "t"}})

    assert (session["client_ip"], session["recording_target_port"], session["recording_target_name"]) == (
        "192.0.2.1",
        22,
        "t",
    )
    assert session["extra"] is None


def test_newest_spelling_wins_and_the_other_is_kept() -> None:
    """Where two spellings differ, the newest is in the column, the other in `extra` under its own name."""
    session = session_of(
        psm={"connection_policy": "old", "channel_policy": "same"},
        recording={"connection_policy": "new", "channel_policy": "same"},
    )

    assert session["recording_connection_policy"] == "new"
    assert extra_of(session) == {"psm": {"connection_policy": "old"}}


def test_null_of_the_newest_spelling_does_not_hide_an_alias() -> None:
    """A null says nothing, so an older spelling that says something is taken."""
    session = session_of(recording={"connection_policy": None, "target": {"ip": ""}}, psm={"connection_policy": "old"})

    assert session["recording_connection_policy"] == "old"
    assert session["recording_target_ip"] == ""
    assert session["extra"] is None


def test_alias_that_does_not_fit_is_kept_beside_the_newest_spelling() -> None:
    """Where the column has its value, an older spelling that does not fit costs nothing but a place in `extra`."""
    session = session_of(recording={"target": {"port": 22}}, psm={"target": {"port": "ssh"}})

    assert session["recording_target_port"] == 22
    assert extra_of(session) == {"psm": {"target": {"port": "ssh"}}}


def test_two_spellings_of_a_list() -> None:
    """Lists are the same when their values are: a joined text is not the list it looks like."""
    same = session_of(user={"server_username": ["a", "b"]}, server_username=["a", "b"])
    other = session_of(user={"server_username": "a,b"}, server_username=["a", "b"])

    assert same["extra"] is None
    assert extra_of(other) == {"server_username": ["a", "b"]}


def test_unknown_fields_are_kept_as_they_came() -> None:
    """Whatever nobody has heard of is in `extra`, nested as it came, null and empty too."""
    unknown = {"b": {"z": 1, "a": []}, "a.b": None, "client": {"mac": "00:00"}, "recording": {"target": {"x": {}}}}
    session = session_of(**unknown)

    assert extra_of(session) == unknown
    assert (
        session["extra"] == '{"a.b":null,"b":{"a":[],"z":1},"client":{"mac":"00:00"},"recording":{"target":{"x":{}}}}'
    )


@pytest.mark.parametrize("empty", [None, {}, [], ""])
def test_known_object_that_is_empty_is_nothing(empty: Any) -> None:
    """A known object may be null or empty."""
    assert session_of(recording=empty, client={"ip": None})["extra"] is None


@pytest.mark.parametrize("odd", ["192.0.2.1", 5, ["a"]])
def test_known_object_that_is_none_is_kept(odd: Any) -> None:
    """Something else where an object should be is kept."""
    assert extra_of(session_of(client=odd)) == {"client": odd}


def test_lists_keep_the_position_of_their_values() -> None:
    """A null in a list has its position, but no row; what is no scalar is a row of JSON."""
    tables = tables_of(analytics={"tags": ["a", None, {"n": 1}, 5, True]})

    assert lists_of(tables) == [
        ("analytics.tags", 0, "a"),
        ("analytics.tags", 2, '{"n":1}'),
        ("analytics.tags", 3, "5"),
        ("analytics.tags", 4, "true"),
    ]
    assert tables["sessions"][0]["analytics_tags"] == 'a,{"n":1},5,true'


def test_list_of_nulls_joins_to_nothing() -> None:
    """A list of nothing but nulls leaves its column NULL; one empty text does not."""
    assert session_of(analytics={"tags": [None]})["analytics_tags"] is None
    assert session_of(analytics={"tags": [""]})["analytics_tags"] == ""


def test_list_at_a_text_column_is_joined_and_listed() -> None:
    """A list where nobody expects one is joined in a text column, and has its rows."""
    tables = tables_of(protocol=["SSH", "SCP"])

    assert tables["sessions"][0]["protocol"] == "SSH,SCP"
    assert tables["sessions"][0]["extra"] is None
    assert lists_of(tables) == [("protocol", 0, "SSH"), ("protocol", 1, "SCP")]


def test_list_that_no_text_column_holds_is_listed_and_kept() -> None:
    """A list at a number's column, or at an unknown path, has its rows and stays in `extra`."""
    tables = tables_of(duration=[1, 2], x={"y": {"z": ["q"]}, "objects": [{"a": ["not listed"]}]})

    assert tables["sessions"][0]["duration"] is None
    assert extra_of(tables["sessions"][0]) == {
        "duration": [1, 2],
        "x": {"y": {"z": ["q"]}, "objects": [{"a": ["not listed"]}]},
    }
    assert sorted(lists_of(tables)) == [("duration", 0, "1"), ("duration", 1, "2"), ("x.y.z", 0, "q")]


@pytest.mark.parametrize("keys", [("x", "x.y"), ("x.y", "x")])
def test_one_list_per_field(keys: tuple[str, str]) -> None:
    """Of two unknown lists whose paths differ in dots alone one is listed, always the same, and both are kept."""
    lists = {"x.y": ["dotted"], "x": {"y": ["nested"]}}
    tables = tables_of(**{key: lists[key] for key in keys})

    assert lists_of(tables) == [("x.y", 0, "nested")]
    assert extra_of(tables["sessions"][0]) == {"x.y": ["dotted"], "x": {"y": ["nested"]}}


def test_object_at_a_scalar_column_is_kept() -> None:
    """An object where a scalar should be is unknown, whole."""
    session = session_of(client={"ip": {"v4": "192.0.2.1"}, "port": 5})

    assert session["client_ip"] is None
    assert session["client_port"] == 5
    assert extra_of(session) == {"client": {"ip": {"v4": "192.0.2.1"}}}


def test_scores() -> None:
    """An algorithm's score has its row; whatever else is below `details` is kept."""
    details = {
        "a": {"score": "7.5"},
        "b": {"score": None, "why": "new"},
        "c": 3,
        "d": None,
        "e": {"score": [1]},
        "": {"score": 1},
    }
    tables = tables_of(**{"analytics": {"score": {"details": details}}, "analytics.score.details.f.score": 9})

    assert [(row["algorithm"], row["score"]) for row in tables["session_scores"]] == [("a", 7.5), ("f", 9.0)]
    kept = {"b": {"why": "new"}, "c": 3, "d": None, "e": {"score": [1]}, "": {"score": 1}}
    assert extra_of(tables["sessions"][0]) == {"analytics": {"score": {"details": kept}}}


def test_links_are_dropped_and_nothing_else_beside_them() -> None:
    """Addresses of sub-resources follow from the key; anything else beside them is kept."""
    session = session_of(
        events={"href": "/x", "count": 3},
        **{"channels.href": "/y"},
        psm={"audit_trail": {"download": {"href": "/z"}}},
        alerts={"href": {"odd": 1}},
    )

    assert extra_of(session) == {"events": {"count": 3}, "alerts": {"href": {"odd": 1}}}


def test_what_stands_beside_the_body_is_kept() -> None:
    """A field of the item itself that nobody knows is kept under a name of its own."""
    session = rows_of([{"key": "k", "body": {"start_time": START, "x": 1}, "meta": {"href": "/"}, "x": 2}])["sessions"][
        0
    ]

    assert extra_of(session) == {"x": 1, "$item": {"x": 2}}


def test_row_hash_tells_contents_apart_and_not_orders() -> None:
    """The hash moves with any value, the revision's included, and never with the order of the keys."""
    one = session_of(user={"name": "a", "id": "b"}, revision=1)
    reordered = session_of(revision=1, user={"id": "b", "name": "a"})
    other = session_of(user={"name": "a", "id": "b"}, revision=2)

    assert one["row_hash"] == reordered["row_hash"]
    assert one["row_hash"] != other["row_hash"]
    assert len(one["row_hash"]) == 32


@pytest.mark.parametrize(
    ("item", "reason", "key"),
    [
        ("text", "key: not there, or neither text nor an integer", None),
        ({"body": {"start_time": START}}, "key: not there, or neither text nor an integer", None),
        ({"key": "", "body": {"start_time": START}}, "key: not there, or neither text nor an integer", None),
        ({"key": True, "body": {"start_time": START}}, "key: not there, or neither text nor an integer", None),
        ({"key": "k"}, "body: not an object, or empty", "k"),
        ({"key": "k", "body": [1]}, "body: not an object, or empty", "k"),
        ({"key": "k", "body": {}}, "body: not an object, or empty", "k"),
    ],
)
def test_unreadable_session_goes_to_quarantine(item: Any, reason: str, key: str | None) -> None:
    """A session without a key or contents is kept whole, with a reason that names fields and no value."""
    tables = rows_of([item])
    row = tables["quarantine"][0]

    assert list(tables) == ["quarantine"]
    assert (row["table_name"], row["session_key"], row["reason"]) == ("sessions", key, reason)
    assert json.loads(row["raw"]) == item
    assert (row["appliance"], row["run_id"]) == ("sps-1", "run-1")


def test_unreadable_session_does_not_stop_the_others() -> None:
    """Only the row that cannot be read goes to quarantine."""
    tables = rows_of([None, {"key": "k", "body": {"start_time": START}}, {"key": "l"}])

    assert [row["session_key"] for row in tables["sessions"]] == ["k"]
    assert len(tables["quarantine"]) == 2


def test_time_without_a_zone_is_refused() -> None:
    """When an answer came is never guessed."""
    with pytest.raises(ValueError, match="no zone"):
        Flattener(appliance="a", run_id="r").add_sessions([], extracted_at=NOW.astimezone(UTC).replace(tzinfo=None))
