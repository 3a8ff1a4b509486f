"""What is asked of the appliance, one question after the other; the first that fails ends it. Opens no snapshot."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import Final

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities, probe
from spsetl.appliance.protocol import INFO_PATH, decode_info
from spsetl.doctor.finding import Finding, green, red, yellow, yellow_if
from spsetl.doctor.pace import check_pace, measure_pages, try_details
from spsetl.errors import BadAnswerError, RightsError, SpsetlError, UnavailableError
from spsetl.extract.policies import PROTOCOLS, fetch_options
from spsetl.schema import DETAIL_KINDS
from spsetl.settings import Settings

# The versions that the guides behind this program describe, or that an answer was captured of. An entry without a
# second number stands for all of that major version.
DOCUMENTED: Final = ("5", "6", "7", "8.0")
# Of these not every appliance knows the page; the others are as old as the search.
_LATER_DETAILS: Final = tuple(kind.name for kind in DETAIL_KINDS.values() if not kind.by_default)
_FEW: Final = 10
_MOST_SECONDS: Final = 60
_READINGS: Final = {
    "literal": "sessions that started at or after start",
    "overlap": "sessions that were alive at or after start",
}

Retention = dict[str, int | None]
"""By protocol the days that metadata live on the appliance, None for ever; empty where that cannot be read."""


def check_appliance(
    client: Client, settings: Settings, has_snapshots: bool | None
) -> Generator[Finding, None, Retention | None]:
    """Ask what a sync depends on; how long the appliance keeps metadata, None if nothing could be asked.

    Args:
        client: Asks it.
        settings: What is wanted of it.
        has_snapshots: As the last sync found it.
    """
    check, retention = "login", None
    try:
        yield _check_login(client)
        check = "search right"
        found = probe(client, open_snapshot=False)
        yield _check_search(found)
        yield _check_version(found.firmware_version)
        yield _check_clock(client.clock_ahead)
        check, retention = "configuration", {}
        retention = yield from _check_configuration(client)
        check = "page latency"
        pages = measure_pages(client)
        for kind in _LATER_DETAILS:
            if kind in settings.details:
                yield _check_details(client, kind, pages.keys[:_FEW])
        yield from _check_abilities(found, has_snapshots)
        yield from check_pace(client, settings, found, pages)
    except SpsetlError as error:
        yield red(check, error)
    return retention


def _check_login(client: Client) -> Finding:
    """The page of versions answers strangers, too, but does not tell them any."""
    # What is no such page is what a login that has just ended looks like: the probe asks behind another one.
    with suppress(BadAnswerError):
        decode_info(client.get(INFO_PATH, kind="info"))
    seconds = client.remaining_seconds
    text = "accepted" if seconds is None else f"accepted; it ends after {seconds / 60:g} minutes without a request"
    return green("login", text, remaining_seconds=seconds)


def _check_search(found: Capabilities) -> Finding:
    if found.match_count == 0:
        text = "sessions can be searched, but none is seen"
        return yellow("search right", f"{text}; if it has recorded some, the user's access rules hide them")
    return green("search right", "sessions can be searched")


def _check_version(version: str) -> Finding:
    numbers = version.split(".")
    is_known = numbers[0] in DOCUMENTED or ".".join(numbers[:2]) in DOCUMENTED
    text = f"firmware {version}, a documented one"
    if not is_known:
        text = f"firmware {version} is none of those that this program was written for ({', '.join(DOCUMENTED)})"
    advice = "look for a newer spsetl, and compare with spsetl reconcile: what it can do is asked, not assumed"
    return yellow_if(not is_known, "version", text, advice, firmware_version=version)


def _check_clock(ahead: float | None) -> Finding:
    if ahead is None:
        return yellow("clock", "the appliance's answers have no date; compare both clocks by hand", seconds_ahead=None)
    text = f"{abs(ahead):,.0f} s from ours"
    if is_wrong := abs(ahead) > _MOST_SECONDS:
        text = f"the appliance's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"
    advice = "set both by NTP: the look-back and the watermark rest on it, and late sessions could be missed"
    return yellow_if(is_wrong, "clock", text, advice, seconds_ahead=round(ahead))


def _check_configuration(client: Client) -> Generator[Finding, None, Retention]:
    """Whether the user may read what the table of policies is made of; a copy can do without."""
    try:
        options = {protocol: fetch_options(client, protocol) for protocol in PROTOCOLS}
    except UnavailableError:
        raise
    except SpsetlError as error:
        is_forbidden = isinstance(error, RightsError)
        what = "the user may not read it" if is_forbidden else str(error)
        grant = 'if they are wanted, let an administrator grant read access to the protocols\' "Control" pages'
        advice = grant if is_forbidden else "look whether this firmware is a known one"
        yield yellow("configuration", f"{what}: policies and how long metadata lives are not copied; {advice}")
        return {}
    retention = {protocol: found.retention_days for protocol, found in options.items() if found is not None}
    yield green("configuration", "policies and how long metadata lives can be read", retention_days=retention)
    return retention


def _check_details(client: Client, kind: str, keys: Sequence[str]) -> Finding:
    """Whether details that not every appliance or user has can be read."""
    answers, failures = try_details(client, keys, kind, enough=1)
    if answers:
        return green(kind, "can be read")
    if failures:
        what = "the user may not read them" if isinstance(failures[0], RightsError) else str(failures[0])
        return yellow(kind, f"{what}; take {kind} out of SPSETL_DETAILS, or let an administrator grant the right")
    text = "none of the newest sessions has them" if keys else "there is no session to ask about"
    return yellow(kind, f"{text}; take {kind} out of SPSETL_DETAILS if this firmware has none")


def _check_abilities(found: Capabilities, has_snapshots: bool | None) -> Iterator[Finding]:
    """What the appliance can do, and what spsetl does where it cannot."""
    literal = "windows are counted only where start and end are literal"
    for name, answer, yes, no in (
        ("snapshots", has_snapshots, "the list is read through a snapshot", "the list is read in windows"),
        ("_count", found.has_counts, "sessions are counted beyond 10000", "windows over 10000 are not counted"),
        ("revision", found.has_revision, "the list gives it by name", "a hash of each session stands in for it"),
        ("date ranges in q", found.has_date_ranges, "windows are counted exactly", literal),
        ("histogram", found.bin_size_parameter is not None, f"takes {found.bin_size_parameter}", "windows are guessed"),
        ("start and end", found.reading and True, f"{found.reading}: {_READINGS.get(found.reading or '')}", ""),
    ):
        if answer is None:
            text = "not known yet: no session could tell, or no sync has asked"
            yield yellow(name, f"{text}; run spsetl doctor again after the first sync, which asks", answer=None)
        elif answer:
            yield green(name, yes, answer=True)
        else:
            yield yellow(name, f"{no}; nothing to do, spsetl does without: a newer firmware may have it", answer=False)
