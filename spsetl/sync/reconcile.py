"""The appliance's counts beside the copy's, day by day: what differs is counted again, fetched, and compared again.

Counted are the sessions that started up to the watermark, beyond which the copy claims nothing. The histogram ("Session
histogram") counts all days in one request, but its reading of `start` and `end` may leave some sessions out: so a day
on which it differs is counted by itself before anything is believed. The statistics ("Session statistics") then count
the same sessions by protocol.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from spsetl.appliance.protocol import STATS_PATH, Params, decode_stats
from spsetl.errors import NotFoundError, QueryError, UsageError
from spsetl.events import SILENT, Teller
from spsetl.extract.counts import count_window, fetch_daily_counts, range_query
from spsetl.extract.survey import fetch_first_start
from spsetl.runs import Compared, Run, Verdict
from spsetl.settings import Settings
from spsetl.sync.job import Job, open_job
from spsetl.sync.phases import fetch_details, read_windows
from spsetl.sync.runner import StepRunner
from spsetl.warehouse import runs
from spsetl.window import Window, aware_utc, naive_utc

_DAY = timedelta(days=1)


def run_reconcile(
    settings: Settings,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    runner: StepRunner,
    teller: Teller = SILENT,
) -> Run:
    """Compare the copy with the appliance, and fetch what it lacks.

    Args:
        settings: Which appliance, and where the copy is.
        start: Sessions that started at or after this (aware); None for the first there is.
        end: Sessions that started before this (aware); None, or anything later, for the watermark of the last sync.
        runner: Runs windows side by side.
        teller: Tells what happens.

    Raises:
        UsageError: There was no sync yet, or nothing lies in the range.
        SpsetlError: As `run_sync`.
    """
    with open_job(settings, kind="reconcile", runner=runner, teller=teller) as job:
        window = _range(job, start, end)
        with job.recorded(window.start, window.end):
            comparison = _Comparison(job, window)
            with job.teller.span("comparison"):
                job.run.days = comparison.compare_days()
            job.run.protocols = comparison.compare_protocols()
            job.teller.info(
                "counts compared",
                days=len(job.run.days),
                protocols=len(job.run.protocols),
                differing=len(job.run.differing),
            )
            for day in comparison.read_again:
                fetch_details(job, start=day.start, end=day.end)
    return job.run


def _range(job: Job, start: datetime | None, end: datetime | None) -> Window:
    watermark = runs.fetch_watermark(job.work, job.appliance)
    if watermark is None:
        raise UsageError(f"there is no complete sync of {job.appliance} to compare: run spsetl sync first")
    last = min(end, watermark) if end else watermark
    firsts = [start] if start else [fetch_first_start(job.client), _first_of_copy(job)]
    first = min((moment for moment in firsts if moment), default=last)
    if first >= last:
        raise UsageError(f"nothing to compare: the last complete sync got to {watermark:%Y-%m-%d %H:%M:%S} UTC")
    return Window(first, last)


def _first_of_copy(job: Job) -> datetime | None:
    row = job.work.connection.execute(
        "select min(start_time) from sessions where appliance = $appliance and missing_since is null",
        {"appliance": job.appliance},
    ).fetchone()
    return aware_utc(row[0]) if row and row[0] else None


class _Comparison:
    """The days of one range, compared."""

    def __init__(self, job: Job, window: Window) -> None:
        self.job = job
        self.window = window
        self.end = window.end or datetime.now(UTC)
        self.read_again: list[Window] = []

    def compare_days(self) -> list[Compared]:
        """Every day of the range; those that differ are read again."""
        job = self.job
        days = self._days()
        whole = fetch_daily_counts(job.client, job.steps.capabilities, self.window.start, self.end) or {}
        copy = self._count_copy()
        compared: dict[date, Compared] = {}
        job.teller.begin("days", len(days))
        for day in days:
            compared[day] = self._compare(day, whole.get(day), copy.get(day, 0))
            job.teller.advance("days", 1)
        job.teller.finish("days")
        differing = [day for day, one in compared.items() if one.verdict == "differs"]
        self.read_again = [self._window_of(day) for day in differing]
        read_windows(job, "list", self.read_again)
        copy = self._count_copy() if differing else copy
        for day in differing:
            again = self._compare(day, None, copy.get(day, 0))
            if again.verdict == "equal":
                again.verdict = "drift" if again.copy == compared[day].copy else "mended"
            compared[day] = again
        return [compared[day] for day in days]

    def _compare(self, day: date, by_histogram: int | None, copied: int) -> Compared:
        window = self._window_of(day)
        is_whole = window == Window(_midnight(day), _midnight(day + _DAY))
        if is_whole and by_histogram == copied:
            return Compared(day.isoformat(), by_histogram, copied, "equal")
        counted = count_window(self.job.client, self.job.steps.capabilities, window)
        if counted is None and is_whole:
            counted = by_histogram
        if counted is None:
            return Compared(day.isoformat(), None, copied, "uncounted")
        return Compared(day.isoformat(), counted, copied, _equal(counted, copied))

    def _days(self) -> Sequence[date]:
        first, last = self.window.start.date(), (self.end - timedelta(microseconds=1)).date()
        return [first + n * _DAY for n in range((last - first).days + 1)]

    def _window_of(self, day: date) -> Window:
        """The day, or what of it is in the range."""
        return Window(max(_midnight(day), self.window.start), min(_midnight(day + _DAY), self.end))

    def _count_copy(self) -> dict[date, int]:
        rows = self.job.work.connection.execute(
            "select start_time::date, count(*) from sessions where appliance = $appliance and missing_since is null "
            "and start_time >= $start and start_time < $end group by all",
            {"appliance": self.job.appliance, "start": naive_utc(self.window.start), "end": naive_utc(self.end)},
        ).fetchall()
        return dict(rows)

    def compare_protocols(self) -> list[Compared]:
        """The statistics by protocol over the whole range; none where the appliance does not count a range exactly."""
        job = self.job
        if not job.steps.capabilities.has_date_ranges:
            return []
        params: Params = {"field": "protocol", "size": 100, "q": range_query(Window(self.window.start, self.end))}
        try:
            source = decode_stats(job.client.get(STATS_PATH, params, kind="stats"))
        except (NotFoundError, QueryError):
            return []
        rows = job.work.connection.execute(
            "select protocol, count(*) from sessions where appliance = $appliance and missing_since is null "
            "and start_time >= $start and start_time < $end and protocol is not null group by all",
            {"appliance": job.appliance, "start": naive_utc(self.window.start), "end": naive_utc(self.end)},
        ).fetchall()
        copied = dict(rows)
        return [
            Compared(name, source.get(name, 0), copied.get(name, 0), _equal(source.get(name, 0), copied.get(name, 0)))
            for name in sorted({*source, *copied})
        ]


def _equal(source: int, copied: int) -> Verdict:
    return "equal" if source == copied else "differs"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
