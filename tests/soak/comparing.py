"""A copy beside its source, counted: what it lacks, has more than once, and has wrong."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import duckdb

from spsetl import schema
from spsetl.simulator import World
from tests.oracle import (
    KINDS,
    Row,
    actual_rows,
    differences,
    expected_details,
    expected_lists,
    expected_scores,
    expected_session,
)
from tests.syncing import NAME

_EXAMPLES = 5
_VALUES = {"session_lists": 3, "session_scores": 2}  # so many columns are the key, and the next one is the value
Key = tuple[Any, ...]
Rows = dict[str, dict[Key, Any]]
"""Rows by table, and by their key, which begins with that of the session."""


@dataclass
class Differences:
    """How far a copy is from its source, with some examples."""

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def __iadd__(self, other: Self) -> Self:
        self.lost += other.lost
        self.doubled += other.doubled
        self.wrong += other.wrong
        self.examples += other.examples[: max(0, _EXAMPLES - len(self.examples))]
        return self

    @property
    def total(self) -> int:
        """All of them."""
        return self.lost + self.doubled + self.wrong

    def note(self, kind: Literal["lost", "doubled", "wrong"], what: str) -> None:
        """Count one."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{kind}: {what}")


class Source:
    """A world, and what a copy of it must hold; what has not changed is worked out once only.

    Args:
        world: The truth.
        kinds: The details that are asked for.
    """

    def __init__(self, world: World, kinds: Collection[str] = KINDS) -> None:
        self.world = world
        self.kinds = tuple(kinds)
        self.ever = set(world.keys())
        self._known: dict[str, tuple[Any, Rows]] = {}

    def note_keys(self) -> None:
        """Sessions that are there now may be in the copy for ever."""
        self.ever |= set(self.world.keys())

    def compare(
        self, warehouse: Path, *, only: Collection[str] | None = None, kept: Collection[str] = ()
    ) -> Differences:
        """Count what of the sessions that are listed is not in the copy once and equal, and what is not marked missing.

        Args:
            warehouse: The published file.
            only: Only these of the sessions that are listed.
            kept: Sessions that an earlier state of the copy had: it never loses one.
        """
        found = Differences()
        listed = set(self.world.keys())
        keys = listed if only is None else listed & set(only)
        expected: Rows = {table: {} for table in ("sessions", *_VALUES, *self.kinds)}
        for key in keys:
            for table, rows in self._rows(key).items():
                expected[table].update(rows)
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            for table, rows in expected.items():
                actual = list(_rows_of(connection, table))
                if table == "sessions":
                    self._compare_presence(found, actual, listed, keys, kept)
                _tally(found, table, rows, actual, keys)
        return found

    def _compare_presence(
        self,
        found: Differences,
        rows: Iterable[tuple[Key, Row]],
        listed: set[str],
        keys: set[str],
        kept: Collection[str],
    ) -> None:
        copied = set()
        for (key,), row in rows:
            is_marked = row.pop("missing_since") is not None
            copied.add(key)
            if key in keys and is_marked:
                found.note("lost", f"session {key} is at the source, and marked missing")
            elif key not in self.ever:
                found.note("wrong", f"session {key} never was at the source")
            elif key not in listed and not is_marked and keys == listed:
                found.note("wrong", f"session {key} has gone from the source, and is not marked missing")
        for key in set(kept) - copied:
            found.note("lost", f"session {key} was in the copy, and is there no more")

    def _rows(self, key: str) -> Rows:
        session = self.world.find(key)
        known = self._known.get(key)
        if known is None or known[0] != session:
            known = self._known[key] = session, self._expected(key)
        return known[1]

    def _expected(self, key: str) -> Rows:
        session = expected_session(self.world, key, NAME)
        del session["missing_since"]
        rows: Rows = {
            "sessions": {(key,): session},
            "session_lists": {row[:3]: row[3] for row in expected_lists(self.world, key)},
            "session_scores": {row[:2]: row[2] for row in expected_scores(self.world, key)},
        }
        for kind in self.kinds:
            table = schema.BY_NAME[kind]
            details = expected_details(self.world, key, table, NAME)
            rows[kind] = {(key, row[table.key[-1]]): row for row in details}
        return rows


def _rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[tuple[Key, Any]]:
    """The rows of a table of the copy with their keys."""
    if table in _VALUES:
        names = "session_key, field, position, value" if table == "session_lists" else "session_key, algorithm, score"
        for row in connection.execute(f"select {names} from {table}").fetchall():
            yield row[: _VALUES[table]], row[_VALUES[table]]
        return
    described = schema.BY_NAME[table]
    keys = [name for name in described.key if name != "appliance"]
    for columns in actual_rows(connection, described):
        yield tuple(columns[name] for name in keys), columns


def _tally(
    found: Differences, table: str, expected: dict[Key, Any], actual: Iterable[tuple[Key, Any]], keys: set[str]
) -> None:
    """Count the differences of one table; of sessions that are listed no more, only what is there twice."""
    seen: set[Key] = set()
    for key, row in actual:
        if key in seen:
            found.note("doubled", f"{table} {key}")
            continue
        seen.add(key)
        if key[0] not in keys:
            continue
        if key not in expected:
            found.note("wrong", f"{table} {key} is not at the source")
        elif row != expected[key]:
            what = sorted(differences(row, expected[key])) if isinstance(row, dict) else row
            if what:
                found.note("wrong", f"{table} {key}: {what}")
    for key in expected.keys() - seen:
        found.note("lost", f"{table} {key}")


def copied_keys(warehouse: Path) -> set[str]:
    """The keys of all sessions of a published copy."""
    if not warehouse.exists():
        return set()
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {key for (key,) in connection.execute("select session_key from sessions").fetchall()}
