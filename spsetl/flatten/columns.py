"""Typed sessions into Arrow, column by column: the same rows that `document` makes of them one by one, at a third."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET

from spsetl import schema
from spsetl.flatten.document import Keys, extra_of, lists_in
from spsetl.flatten.layout import Level, Session
from spsetl.flatten.paths import Leaf
from spsetl.flatten.values import hash_of, to_double, to_index_status, to_json, to_timestamp
from spsetl.schema import SESSION_LISTS, SESSION_SCORES, SESSIONS, Kind

Column: TypeAlias = "Sequence[Any] | pa.Array[Any]"
_UTC: Final = pa.timestamp("us", "UTC")
_YEARS: Final = range(-62_135_596_800_000_000, 253_402_300_800_000_000)  # 1 to 9999, in microseconds
_CANONICAL: Final = msgspec.json.Encoder(order="sorted")
_SLOTS: Final = {name: slot for slot, name in enumerate(SESSIONS.names)}
_INDEX_STATUS: Final = _SLOTS["recording_index_status"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A session, what tells its contents apart, and when the answer came; UTC, without a zone."""

    session: Session
    row_hash: str
    extracted_at: datetime


def hash_of_session(session: Session) -> str:
    """As `rows.hash_of_body`: typed values are encoded as they came, with sorted keys."""
    return hash_of(_CANONICAL.encode(session.body))


@dataclass(slots=True)
class _Reading:
    """The columns of some sessions of one layout, as they are gathered."""

    columns: dict[int, Column] = field(default_factory=dict)
    lists: list[tuple[int, str, int, str]] = field(default_factory=list)
    scores: list[tuple[int, str, float]] = field(default_factory=list)
    unknown: dict[int, list[tuple[Keys, Any]]] = field(default_factory=dict)
    odd: set[int] = field(default_factory=set)


def build_batches(
    listed: Iterable[Listed], constants: Mapping[str, str]
) -> tuple[dict[str, list[pa.RecordBatch]], list[Listed]]:
    """The rows of `sessions`, `session_lists` and `session_scores`, and what has to be left to `document`.

    Args:
        listed: Each session once.
        constants: Columns that have one value in every row.

    Returns:
        Batches by table, and the sessions that are not in them: a time of theirs is none.
    """
    batches: dict[str, list[pa.RecordBatch]] = {}
    odd: list[Listed] = []
    for _, group in groupby(sorted(listed, key=_layout_number), key=_layout_number):
        some = list(group)
        reading = _read(some)
        if reading.odd:
            odd += [some[place] for place in reading.odd]
            some = [one for place, one in enumerate(some) if place not in reading.odd]
            reading = _read(some)
        if some:
            _build(some, reading, constants, batches)
    return batches, odd


def count_rows(listed: Iterable[Listed]) -> int:
    """How many rows `build_batches` makes of them, in all tables; one of each that it leaves out."""
    readings = [_read([one]) for one in listed]
    return sum(1 + len(reading.lists) + len(reading.scores) for reading in readings)


def _layout_number(one: Listed) -> int:
    return one.session.layout.number


def _read(listed: Sequence[Listed]) -> _Reading:
    reading = _Reading()
    if listed:
        bodies = [one.session.body for one in listed]
        _walk(listed[0].session.layout.root, (), bodies, reading)
    for place, unknown in reading.unknown.items():
        _gather_lists(reading, place, unknown)
    return reading


def _build(
    listed: Sequence[Listed],
    reading: _Reading,
    constants: Mapping[str, str],
    batches: dict[str, list[pa.RecordBatch]],
) -> None:
    keys = [one.session.key for one in listed]
    times = [one.extracted_at for one in listed]
    columns = reading.columns
    columns[_SLOTS["session_key"]] = keys
    columns[_SLOTS["extracted_at"]] = times
    columns[_SLOTS["row_hash"]] = [one.row_hash for one in listed]
    extra: list[str | None] = [None] * len(listed)
    for place, unknown in reading.unknown.items():
        extra[place] = to_json(extra_of(unknown))
    columns[_SLOTS["extra"]] = extra
    batches.setdefault(SESSIONS.name, []).append(_batch(SESSIONS, columns, len(listed), constants))
    if reading.lists:
        places, names, positions, values = zip(*reading.lists, strict=True)
        found = [[keys[p] for p in places], names, positions, values, [times[p] for p in places]]
        made = _batch(SESSION_LISTS, _by_slot(found), len(places), constants)
        batches.setdefault(SESSION_LISTS.name, []).append(made)
    if reading.scores:
        places, names, values = zip(*reading.scores, strict=True)
        found = [[keys[p] for p in places], names, values, [times[p] for p in places]]
        made = _batch(SESSION_SCORES, _by_slot(found), len(places), constants)
        batches.setdefault(SESSION_SCORES.name, []).append(made)


def _by_slot(columns: Sequence[Sequence[Any]]) -> dict[int, Column]:
    """Columns behind `appliance`."""
    return dict(enumerate(columns, start=1))


def _batch(
    table: schema.Table, columns: Mapping[int, Column], size: int, constants: Mapping[str, str]
) -> pa.RecordBatch:
    arrays: list[pa.Array[Any]] = []
    for slot, column in enumerate(table.arrow_schema):
        if column.name in constants:
            arrays.append(pa.repeat(constants[column.name], size))
        elif slot in columns:
            found = columns[slot]
            arrays.append(found if isinstance(found, pa.Array) else pa.array(found, column.type))
        else:
            arrays.append(pa.nulls(size, column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=table.arrow_schema)


def _walk(level: Level, keys: Keys, contents: Sequence[Any], reading: _Reading) -> None:
    """Read one object of all sessions; those that have none there have an empty one."""
    for attribute, leaf in level.leaves:
        reading.columns[leaf.slot] = _column(leaf, list(map(attrgetter(attribute), contents)), reading)
    if level.scores:
        _read_scores(map(attrgetter(level.scores), contents), reading)
    for attribute, key in level.unknown:
        for place, value in enumerate(map(attrgetter(attribute), contents)):
            if value is not UNSET:
                reading.unknown.setdefault(place, []).append(((*keys, key), msgspec.to_builtins(value)))
    for attribute, key, below in level.levels:
        found = [content or below.empty for content in map(attrgetter(attribute), contents)]
        if any(content is not below.empty for content in found):
            _walk(below, (*keys, key), found, reading)


def _column(leaf: Leaf, found: list[Any], reading: _Reading) -> Column:
    if leaf.is_list:
        return [_join(leaf, place, value, reading) for place, value in enumerate(found)]
    if leaf.kind is Kind.TIMESTAMP:
        return _read_times(found, reading)
    if leaf.kind is Kind.JSON:
        return [None if value is UNSET or value is None or value == "" else to_json(value) for value in found]
    if leaf.slot == _INDEX_STATUS:
        return [None if value is UNSET or value is None else to_index_status(value) for value in found]
    return [None if value is UNSET else value for value in found]


def _join(leaf: Leaf, place: int, value: Any, reading: _Reading) -> str | None:
    """The text of a list, each of whose values is a row."""
    if type(value) is str:
        reading.lists.append((place, leaf.path, 0, value))
        return value
    if not value:  # empty, null or not there
        return None
    reading.lists += [(place, leaf.path, position, one) for position, one in enumerate(value)]
    return ",".join(value)


def _read_times(found: list[Any], reading: _Reading) -> Column:
    """By Arrow, which takes fewer spellings of a time, where all of them are among those."""
    try:
        texts: pa.StringArray = pa.array([value or None for value in found], pa.string())
        times = texts.cast(_UTC).cast(Kind.TIMESTAMP.arrow_type)
    except pa.ArrowInvalid:
        return [_read_time(place, value, reading) for place, value in enumerate(found)]
    numbers = times.cast(pa.int64())
    if all(bound is None or bound in _YEARS for bound in (pc.min(numbers).as_py(), pc.max(numbers).as_py())):
        return times
    return [_read_time(place, value, reading) for place, value in enumerate(found)]


def _read_time(place: int, value: Any, reading: _Reading) -> datetime | None:
    try:
        return to_timestamp(value) if value else None
    except (ValueError, OverflowError):
        reading.odd.add(place)
        return None


def _read_scores(found: Iterable[Any], reading: _Reading) -> None:
    for place, scores in enumerate(found):
        for algorithm, said in (scores or {}).items():
            if not algorithm or "." in algorithm:
                reading.odd.add(place)
            elif said.score is not None:
                reading.scores.append((place, algorithm, to_double(said.score)))


def _gather_lists(reading: _Reading, place: int, unknown: Sequence[tuple[Keys, Any]]) -> None:
    for path, entries in lists_in(unknown).items():
        reading.lists += [(place, path, position, value) for position, value in entries]
