"""Gathers rows out of the appliance's answers and hands them on as Arrow."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from spsetl import schema
from spsetl.flatten.batches import build_batch
from spsetl.flatten.columns import Listed, build_batches, count_rows, hash_of_session
from spsetl.flatten.document import UnreadableError
from spsetl.flatten.layout import Session
from spsetl.flatten.pages import as_item
from spsetl.flatten.rows import Row, SessionRow, hash_of_body, read_detail, read_key, read_session
from spsetl.flatten.values import canonical_json, hash_of, to_json
from spsetl.schema import Table


@dataclass(slots=True)
class _Details:
    """One session's channels, events or alerts, and what could not be read of them."""

    rows: list[Row] = field(default_factory=list)
    unreadable: list[Row] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.unreadable)


@dataclass
class Quality:
    """How much of what came was as it should be.

    Attributes:
        given: Rows, by table.
        unreadable: Those of them that went to quarantine.
        misfits: Values that no column could take, by table and field, such as `sessions.vault.available`.
    """

    given: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    misfits: Counter[str] = field(default_factory=Counter)

    def note_misfits(self, table: Table, fields: Sequence[str]) -> None:
        """Of one row."""
        if fields:
            self.misfits.update(f"{table.name}.{name}" for name in fields)

    def add(self, other: "Quality") -> None:
        """What another part of the run was given."""
        self.given.update(other.given)
        self.unreadable.update(other.unreadable)
        self.misfits.update(other.misfits)


class Flattener:
    """Turns answers into Arrow batches of one appliance and one run.

    Nothing of an answer is lost: each field is in a column, in `session_lists`, in `session_scores` or in `extra`, but
    for links to sub-resources; a row without a key or contents is in `quarantine`, whole. And nothing is
    doubled: between two `take()`, of a session's versions the one with the highest revision is kept (the later of
    two equal ones), with its lists and scores alone; adding a session's channels, events or alerts again replaces the
    former.

    Args:
        appliance: Its name, the first part of every key.
        run_id: The sync that fetches.
        known: The `row_hash` of sessions that need not be gathered again, by key; grows with those that are gathered.

    Attributes:
        unchanged: How many sessions were left out, since they were known.
        quality: What was given and not as it should be, since the beginning.
    """

    def __init__(
        self,
        *,
        appliance: str,
        run_id: str,
        known: dict[str, str] | None = None,
    ) -> None:
        self.unchanged = 0
        self.quality = Quality()
        self._known = {} if known is None else known
        self._is_told = known is not None
        self._constants = {"appliance": appliance, "run_id": run_id}
        self._listed: dict[str, Listed] = {}
        self._sessions: dict[str, SessionRow] = {}
        self._details: dict[tuple[str, str], _Details] = {}
        self._unreadable: list[Row] = []
        self._rows = 0

    @property
    def rows(self) -> int:
        """Rows gathered since the last `take()`, in all tables."""
        return self._rows + count_rows(self._listed.values())

    def add_sessions(self, items: Sequence[Any], *, extracted_at: datetime) -> None:
        """Gather sessions.

        Args:
            items: As the list gives them, `{"key", "body", "meta"}` ("Audited sessions"), or as `PageReader` decodes
                them.
            extracted_at: When the answer came; with a zone.
        """
        moment = _naive_utc(extracted_at)
        self.quality.given[schema.SESSIONS.name] += len(items)
        for item in items:
            if isinstance(item, Session):
                self._add_listed(Listed(item, hash_of_session(item), moment))
            else:
                self._add_item(item, moment)

    def _add_listed(self, listed: Listed) -> None:
        key = listed.session.key
        if self._is_told and self._known.get(key) == listed.row_hash:
            self.unchanged += 1
        elif key in self._sessions or key in self._listed:
            # Two versions: which is to be kept is found out one by one.
            if former := self._listed.pop(key, None):
                self._add_item(as_item(former.session), former.extracted_at)
            self._add_item(as_item(listed.session), listed.extracted_at)
        else:
            self._listed[key] = listed

    def _add_item(self, item: Any, moment: datetime) -> None:
        try:
            if not self._is_unchanged(item):
                self._keep(read_session(item, moment))
        except UnreadableError as error:
            self._unreadable.append(_quarantined(schema.SESSIONS, read_key(item), item, str(error), moment))
            self.quality.unreadable[schema.SESSIONS.name] += 1
            self._rows += 1

    def _is_unchanged(self, item: Any) -> bool:
        """Whether the copy has just this: nearly all of a night, so it is found out before anything else is."""
        known = self._known.get(read_key(item) or "") if self._is_told else None
        if known is None or known != hash_of_body(item):
            return False
        self.unchanged += 1
        return True

    def _keep(self, row: SessionRow) -> None:
        if self._is_told:
            self._known[row.key] = row.row_hash
        former = self._sessions.get(row.key)
        if former is not None:
            if former.version > row.version:
                return
            self._rows -= former.size
        self._sessions[row.key] = row
        self.quality.note_misfits(schema.SESSIONS, row.misfits)
        self._rows += row.size

    def add_details(self, table: Table, session_key: str, items: Sequence[Any], *, extracted_at: datetime) -> None:
        """Gather all channels, events or alerts of one session, in place of those gathered of it before.

        An item that repeats another is left out; one that repeats its key with other contents goes to quarantine.

        Args:
            table: One of `schema.DETAIL_TABLES`.
            session_key: The session they belong to.
            items: As the appliance gives them, bare or as `{"key", "body"}` ("Session events", "Session alerts").
            extracted_at: When the answer came; with a zone.
        """
        details = self._read_details(table, session_key, items, _naive_utc(extracted_at))
        former = self._details.get((table.name, session_key))
        self._details[table.name, session_key] = details
        self._rows += details.size - (former.size if former else 0)

    def _read_details(self, table: Table, session_key: str, items: Sequence[Any], moment: datetime) -> _Details:
        details = _Details()
        seen: dict[Any, Any] = {}
        slot = table.names.index(table.key[-1])
        self.quality.given[table.name] += len(items)
        for position, item in enumerate(items):
            try:
                row, misfits = read_detail(table, session_key, item, position, moment)
                key = row[slot]
                if key not in seen:
                    seen[key] = item
                    details.rows.append(row)
                    self.quality.note_misfits(table, misfits)
                elif canonical_json(seen[key]) != canonical_json(item):
                    raise UnreadableError(f"{table.key[-1]} repeated with other contents")  # noqa: TRY301 the same
            except UnreadableError as error:
                details.unreadable.append(_quarantined(table, session_key, item, str(error), moment))
                self.quality.unreadable[table.name] += 1
        return details

    def take(self) -> dict[str, pa.RecordBatch]:
        """All that was gathered, by table; tables without rows are left out. Nothing is gathered afterwards."""
        taken = self._take_listed()
        sessions, details, unreadable = self._sessions, self._details, self._unreadable
        self._sessions, self._details, self._unreadable, self._rows = {}, {}, [], 0
        rows: dict[str, list[Any]] = {
            schema.SESSIONS.name: [row.values for row in sessions.values()],
            schema.SESSION_LISTS.name: list(_list_rows(sessions.values())),
            schema.SESSION_SCORES.name: list(_score_rows(sessions.values())),
            **{table.name: [] for table in schema.DETAIL_TABLES},
            schema.QUARANTINE.name: unreadable,
        }
        for (name, _), found in details.items():
            rows[name] += found.rows
            rows[schema.QUARANTINE.name] += found.unreadable
        for name, gathered in rows.items():
            if gathered:
                taken.setdefault(name, []).append(build_batch(schema.BY_NAME[name], gathered, self._constants))
        return {name: _join(batches) for name, batches in taken.items()}

    def _take_listed(self) -> dict[str, list[pa.RecordBatch]]:
        """The typed sessions; those that are odd after all are gathered one by one instead."""
        listed, self._listed = self._listed, {}
        batches, odd = build_batches(listed.values(), self._constants)
        for one in odd:
            del listed[one.session.key]
            self._add_item(as_item(one.session), one.extracted_at)
        if self._is_told:
            self._known.update((key, one.row_hash) for key, one in listed.items())
        return batches


def _join(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    (batch,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return batch


def _quarantined(table: Table, session_key: str | None, item: Any, reason: str, moment: datetime) -> Row:
    """A row of `quarantine`: what the columns say, in their order."""
    raw = to_json(item)
    # Two sessions can have one and the same unreadable event: two rows, which only their hash tells apart.
    belongs_to = session_key if table.parent else ""
    values = {
        "table_name": table.name,
        "session_key": session_key,
        "reason": reason,
        "raw": raw,
        "row_hash": hash_of(f"{belongs_to}\n{raw}".encode()),
        "extracted_at": moment,
    }
    return [values.get(name) for name in schema.QUARANTINE.names]


def _list_rows(sessions: Iterable[SessionRow]) -> Iterator[tuple[Any, ...]]:
    for row in sessions:
        for name, entries in row.lists.items():
            for position, value in entries:
                yield None, row.key, name, position, value, row.extracted_at, None


def _score_rows(sessions: Iterable[SessionRow]) -> Iterator[tuple[Any, ...]]:
    for row in sessions:
        for algorithm, score in row.scores.items():
            yield None, row.key, algorithm, score, row.extracted_at, None


def _naive_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("extracted_at has no zone")
    return moment.astimezone(UTC).replace(tzinfo=None)
