"""Answers into the rows of sessions, channels, events and alerts, as Arrow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from spsetl import schema
from spsetl.flatten.fields import Column, as_list
from spsetl.flatten.items import Answer, Item, Unreadable, beside_body, open_items, read_key
from spsetl.flatten.paths import compile_paths
from spsetl.flatten.reading import Reading, extra_of
from spsetl.flatten.values import canonical_json, hash_of, to_integer, to_json
from spsetl.schema import SESSION_LISTS, SESSION_SCORES, SESSIONS, Table

# Under this name, which no field of a body has, `extra` holds what stands beside the body.
BESIDE: Final = "$item"

_PATHS: Final = {table.name: compile_paths(table) for table in (SESSIONS, *schema.DETAIL_TABLES)}
_SCHEMAS: Final = {table.name: table.arrow_schema for table in schema.COPIED_TABLES}


class Rows(NamedTuple):
    """What answers have become: rows by table, the fields whose values did not fit, and what could not be read."""

    batches: dict[str, pa.RecordBatch]
    misfits: Sequence[str]
    unreadable: Sequence[Unreadable]


def build_sessions(answers: Iterable[Answer], known: dict[str, str] | None, constants: Mapping[str, str]) -> Rows:
    """The rows of sessions, session_lists and session_scores; of a session's versions, the newest.

    Args:
        answers: Pages of the list.
        known: The hashes of sessions that are left out, by key; grows with the others'.
        constants: Columns that have one value in every row.
    """
    unreadable: list[Unreadable] = []
    newest: dict[str, Item] = {}
    for item in open_items(SESSIONS, answers, unreadable):
        key, row_hash = item.session_key, item.row_hash
        if known is not None:
            if known.get(key) == row_hash:
                continue
            known[key] = row_hash
        if key not in newest or _version(newest[key]) <= _version(item):
            newest[key] = item
    if not newest:
        return Rows({}, (), unreadable)
    items = list(newest.values())
    reading = Reading(_PATHS[SESSIONS.name], [item.content for item in items])
    columns = reading.columns | _lineage(items) | {"row_hash": [item.row_hash for item in items]}
    columns["extra"] = _extra(reading, items, list(newest))
    batch = build_batch(SESSIONS, columns, constants)
    batches = {SESSIONS.name: batch}
    reading.gather_lists()
    lists = [
        (at, path, *entry)
        for path, found in reading.lists.items()
        for at, entries in found.items()
        for entry in entries
    ]
    scores = [(at, algorithm, score) for (at, algorithm), score in reading.scores.items()]
    for table, rows in ((SESSION_LISTS, lists), (SESSION_SCORES, scores)):
        if rows:
            places, *values = zip(*rows, strict=True)
            columns = {name: batch.column(name).take(pa.array(places)) for name in ("session_key", "extracted_at")}
            columns |= zip(table.names[2:], values, strict=False)  # behind appliance and session_key
            batches[table.name] = build_batch(table, columns, constants)
    return Rows(batches, [field for _, field in reading.misfits], unreadable)


def _version(item: Item) -> tuple[bool, int]:
    """Grows with the revision; a session that hides its revision comes before all that have one."""
    try:
        return True, to_integer(item.content.get("revision"))
    except (ValueError, OverflowError):
        return False, 0


def build_details(table: Table, answers: Iterable[Answer], constants: Mapping[str, str]) -> Rows:
    """The rows of one table of details, each key of a session once."""
    unreadable: list[Unreadable] = []
    items = list(open_items(table, answers, unreadable))
    reading = Reading(_PATHS[table.name], [item.content for item in items])
    name = table.key[-1]
    keys = _keys(table, items, reading)
    kept: list[int] = []
    seen: dict[tuple[str, Any], Item] = {}
    for place, (item, key) in enumerate(zip(items, keys, strict=True)):
        first = seen.setdefault((item.session_key, key), item)
        if key is None or key == "":
            unreadable.append(item.refused(f"{name}: missing"))
        elif first is item:
            kept.append(place)
        elif canonical_json(first.item) != canonical_json(item.item):
            unreadable.append(item.refused(f"{name} repeated with other contents"))
    if not kept:
        return Rows({}, (), unreadable)
    own = [item.session_key for item in items] if table is schema.INDEXING else [str(key) for key in keys]
    columns = reading.columns | _lineage(items) | {name: keys, "extra": _extra(reading, items, own)}
    batch = build_batch(table, columns, constants)
    if len(kept) < len(items):
        batch = batch.take(pa.array(kept))
    places = set(kept)
    return Rows({table.name: batch}, [field for place, field in reading.misfits if place in places], unreadable)


def _keys(table: Table, items: Sequence[Item], reading: Reading) -> list[Any]:
    """What tells the rows of a session apart."""
    if table.key[-1] == "position":
        return [item.position for item in items]
    name = "channel_id" if table is schema.CHANNELS else table.key[-1]
    said = as_list(reading.columns.get(name, [None] * reading.size))
    if table is schema.CHANNELS:
        return [read_key(item.item) or key for item, key in zip(items, said, strict=True)]
    return said


def _extra(reading: Reading, items: Sequence[Item], keys: Sequence[str]) -> list[str | None]:
    """What no column holds, as JSON."""
    extra: list[str | None] = [None] * reading.size
    for place, (item, key) in enumerate(zip(items, keys, strict=True)):
        beside = beside_body(item, key)
        if beside or place in reading.unknown:
            whole = extra_of(reading.unknown.get(place, ()))
            extra[place] = to_json(whole | {BESIDE: beside} if beside else whole)
    return extra


def build_quarantine(unreadable: Sequence[tuple[Table, Unreadable]], constants: Mapping[str, str]) -> pa.RecordBatch:
    """The rows of quarantine."""
    raws = [to_json(one.item) for _, one in unreadable]
    # Two sessions can have one and the same unreadable event: two rows, which only their hash tells apart.
    owners = [one.session_key if table.parent else "" for table, one in unreadable]
    columns = {
        "table_name": [table.name for table, _ in unreadable],
        "reason": [one.reason for _, one in unreadable],
        "raw": raws,
        "row_hash": [hash_of(f"{owner}\n{raw}".encode()) for owner, raw in zip(owners, raws, strict=True)],
    }
    return build_batch(schema.QUARANTINE, columns | _lineage([one for _, one in unreadable]), constants)


def _lineage(items: Sequence[Item | Unreadable]) -> dict[str, Column]:
    """Whose rows they are, and when they came."""
    return {
        "session_key": [item.session_key for item in items],
        "extracted_at": [item.extracted_at for item in items],
    }


def build_batch(table: Table, columns: Mapping[str, Column], constants: Mapping[str, str]) -> pa.RecordBatch:
    """The columns as one batch, in the schema's order; what is neither there nor constant is NULL."""
    fields, size = _SCHEMAS[table.name], len(columns["session_key"])
    arrays: list[pa.Array[Any]] = []
    for field in fields:
        if field.name in columns:
            column = columns[field.name]
            arrays.append(column if isinstance(column, pa.Array) else pa.array(column, field.type))
        elif field.name in constants:
            arrays.append(pa.repeat(constants[field.name], size))
        else:
            arrays.append(pa.nulls(size, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=fields)
