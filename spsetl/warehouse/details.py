"""The queue of sessions whose details are to be fetched, and what became of them.

The queue is the `<kind>_status` of each session, so it survives whatever happens to a sync. What was asked for in vain
is in `detail_failures` besides, and asked for again on later nights.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, get_args

from spsetl import schema
from spsetl.appliance.protocol import DetailKind
from spsetl.queries import read_statement
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import naive_utc

KINDS: Final[tuple[DetailKind, ...]] = get_args(DetailKind)


@dataclass(frozen=True)
class PendingDetails:
    """A session whose details are to be fetched: which, of which version, and in how many runs in vain, by kind."""

    session_key: str
    start_time: datetime
    revision: int | None
    row_hash: str
    kinds: tuple[DetailKind, ...]
    tries: Mapping[str, int] = field(default_factory=dict)


def request_kinds(work: WorkDatabase, *, appliance: str, kinds: Sequence[str]) -> None:
    """Put the details of these kinds into the queue, take those of others out of it: as SPSETL_DETAILS says."""
    with work.transaction() as connection:
        for kind in KINDS:
            old, new = (schema.NOT_REQUESTED, schema.PENDING)[:: 1 if kind in kinds else -1]
            connection.execute(
                f"update sessions set {kind}_status = $new where appliance = $appliance and {kind}_status = $old",  # noqa: S608 our names
                {"appliance": appliance, "old": old, "new": new},
            )


def count_pending(
    work: WorkDatabase, *, appliance: str, start: datetime | None = None, end: datetime | None = None
) -> int:
    """How many sessions have details that are asked for and not fetched yet; of a range of start_time or of all."""
    conditions = " or ".join(f"{kind}_status = '{schema.PENDING}'" for kind in KINDS)
    row = work.connection.execute(
        "select count(*) from sessions where appliance = $appliance and missing_since is null "  # noqa: S608 our names
        "and ($start::timestamp is null or start_time >= $start::timestamp) "
        f"and ($end::timestamp is null or start_time < $end::timestamp) and ({conditions})",
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
    tests = ", ".join(
        f"bool_or({kind}_status = '{schema.GONE}' and not coalesce(list_contains(v.kinds, '{kind}'), false)) "
        f"and not bool_or({kind}_status = '{schema.FETCHED}')"
        for kind in KINDS
    )
    row = work.connection.execute(
        f"select {tests} from sessions left join (select session_key, list(kind) as kinds from detail_failures "  # noqa: S608 our names
        "where appliance = $appliance group by session_key) v using (session_key) "
        "where appliance = $appliance and missing_since is null",
        {"appliance": appliance},
    ).fetchone()
    return frozenset(kind for kind, is_unknown in zip(KINDS, row or (), strict=False) if is_unknown)


def pending_details(
    work: WorkDatabase,
    *,
    appliance: str,
    kinds: Sequence[str],
    after: PendingDetails | None,
    size: int,
    start: datetime | None = None,
    end: datetime | None = None,
    now: datetime | None = None,
    shut: Collection[str] = (),
) -> list[PendingDetails]:
    """The next `size` sessions whose details are to be asked for, the newest first, after the given one.

    Only those that started in `[start, end)`, aware; None for no bound. Where `now` is given, what was asked for in
    vain waits for its night. Kinds that are `shut` are asked for only where they were before.
    """
    rows = work.connection.execute(
        read_statement("merge", "pending_details"),
        {
            "appliance": appliance,
            "kinds": list(kinds),
            "open": [kind for kind in kinds if kind not in shut],
            "now": now and naive_utc(now),
            "after_time": after and after.start_time,
            "after_key": after and after.session_key,
            "size": size,
            "range_start": start and naive_utc(start),
            "range_end": end and naive_utc(end),
        },
    ).fetchall()
    return [
        PendingDetails(
            key,
            start,
            revision,
            row_hash,
            tuple(k for k, wanted in zip(KINDS, wants, strict=True) if wanted),
            tries or {},
        )
        for key, start, revision, row_hash, tries, *wants in rows
    ]
