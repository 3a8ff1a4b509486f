"""Details that come fast are merged some batches at a time: each merge looks through whole tables for the old rows."""

import time
from pathlib import Path
from typing import Final

from spsetl import schema
from spsetl.sync.job import Job
from spsetl.sync.steps import FetchedBatch
from spsetl.warehouse.details import FetchedDetails, merge_details

# A killed sync fetches again what was not merged: never more than what came within so many seconds.
_SECONDS: Final = 5
# Old rows lie scattered, and DuckDB holds some memory for each place where one is deleted.
_SESSIONS: Final = 1000
_BYTES: Final = 8 * 2**20


class Gathering:
    """The batches that wait to be merged together, in one transaction."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._merged_at = time.monotonic()
        self._waiting: list[FetchedBatch] = []
        self._sessions = 0
        self._bytes = 0

    def add(self, fetched: FetchedBatch) -> None:
        """Take one more batch, and merge all that wait if it is time."""
        self._waiting.append(fetched)
        self._sessions += len(fetched.details)
        self._bytes += sum(Path(path).stat().st_size for paths in fetched.files.values() for path in paths)
        is_due = time.monotonic() - self._merged_at >= _SECONDS
        if is_due or self._sessions >= _SESSIONS or self._bytes >= _BYTES:
            self.merge()

    def merge(self) -> None:
        """Merge all that wait.

        Raises:
            StorageError: The work database cannot be written.
        """
        waiting, self._waiting, self._sessions, self._bytes = self._waiting, [], 0, 0
        if waiting:
            _merge(self._job, waiting)
        self._merged_at = time.monotonic()


def _merge(job: Job, batches: list[FetchedBatch]) -> None:
    files: dict[str, list[str]] = {}
    fetched: list[FetchedDetails] = []
    for batch in batches:
        fetched += batch.details
        for table, paths in batch.files.items():
            files.setdefault(table, []).extend(paths)
    with job.work.transaction() as connection:
        rows = merge_details(connection, files, appliance=job.appliance, fetched=fetched)
    report = job.report
    report.quarantined += rows.pop(schema.QUARANTINE.name)
    report.rows.update(rows)
    for line in (line for batch in batches for line in batch.failures):
        report.details_failed += 1
        if line not in report.warnings:
            report.warnings.append(line)
