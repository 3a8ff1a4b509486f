"""The phases that runs are made of: reading windows, fetching details, and seeing that not too much has gone."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain

from spsetl import schema
from spsetl.errors import IncompleteError, VanishedError
from spsetl.events import Teller
from spsetl.extract.counts import count_all, count_window
from spsetl.flatten import Quality
from spsetl.interrupts import held_back
from spsetl.runs import Run
from spsetl.sync.details import CAN_BE_ABSENT, quote_key
from spsetl.sync.gathering import Gathering, gather_files
from spsetl.sync.job import Job
from spsetl.sync.reading import WindowTask
from spsetl.sync.steps import Batch, FetchedBatch, FetchedWindow, batches_of
from spsetl.warehouse import details, merge, runs
from spsetl.warehouse.windows import DIFFERS, WindowKind, WindowRecord, doubt_windows
from spsetl.window import EPOCH, Window

# Sessions whose details make one step: a second or two of requests.
BATCH_SIZE = 250
# Sessions that are merged together, at most: details are many rows.
MOST_LISTED = 50_000
MOST_DETAILED = 10_000
# A tiny copy loses a large share with each session that is cleaned up.
_FEW_SESSIONS = 20
SECONDS_BETWEEN_EVENTS = 10.0
# Of what keeps details from being fetched, so much is told; the table detail_failures has all.
_MOST_REASONS = 5


def read_windows(job: Job, kind: WindowKind, windows: Sequence[Window]) -> None:
    """Read windows side by side, and merge each as it comes."""
    if not windows:
        return
    stages = ("windows", "swept" if kind == "sweep" else "sessions")
    job.teller.info("windows planned", kind=kind, windows=len(windows))
    job.teller.begin(stages[0], len(windows))
    job.teller.begin(stages[1], None)
    steps, workers = job.steps, job.settings.concurrency
    tasks = _tasks(job, kind, windows)
    gathering = Gathering[FetchedWindow](partial(_merge_windows, job), most=MOST_LISTED)
    with job.teller.span(kind), held_back():
        try:
            for fetched in job.runner.map(kind, steps.fetch_window, tasks, workers=workers, stop=job.stop):
                _tell_window(job, fetched.record, rows=fetched.rows)
                gathering.add(fetched, fetched.files, sessions=fetched.rows)
                job.teller.advance("windows", 1)
        finally:
            gathering.merge()  # what was read is kept, whatever ended the rest
    for stage in stages:
        job.teller.finish(stage)


def _tasks(job: Job, kind: WindowKind, windows: Iterable[Window]) -> Iterator[WindowTask]:
    for window in windows:
        yield WindowTask(kind, window, merge.fetch_known(job.work, job.appliance, window))


def _merge_windows(job: Job, windows: Sequence[FetchedWindow]) -> None:
    run = job.run
    with job.work.transaction() as connection:
        merged = merge.merge_part(connection, gather_files(fetched.files for fetched in windows))
        written = sum(fetched.rows for fetched in windows)
        if merged.sessions_read != written:
            raise IncompleteError(
                f"{_named(windows)}: {written} sessions were written and {merged.sessions_read} read back: "
                "check the disk, and run again"
            )
        runs.add_moved(connection, job.run, merged.moved)
    job.teller.info(
        "windows merged",
        windows=len(windows),
        new=merged.new,
        changed=merged.changed,
        missing=merged.missing,
    )
    run.sessions_new += merged.new
    run.sessions_changed += merged.changed
    run.sessions_missing += merged.missing
    run.sessions_moved += merged.moved
    run.rows[schema.SESSIONS.name] += merged.new + merged.changed
    for fetched in windows:
        _add_quality(run, fetched.quality)
    for record in (fetched.record for fetched in windows):
        run.sessions_seen += record.distinct_keys
        if record.verdict == DIFFERS:
            run.windows_differing += 1
            run.warnings.append(
                f"window {record.window}: {record.distinct_keys} sessions were listed, the appliance counts "
                f"{record.source_count}; ask spsetl reconcile"
            )


def _add_quality(run: Run, quality: Quality) -> None:
    run.given.update(quality.given)
    run.unreadable.update(quality.unreadable)
    run.misfits.update(quality.misfits)


def _named(windows: Sequence[FetchedWindow]) -> str:
    return ", ".join(f"window {fetched.record.window}" for fetched in windows)


def _tell_window(job: Job, record: WindowRecord, *, rows: int) -> None:
    job.teller.info(
        "window read",
        kind=record.kind,
        window=str(record.window),
        sessions=record.distinct_keys,
        written=rows,
        source_count=record.source_count,
        verdict=record.verdict,
        requests=record.requests,
    )


def compare_totals(job: Job, counted: int | None) -> None:
    """Compare the copy with the appliance's count of all sessions, which knows of those that no window can list.

    Args:
        job: The run.
        counted: What it counted while the run read; None where it cannot say.
    """
    if counted is not None and counted != runs.count_present(job.work, job.appliance):
        counted = count_all(job.client, job.steps.capabilities)
    job.run.source_sessions = counted
    if counted is None or counted == runs.count_present(job.work, job.appliance):
        return
    started = count_window(job.client, job.steps.capabilities, Window(EPOCH, None))
    if started is None or started >= counted:
        return  # what arrived or went since; what a window should have had, its own count has told
    job.run.sessions_without_start = counted - started
    job.run.warnings.append(
        f"{counted - started:,} sessions of the appliance have no start_time that a window can list: they are not in "
        "the copy; ask the appliance's administrator what they are"
    )


def require_presence(job: Job, *, accept_missing: bool) -> None:
    """Stop if too many sessions vanished since the last complete sync: rather a right was lost than so much data.

    What the appliance's clean-up was due to remove does not count.

    Raises:
        VanishedError: More than `most_missing` percent, and nobody has accepted it.
    """
    present, gone = runs.count_vanished(job.work, job.appliance)
    limit = job.settings.most_missing
    if accept_missing or gone <= _FEW_SESSIONS or 100 * gone <= limit * (present + gone):
        return
    doubt_windows(job.work, job.appliance, since=runs.fetch_last_done(job.work, job.appliance))
    raise VanishedError(
        f"{gone:,} of {present + gone:,} sessions are gone from the appliance since the last sync, more than "
        f"{limit:g} %: nothing was published; see whether the user has lost the right to see them, or run once "
        "spsetl sync --accept-missing"
    )


def fetch_details(job: Job, *, start: datetime | None = None, end: datetime | None = None) -> None:
    """Fetch the details that wait, the newest sessions first, as far as the budget goes.

    What was asked for in vain on earlier nights waits for its own, unless a range is given: that is asked for whole.

    Args:
        job: The run.
        start: Only sessions that started at or after this.
        end: Only sessions that started before this.

    Raises:
        SpsetlError: The details of most sessions fail; what was fetched is kept.
    """
    kinds = job.settings.details
    if not kinds:
        return
    job.steps.details.unknown_kinds = details.fetch_unknown_kinds(job.work, appliance=job.appliance)
    pending = _pending(job, kinds, start, end)
    first = next(pending, None)
    if first is not None:
        waiting = details.count_pending(job.work, appliance=job.appliance, start=start, end=end)
        _fetch_batches(job, batches_of(chain([first], pending)), waiting)
    _tell_failures(job, kinds, start, end)
    job.steps.details.require_success()


def _fetch_batches(job: Job, batches: Iterable[Batch], waiting: int) -> None:
    job.teller.info("details planned", sessions=waiting)
    job.teller.begin("details", waiting)
    steps = job.steps
    pace = _Pace(job.teller, waiting)
    gathering = Gathering[FetchedBatch](partial(_merge_batches, job), most=MOST_DETAILED)
    with job.teller.span("details"), held_back():
        try:
            for fetched in job.runner.map("details", steps.fetch_batch, batches, workers=2, stop=job.stop):
                gathering.add(fetched, fetched.files, sessions=fetched.sessions)
                pace.note(fetched.sessions)
        finally:
            gathering.merge()  # what was fetched is kept, whatever ended the rest
    pace.tell()
    job.teller.finish("details")


def _merge_batches(job: Job, batches: Sequence[FetchedBatch]) -> None:
    files = gather_files(batch.files for batch in batches)
    with job.work.transaction() as connection:
        merged = merge.merge_part(connection, files)
    run = job.run
    run.rows.update(merged.rows)
    for batch in batches:
        _add_quality(run, batch.quality)
    expected = CAN_BE_ABSENT | job.steps.details.unknown_kinds
    outcomes = sum((batch.outcomes for batch in batches), Counter())
    run.details_gone += sum(
        number
        for (kind, status), number in outcomes.items()
        if kind not in expected and status in {schema.GONE, schema.VANISHED}
    )


def _tell_failures(job: Job, kinds: Sequence[str], start: datetime | None, end: datetime | None) -> None:
    """Count the sessions whose details the appliance has not given, tonight or before: the copy lacks them."""
    run, shut = job.run, sorted(job.steps.details.shut_kinds)
    failures = details.fetch_failures(job.work, appliance=job.appliance, kinds=kinds, start=start, end=end)
    failed = sum(sessions for _, sessions, _ in failures)
    for error, sessions, keys in failures[:_MOST_REASONS]:
        shown = ", ".join(quote_key(key) for key in keys) + (", …" if sessions > len(keys) else "")
        run.warnings.append(
            f"the details of {sessions:,} sessions could not be fetched ({shown}): {error}; "
            "they are asked for again on later nights"
        )
    if shut:
        run.warnings.append(
            f"the appliance answers 404 for {' and '.join(shut)} of every session: the others wait for the next run; "
            "if this firmware has none, that is believed after some nights"
        )
        failed = details.count_pending(job.work, appliance=job.appliance, start=start, end=end)
    run.details_failed += failed


class _Pace:
    """Tells now and then how far the details are: batches come every second."""

    def __init__(self, teller: Teller, sessions: int) -> None:
        self._teller = teller
        self._sessions = sessions
        self._done = 0
        self._told = time.monotonic()

    def note(self, sessions: int) -> None:
        """So many more."""
        self._done += sessions
        if time.monotonic() - self._told >= SECONDS_BETWEEN_EVENTS:
            self.tell()

    def tell(self) -> None:
        """How far it is now."""
        self._told = time.monotonic()
        self._teller.info("details fetched", sessions=self._done, of=self._sessions)


def _pending(
    job: Job, kinds: Sequence[str], start: datetime | None, end: datetime | None
) -> Iterator[list[details.PendingDetails]]:
    now = None if start or end else datetime.now(UTC)
    for some in details.pending_details(
        job.work, appliance=job.appliance, kinds=kinds, size=BATCH_SIZE, start=start, end=end, now=now
    ):
        if job.steps.details.has_ended:
            return
        yield some
