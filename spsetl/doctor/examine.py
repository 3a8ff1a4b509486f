"""All checks of one appliance and of its copy, in an order in which each can rely on those before it."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Final

from spsetl.appliance.client import Client
from spsetl.appliance.limits import Limits
from spsetl.doctor.appliance import Retention, check_appliance
from spsetl.doctor.copy import (
    Copy,
    check_data_directory,
    check_last_sync,
    check_misfits,
    check_modes,
    check_retention,
    read_copy,
)
from spsetl.doctor.disk import check_disk
from spsetl.doctor.finding import Finding
from spsetl.doctor.libraries import check_libraries, declared_bounds, installed_versions
from spsetl.doctor.scheduler import check_prefect
from spsetl.doctor.settings import check_quiet_hours, check_settings
from spsetl.doctor.way import check_way
from spsetl.settings import Settings
from spsetl.settings.access import Access
from spsetl.sync.data_dir import DataDir

_PATIENCE: Final = 5.0  # seconds; whoever runs doctor by hand wants to know that the appliance is busy


def examine(settings: Settings, *, of_copy: str | None = None) -> Iterator[Finding]:
    """Check a set-up, from the settings to the schedule. Opens no snapshot, and writes nothing anywhere.

    What cannot be looked at because of a red finding before it is left out; what is on this machine never is.

    Args:
        settings: Of one appliance.
        of_copy: An appliance of the copy, where the settings name none: what concerns the copy alone is checked.
    """
    access = yield from check_settings(settings, of_copy=of_copy is not None)
    copy = read_copy(settings, access.appliance if access else of_copy)
    retention = None
    if access is not None:
        retention = yield from _examine_appliance(settings, access, copy)
    yield from check_data_directory(settings, copy)
    yield from check_modes(settings)
    if not copy.trouble:
        yield check_last_sync(copy)
    if copy.age is not None:
        yield check_misfits(copy)
    if copy.retention or retention is not None:
        yield from check_retention(copy, retention)
    yield check_disk(settings, copy)
    prefect = list(check_prefect(settings.timeout, is_fresh=copy.is_fresh))
    uses_prefect = any("url" in finding.facts or finding.state == "red" for finding in prefect)
    yield from check_libraries(installed_versions(), declared_bounds(), uses_prefect=uses_prefect)
    yield from prefect


def _examine_appliance(settings: Settings, access: Access, copy: Copy) -> Generator[Finding, None, Retention | None]:
    """The way to the appliance, and then the appliance itself; None if nothing could be asked of it."""
    if quiet := check_quiet_hours(settings):
        yield quiet
        return None
    for finding in check_way(access, settings.timeout, datetime.now(UTC)):
        yield finding
        if finding.state == "red":
            return None
    client = Client(
        access,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        patience=min(_PATIENCE, settings.timeout),
        user_agent_suffix=DataDir.of(settings.data_dir).token,
        limits=Limits.of("ANSWER", min(settings.timeout, settings.answer_seconds), settings.answer_megabytes),
    )
    with client:
        return (yield from check_appliance(client, settings, copy.has_snapshots))
