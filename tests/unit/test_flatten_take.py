"""What is gathered between two takes: neither lost nor doubled."""

from datetime import UTC, datetime
from typing import Any

import pytest

from spsetl import schema
from spsetl.flatten import Flattener
from spsetl.flatten.paths import compile_paths
from spsetl.schema import BY_NAME, CHANNELS, EVENTS, Column, Kind, Table

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def flattener() -> Flattener:
    """A flattener that has gathered nothing."""
    return Flattener(appliance="a", run_id="r")


def session(key: str, revision: int | None, *tags: str) -> dict[str, Any]:
    """A session with these tags, and a score of an algorithm of each name."""
    details = {tag: {"score": 1} for tag in tags}
    analytics = {"tags": list(tags), "score": {"details": details}}
    return {"key": key, "body": {"start_time": 0, "revision": revision, "analytics": analytics}}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (1, 2, "second"),
        (2, 1, "first"),
        (1, 1, "second"),
        (None, 0, "second"),
        (0, None, "first"),
        (None, None, "second"),
    ],
)
def test_one_version_of_a_session(flattener: Flattener, first: int | None, second: int | None, expected: str) -> None:
    """Of a session's versions the highest revision is kept, the later of equal ones, with its own lists and scores."""
    flattener.add_sessions([session("k", first, "first")], extracted_at=NOW)
    flattener.add_sessions([session("k", second, "second")], extracted_at=NOW)

    taken = flattener.take()
    assert taken["sessions"]["analytics_tags"].to_pylist() == [expected]
    assert taken["session_lists"]["value"].to_pylist() == [expected]
    assert taken["session_scores"]["algorithm"].to_pylist() == [expected]


def test_details_added_again_replace_the_former(flattener: Flattener) -> None:
    """A session's details are what was added last, quarantine included; other tables and sessions stay."""
    flattener.add_details(EVENTS, "s", [{"record_id": 1}, {"bad": 1}], extracted_at=NOW)
    flattener.add_details(EVENTS, "t", [{"record_id": 1}], extracted_at=NOW)
    flattener.add_details(CHANNELS, "s", [{"key": "1", "body": {}}], extracted_at=NOW)
    flattener.add_details(EVENTS, "s", [{"record_id": 2}], extracted_at=NOW)

    assert flattener.in_hand == 3
    taken = flattener.take()
    events = zip(*(taken["events"][name].to_pylist() for name in ("session_key", "record_id")), strict=True)
    assert sorted(events) == [("s", 2), ("t", 1)]
    assert set(taken) == {"events", "channels"}


def test_take_empties(flattener: Flattener) -> None:
    """Rows are handed on once; with nothing gathered there is nothing to take."""
    flattener.add_sessions([session("k", 1, "x"), "odd"], extracted_at=NOW)

    assert flattener.in_hand == 2
    assert sum(batch.num_rows for batch in flattener.take().values()) == 4
    assert flattener.in_hand == 0
    assert flattener.take() == {}


def test_batches_have_the_tables_schemas(flattener: Flattener) -> None:
    """Each batch has its table's columns, in order, even where all of a column is NULL."""
    flattener.add_sessions([session("k", None, "x"), {}], extracted_at=NOW)
    for table in schema.DETAIL_TABLES:
        flattener.add_details(table, "k", [{"key": "1", "record_id": 1, "body": {}}], extracted_at=NOW)
    taken = flattener.take()

    assert set(taken) == {table.name for table in schema.COPIED_TABLES}
    for name, batch in taken.items():
        assert batch.schema == BY_NAME[name].arrow_schema


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a.b"), ("a.b", "a")])
def test_two_columns_cannot_share_a_field(paths: tuple[str, str]) -> None:
    """A schema in which one field is two columns, or lies within another, is refused."""
    columns = tuple(Column(f"c{i}", path, Kind.TEXT, "") for i, path in enumerate(paths))

    with pytest.raises(ValueError, match=r"two columns for|below it"):
        compile_paths(Table("t", "", ("c0",), columns))
