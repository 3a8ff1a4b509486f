"""All checks of one appliance and of its copy, in an order in which each can rely on those before it."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Final

from spsetl.appliance.route import Route, find_route
from spsetl.doctor.abilities import check_abilities, check_clock, check_version
from spsetl.doctor.appliance import Patient, Question, ask
from spsetl.doctor.copy import Copy, check_data_directory, check_last_sync, check_misfits, check_modes, read_copy
from spsetl.doctor.deadline import PunctualClient
from spsetl.doctor.disk import check_disk
from spsetl.doctor.finding import Finding, red
from spsetl.doctor.libraries import check_libraries, declared_bounds, installed_versions
from spsetl.doctor.login import check_configuration, check_details, check_login, check_search
from spsetl.doctor.network import check_name, check_port
from spsetl.doctor.pace import check_pace
from spsetl.doctor.retention import check_retention
from spsetl.doctor.scheduler import check_prefect
from spsetl.doctor.settings import check_quiet_hours, check_settings, tell_nothing_set
from spsetl.doctor.tls import check_tls
from spsetl.errors import SettingsError
from spsetl.settings import Settings
from spsetl.settings.access import Access
from spsetl.sync.data_dir import DataDir

_QUESTIONS: Final[tuple[tuple[str, Question], ...]] = (
    ("login", check_login),
    ("search right", check_search),
    ("version", check_version),
    ("clock", check_clock),
    ("configuration", check_configuration),
    ("details", check_details),
    ("abilities", check_abilities),
    ("pace", check_pace),
)


def examine(settings: Settings, *, of_copy: str | None = None) -> Iterator[Finding]:
    """Check a set-up, from the settings to the schedule. Opens no snapshot, and writes nothing anywhere.

    What cannot be looked at because of a red finding before it is left out; what is on this machine never is.

    Args:
        settings: Of one appliance.
        of_copy: An appliance of the copy, where the settings name none: what concerns the copy alone is checked.
    """
    access = None
    if of_copy is None:
        access = yield from check_settings(settings)
    else:
        yield tell_nothing_set(settings)
    copy = read_copy(settings, access.appliance if access else of_copy)
    patient = None
    if access is not None:
        patient = yield from _examine_appliance(settings, access, copy)
    yield from check_data_directory(settings, copy)
    yield from check_modes(settings)
    if not copy.trouble:
        yield check_last_sync(copy, datetime.now(UTC))
    if copy.last_sync:
        yield check_misfits(copy)
    if copy.retention or patient is not None:
        yield from check_retention(copy, patient.retention if patient else None)
    yield check_disk(settings, copy)
    prefect = list(check_prefect(settings.timeout, is_fresh=copy.is_fresh))
    uses_prefect = any("url" in finding.facts or finding.state == "red" for finding in prefect)
    yield from check_libraries(installed_versions(), declared_bounds(), uses_prefect=uses_prefect)
    yield from prefect


def _examine_appliance(settings: Settings, access: Access, copy: Copy) -> Generator[Finding, None, Patient | None]:
    """The way to the appliance, and then the appliance itself; None if nothing could be asked of it."""
    for finding in _examine_way(settings, access):
        yield finding
        if finding.state == "red":
            return None
    if quiet := check_quiet_hours(settings):
        yield quiet
        return None
    token = DataDir.of(settings.data_dir).token
    with PunctualClient(
        access, concurrency=settings.concurrency, timeout=settings.timeout, user_agent_suffix=token
    ) as client:
        patient = Patient(client, settings, copy.has_snapshots)
        yield from ask(patient, _QUESTIONS)
    return patient if patient.abilities else None


def _examine_way(settings: Settings, access: Access) -> Iterator[Finding]:
    try:
        route: Route = find_route(access)
    except SettingsError as error:
        yield red("settings", error)
        return
    yield check_name(route, settings.timeout)
    yield check_port(route, settings.timeout)
    yield from check_tls(route, settings.timeout, datetime.now(UTC))
