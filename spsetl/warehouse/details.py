"""The queue of sessions whose details are to be fetched: what detail_fetches does not say to be there.

What was asked for in vain is asked for again on later nights. All follows from the tables, so it survives whatever
happens to a sync.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spsetl import schema
from spsetl.queries import read_statement
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import naive_utc


@dataclass(frozen=True)
class PendingDetails:
    """A session whose details are to be fetched: which, of which version, and in how many runs in vain, by kind."""

    session_key: str
    revision: int | None
    row_hash: str
    kinds: tuple[str, ...]
    tries: Mapping[str, int] = field(default_factory=dict)


def count_pending(
    work: WorkDatabase, *, appliance: str, start: datetime | None = None, end: datetime | None = None
) -> int:
    """How many sessions have details that are asked for and not fetched yet; of a range of start_time or of all."""
    row = work.connection.execute(
        "select count(*) from session_details where appliance = $appliance and is_pending "
        "and ($start::timestamp is null or start_time >= $start::timestamp) "
        "and ($end::timestamp is null or start_time < $end::timestamp)",
        {"appliance": appliance, "start": start and naive_utc(start), "end": end and naive_utc(end)},
    ).fetchone()
    return int(row[0]) if row else 0


def fetch_failures(
    work: WorkDatabase,
    *,
    appliance: str,
    kinds: Sequence[str],
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[tuple[str, int, list[str]]]:
    """Why details of these kinds were not given though the session is there: reason, sessions, the first keys."""
    return work.connection.execute(
        read_statement("merge", "failed_details"),
        {
            "appliance": appliance,
            "kinds": list(kinds),
            "range_start": start and naive_utc(start),
            "range_end": end and naive_utc(end),
        },
    ).fetchall()


def fetch_unknown_kinds(work: WorkDatabase, *, appliance: str) -> frozenset[str]:
    """The kinds that this appliance has not at all: it gave none of any session, and one was asked for long."""
    rows = work.connection.execute(
        "select kind from detail_fetches semi join (from sessions where missing_since is null) using (appliance, "
        "session_key) where appliance = $appliance group by kind "
        "having bool_or(status = $gone) and not bool_or(status = $fetched)",
        {"appliance": appliance, "gone": schema.GONE, "fetched": schema.FETCHED},
    ).fetchall()
    return frozenset(kind for (kind,) in rows)


def pending_details(
    work: WorkDatabase,
    *,
    appliance: str,
    kinds: Sequence[str],
    size: int,
    start: datetime | None = None,
    end: datetime | None = None,
    now: datetime | None = None,
) -> Iterator[list[PendingDetails]]:
    """The sessions whose details are to be asked for, the newest first, `size` at a time.

    It is found out at the beginning; the work database can be changed while they are gone through.

    Args:
        work: The work database.
        appliance: Whose sessions.
        kinds: Which details, in the order in which they are asked for.
        size: Of each portion.
        start: Only sessions that started at or after this; aware.
        end: Only sessions that started before this.
        now: What was asked for in vain waits for its night; None: it is asked for all the same.
    """
    ruled_out = [f"{kind} {status}" for kind in kinds for status in schema.DETAIL_KINDS[kind].ruled_out_by]
    work.connection.execute(
        f"create or replace temp table details_queue as {read_statement('merge', 'pending_details')}",
        {
            "appliance": appliance,
            "kinds": list(kinds),
            "ruled_out": ruled_out,
            "now": now and naive_utc(now),
            "range_start": start and naive_utc(start),
            "range_end": end and naive_utc(end),
        },
    )
    place = 0
    while rows := work.connection.execute(
        "select session_key, revision, row_hash, kinds, tries from details_queue "
        "where place > $place and place <= $place + $size order by place",
        {"place": place, "size": size},
    ).fetchall():
        place += size
        yield [
            PendingDetails(key, revision, row_hash, tuple(wanted), tries or {})
            for key, revision, row_hash, wanted, tries in rows
        ]
