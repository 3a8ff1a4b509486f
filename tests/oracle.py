"""What a copy must hold, read from a simulated world by boring Python that shares nothing with spsetl's own reading."""

import json
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from spsetl import schema
from spsetl.simulator import World

Row = dict[str, Any]

INDEX_STATUS = [
    "CHANNEL_OPEN",
    "NOT_INDEXED",
    "INDEXING_IN_PROGRESS",
    "INDEXED",
    "INDEXING_NOT_REQUIRED",
    "INDEXING_FAILED",
    "NO_TRAIL",
]
WITHOUT_EVENTS = {"CHANNEL_OPEN", "NOT_INDEXED", "INDEXING_NOT_REQUIRED", "NO_TRAIL"}
KINDS = ("channels", "events", "alerts")
MADE = {"extra", "row_hash", "extracted_at", "run_id"}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a document with its dotted path; a list is a leaf."""
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path, value


def at(body: Row, path: str) -> Any:
    """What stands at a dotted path, None if nothing does."""
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def as_text(value: Any) -> str:
    """A scalar the way a text column holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def as_column(value: Any, kind: str) -> Any:
    """A leaf as its column holds it."""
    if value is None:
        return None
    if isinstance(value, list):
        return ",".join(as_text(v) for v in value if v is not None) or None
    if kind == "TIMESTAMP":
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
    if kind == "VARCHAR":
        return as_text(value)
    return value


def columns_of(table: schema.Table, body: Row) -> Row:
    """The columns of a row that have a field of the API; and, in `extra`, the document's other leaves."""
    found = dict(leaves(body))
    row: Row = {}
    for column in table.columns:
        if column.path and column.kind.value != "JSON":
            row[column.name] = as_column(found.get(column.path), column.kind.value)
        elif column.path:
            row[column.name] = at(body, column.path)
            found = {p: v for p, v in found.items() if not f"{p}.".startswith(f"{column.path}.")}
    known = {column.path for column in table.columns}
    extra = {
        path: value
        for path, value in found.items()
        if path not in known
        and not path.endswith(".href")
        and not f"{path}.".startswith("analytics.score.details.")
        and path not in schema.LIST_FIELDS
    }
    # An object that the API documents can be null or empty as a whole, and says nothing then.
    parents = {".".join(p.split(".")[:n]) for p in known for n in range(1, p.count(".") + 1)}
    row["extra"] = {p: v for p, v in extra.items() if not (p in parents and v in (None, {}))} or None
    return row


def expected_session(world: World, key: str, appliance: str) -> Row:
    """The session's row, without lineage and hash."""
    body = world.session(key)["body"]
    row = columns_of(schema.SESSIONS, body) | {"appliance": appliance, "session_key": key, "missing_since": None}
    status = row["recording_index_status"]
    if status is not None and status.isdigit():
        row["recording_index_status"] = INDEX_STATUS[int(status)]
    return row


def expected_lists(world: World, key: str) -> list[tuple[str, str, int, str]]:
    """The session's rows of session_lists: key, field, position, value."""
    rows = []
    for path, value in leaves(world.session(key)["body"]):
        if isinstance(value, list):
            rows += [
                (key, path, position, as_text(v) if not isinstance(v, dict | list) else json.dumps(v))
                for position, v in enumerate(value)
                if v is not None
            ]
        elif path in schema.LIST_FIELDS and value is not None:
            rows.append((key, path, 0, as_text(value)))
    return sorted(rows)


def expected_scores(world: World, key: str) -> list[tuple[str, str, float]]:
    """The session's rows of session_scores."""
    details = ((world.session(key)["body"].get("analytics") or {}).get("score") or {}).get("details") or {}
    return sorted((key, name, float(v["score"])) for name, v in details.items() if v.get("score") is not None)


def expected_details(world: World, key: str, table: schema.Table, appliance: str) -> list[Row]:
    """The session's details of one kind, without lineage."""
    if table is schema.CHANNELS:
        items = [(c["body"], {"channel_key": str(c["key"])}) for c in world.channels(key)]
    elif table is schema.TRAIL_DOWNLOADS:
        items = [(item, {"position": n}) for n, item in enumerate(world.trail_downloads(key))]
    elif table is schema.INDEXING:
        found = world.indexing(key)
        items = [(found, {"position": 0})] if found else []
    else:
        items = [(item, {}) for item in getattr(world, table.name)(key)]
    return [columns_of(table, body) | own | {"appliance": appliance, "session_key": key} for body, own in items]


def actual_rows(connection: duckdb.DuckDBPyConnection, table: schema.Table) -> list[Row]:
    """All rows of a table of the copy, JSON decoded, without what the source does not determine."""
    left_out = MADE - {"extra"}
    names = [name for name in table.names if name not in left_out]
    rows = connection.execute(f"select {', '.join(names)} from {table.name}").fetchall()
    decoded = []
    for values in rows:
        row = dict(zip(names, values, strict=True))
        for column in table.columns:
            if column.kind.value == "JSON" and row.get(column.name) is not None:
                row[column.name] = json.loads(row[column.name])
        if row.get("extra"):
            row["extra"] = dict(leaves(row["extra"]))
        decoded.append(row)
    return decoded


def differences(actual: Row, expected: Row) -> dict[str, tuple[Any, Any]]:
    """The columns that differ, with what is there and what should be."""
    names = actual.keys() | expected.keys()
    return {n: (actual.get(n), expected.get(n)) for n in names if actual.get(n) != expected.get(n)}


def as_it_is(row: Row) -> Row:
    """An appliance that tells everything as it is."""
    return row


def assert_equal_copy(
    world: World,
    warehouse: Path,
    *,
    appliance: str,
    keys: list[str] | None = None,
    gone: Collection[str] = (),
    kinds: Collection[str] = KINDS,
    told: Callable[[Row], Row] = as_it_is,
) -> None:
    """Every session, channel, event and alert of the world is in the copy once, equal field by field.

    Args:
        world: The truth.
        warehouse: The published file.
        appliance: Its name in the copy.
        keys: The sessions that must be there; all that the world shows by default.
        gone: Sessions that the world shows no more, and the copy must have, marked as missing.
        kinds: The details that were asked for.
        told: What an appliance of another version makes of a row.
    """
    keys = world.keys() if keys is None else keys
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = actual_rows(connection, schema.SESSIONS)
        sessions = {row["session_key"]: row for row in rows if row["appliance"] == appliance}
        counted = "select count(*) from sessions where appliance = $appliance"
        count = connection.execute(counted, {"appliance": appliance}).fetchall()[0][0]
        assert count == len(sessions) == len(keys) + len(gone)
        assert {key for key, row in sessions.items() if row["missing_since"] is not None} == set(gone)
        for key in keys:
            assert differences(sessions[key], told(expected_session(world, key, appliance))) == {}, key
        lists = _of(connection, "session_lists", "session_key, field, position, value", appliance)
        assert sorted(lists) == sorted(row for key in keys for row in expected_lists(world, key))
        scores = _of(connection, "session_scores", "session_key, algorithm, score", appliance)
        assert sorted(scores) == sorted(row for key in keys for row in expected_scores(world, key))
        for table in (schema.BY_NAME[kind] for kind in kinds):
            id_name = table.key[-1]
            found = [row for row in actual_rows(connection, table) if row["appliance"] == appliance]
            actual = {(row["session_key"], row[id_name]): row for row in found if row["session_key"] not in gone}
            expected = [row for key in keys for row in expected_details(world, key, table, appliance)]
            assert len(_of(connection, table.name, "session_key", appliance)) == len(actual)
            assert len(actual) == len(expected)
            for row in expected:
                assert differences(actual[row["session_key"], row[id_name]], told(row)) == {}, row["session_key"]


def _of(connection: duckdb.DuckDBPyConnection, table: str, columns: str, appliance: str) -> list[tuple[Any, ...]]:
    """Rows of the sessions that are not missing."""
    return connection.execute(
        f"select {columns} from {table} t semi join (select * from sessions where missing_since is null) s "
        "on t.appliance = s.appliance and t.session_key = s.session_key where t.appliance = $appliance",
        {"appliance": appliance},
    ).fetchall()
