"""The phase of a sync that reads the policies: what changed is durable first, then it is merged.

All that the user may read is read in each sync: 28 requests, beside thousands for the details of a day's sessions.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Final

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.extract.policies import (
    PROTOCOLS,
    SEAL_BYTES,
    Configuration,
    KnownPolicies,
    compare_policies,
    fetch_configuration,
)
from spsetl.files import replacing
from spsetl.sync.data_dir import DataDir
from spsetl.sync.job import Job
from spsetl.sync.status import as_rows, describe_retention, retention_query
from spsetl.warehouse.merge import Files, merge_part
from spsetl.warehouse.policies import fetch_known_policies

_RIGHT: Final = (
    "the user may not read the configuration{of}: the table policies, and how long metadata lives, are as they were "
    'last seen; if they are wanted, an administrator must grant read access to these protocols\' "Control" pages'
)


@dataclass(frozen=True)
class FetchedPolicies:
    """What was read, and the files of what has changed."""

    configuration: Configuration
    files: Files


def copy_policies(job: Job) -> None:
    """Bring the policies of the copy up to date, as far as the user may read them."""
    with job.teller.span("policies"):
        _copy_policies(job)


def _copy_policies(job: Job) -> None:
    known = fetch_known_policies(job.work, job.appliance)
    step = partial(_fetch, job)
    for fetched in job.runner.map("policies", step, [known], workers=1, stop=job.steps.stop):
        with job.work.transaction() as connection:
            versions = merge_part(connection, fetched.files).rows.get(schema.POLICIES.name)
        if versions:
            job.run.rows[schema.POLICIES.name] += versions
        job.run.warnings += _remarks(fetched.configuration)


def _fetch(job: Job, known: KnownPolicies) -> FetchedPolicies:
    seal = ensure_seal(DataDir.of(job.settings.data_dir).private / "policies.key")
    found = fetch_configuration(job.steps.client, concurrency=job.settings.concurrency, seal=seal)
    run_id = job.run.run_id
    rows = compare_policies(found, known, now=job.steps.clock.now(), appliance=job.appliance, run_id=run_id)
    with job.steps.lake.writer(appliance=job.appliance, run_id=run_id, part="policies") as writer:
        if rows.num_rows:
            writer.write({schema.POLICIES.name: rows})
    return FetchedPolicies(found, writer.files)


def ensure_seal(path: Path) -> bytes:
    """The key of the hashes that stand for values; made where there is none yet, and all policies count as changed.

    Args:
        path: In the private folder of the data directory, which is locked.

    Raises:
        StorageError: It cannot be read or written.
    """
    try:
        if path.exists() and len(seal := path.read_bytes()) == SEAL_BYTES:
            return seal
        seal = token_bytes(SEAL_BYTES)
        with replacing(path) as file:
            file.write(seal)
    except OSError as error:
        raise StorageError(f"cannot read or write {path}: {error.strerror}; give it to the user that syncs") from error
    return seal


def _remarks(found: Configuration) -> list[str]:
    if not found.forbidden:
        return found.failures
    is_part = len(found.forbidden) < len(PROTOCOLS)
    return [_RIGHT.format(of=f" of {', '.join(found.forbidden)}" if is_part else ""), *found.failures]


def warn_of_cleanup(job: Job) -> None:
    """Tell where the appliance's clean-up of metadata may come before the copy."""
    asked = job.work.connection.execute(retention_query())
    rows = as_rows([name for name, *_ in asked.description or ()], asked.fetchall())
    job.run.warnings += describe_retention(row for row in rows if row["appliance"] == job.appliance)
