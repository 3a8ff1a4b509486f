"""The login, and the rights of its user."""

from collections.abc import Iterator
from typing import Final

from spsetl.appliance.configuration import PROTOCOLS
from spsetl.appliance.probe import probe
from spsetl.appliance.protocol import INFO_PATH, ListQuery, decode_info, decode_list
from spsetl.doctor.appliance import Patient
from spsetl.doctor.finding import Finding
from spsetl.errors import BadAnswerError, NotFoundError, RightsError, SpsetlError, UnavailableError
from spsetl.extract.details import fetch_details
from spsetl.extract.policies import fetch_options
from spsetl.schema import DETAIL_KINDS

_CONFIGURATION: Final = "configuration"
_GRANT: Final = 'if they are wanted, let an administrator grant read access to the protocols\' "Control" pages'
_FEW: Final = 10
# Of these not every appliance knows the page; the others are as old as the search.
_LATER_DETAILS: Final = tuple(kind.name for kind in DETAIL_KINDS.values() if not kind.by_default)


def check_login(patient: Patient) -> Iterator[Finding]:
    """Whether the appliance lets us in. Its page of versions answers strangers, too, but does not tell them any."""
    client = patient.client
    try:
        patient.version = decode_info(client.get(INFO_PATH, kind="info"))
    except BadAnswerError:
        # What a login that has just ended looks like; the probe asks once more, behind another page.
        patient.version = ""
    seconds = client.remaining_seconds
    text = "accepted" if seconds is None else f"accepted; it ends after {seconds / 60:g} minutes without a request"
    yield Finding("login", "green", text, facts={"remaining_seconds": seconds})


def check_search(patient: Patient) -> Iterator[Finding]:
    """Whether the user may search, by asking what the appliance can do; opens no snapshot."""
    found = patient.abilities = probe(patient.client, open_snapshot=False)
    patient.version = found.firmware_version
    if found.match_count == 0:
        advice = "if it has recorded some, the user's access rules hide them"
        yield Finding("search right", "yellow", "sessions can be searched, but none is seen", advice)
    else:
        yield Finding("search right", "green", "sessions can be searched")


def check_configuration(patient: Patient) -> Iterator[Finding]:
    """Whether the user may read what the table of policies is made of; a copy can do without."""
    without = "policies and how long metadata lives are not copied"
    try:
        patient.retention = _fetch_retention(patient)
    except UnavailableError:
        raise
    except RightsError:
        yield Finding(_CONFIGURATION, "yellow", f"the user may not read it: {without}", _GRANT)
    except SpsetlError as error:
        yield Finding(_CONFIGURATION, "yellow", f"{without}: {error}", "look whether this firmware is a known one")
    else:
        text = "policies and how long metadata lives can be read"
        yield Finding(_CONFIGURATION, "green", text, facts={"retention_days": patient.retention})


def _fetch_retention(patient: Patient) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for protocol in PROTOCOLS:
        options = fetch_options(patient.client, protocol)
        if options is not None:
            found[protocol] = options.retention_days
    return found


def check_details(patient: Patient) -> Iterator[Finding]:
    """Whether details that not every appliance or user has can be read; only where they are wanted."""
    wanted = [kind for kind in _LATER_DETAILS if kind in patient.settings.details]
    if not wanted:
        return
    query = ListQuery(fields="start_time", sort="-start_time", limit=_FEW)
    items = decode_list(patient.client.get(query.path, query.params, kind="list")).items
    keys = [str(item["key"]) for item in items if isinstance(item, dict) and item.get("key")]
    for kind in wanted:
        yield _check_detail(patient, kind, keys)


def _check_detail(patient: Patient, kind: str, keys: list[str]) -> Finding:
    advice = f"take {kind} out of SPSETL_DETAILS, or let an administrator grant the right"
    for key in keys:
        try:
            fetch_details(patient.client, key, kind)
        except NotFoundError:
            continue  # gone meanwhile, or there is no such page for any
        except RightsError:
            return Finding(kind, "yellow", "the user may not read them", advice)
        return Finding(kind, "green", "can be read")
    text = "none of the newest sessions has them" if keys else "there is no session to ask about"
    return Finding(kind, "yellow", text, f"take {kind} out of SPSETL_DETAILS if this firmware has none")
