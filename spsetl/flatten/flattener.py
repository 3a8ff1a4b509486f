"""Gathers the items of the appliance's answers and hands their rows on as Arrow."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pyarrow as pa

from spsetl import schema
from spsetl.flatten.items import Answer
from spsetl.flatten.rows import build_details, build_quarantine, build_sessions
from spsetl.schema import Table


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
        quality: What was given, and what of all that was taken was not as it should be.
    """

    def __init__(
        self,
        *,
        appliance: str,
        run_id: str,
        known: dict[str, str] | None = None,
    ) -> None:
        self.quality = Quality()
        self._known = known
        self._constants = {"appliance": appliance, "run_id": run_id}
        self._sessions: list[Answer] = []
        self._details: dict[str, dict[str, Answer]] = {table.name: {} for table in schema.DETAIL_TABLES}

    @property
    def in_hand(self) -> int:
        """How many items were gathered since the last `take()`."""
        details = (answer for answers in self._details.values() for answer in answers.values())
        return sum(len(answer.items) for answer in chain(self._sessions, details))

    def add_sessions(self, items: Sequence[Any], *, extracted_at: datetime) -> None:
        """Gather sessions.

        Args:
            items: As the list gives them, `{"key", "body", "meta"}` ("Audited sessions").
            extracted_at: When the answer came; with a zone.
        """
        self.quality.given[schema.SESSIONS.name] += len(items)
        self._sessions.append(Answer(None, items, _naive_utc(extracted_at)))

    def add_details(self, table: Table, session_key: str, items: Sequence[Any], *, extracted_at: datetime) -> None:
        """Gather all channels, events or alerts of one session, in place of those gathered of it before.

        An item that repeats another is left out; one that repeats its key with other contents goes to quarantine.

        Args:
            table: One of `schema.DETAIL_TABLES`.
            session_key: The session they belong to.
            items: As the appliance gives them, bare or as `{"key", "body"}` ("Session events", "Session alerts").
            extracted_at: When the answer came; with a zone.
        """
        self.quality.given[table.name] += len(items)
        self._details[table.name][session_key] = Answer(session_key, items, _naive_utc(extracted_at))

    def take(self) -> dict[str, pa.RecordBatch]:
        """The rows of all that was gathered, by table; tables without rows are left out."""
        sessions, self._sessions = self._sessions, []
        read = [(schema.SESSIONS, build_sessions(sessions, self._known, self._constants))]
        for table in schema.DETAIL_TABLES:
            if answers := self._details[table.name]:
                self._details[table.name] = {}
                read.append((table, build_details(table, answers.values(), self._constants)))
        taken: dict[str, pa.RecordBatch] = {}
        for table, rows in read:
            taken |= rows.batches
            self.quality.misfits.update(f"{table.name}.{name}" for name in rows.misfits)
            self.quality.unreadable.update(table.name for _ in rows.unreadable)
        if unreadable := [(table, one) for table, rows in read for one in rows.unreadable]:
            taken[schema.QUARANTINE.name] = build_quarantine(unreadable, self._constants)
        return taken


def _naive_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("extracted_at has no zone")
    return moment.astimezone(UTC).replace(tzinfo=None)
