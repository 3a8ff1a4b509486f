"""Whether a set-up can work, and what its appliance can do: asked step by step, so that the first that fails shows."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from spsetl.appliance.client import Client
from spsetl.appliance.configuration import PROTOCOLS
from spsetl.appliance.probe import Capabilities, probe
from spsetl.appliance.protocol import ListQuery, decode_list
from spsetl.errors import RightsError, SpsetlError
from spsetl.extract.counts import count_all
from spsetl.extract.policies import fetch_options
from spsetl.extract.windows import LIST_FIELDS
from spsetl.settings import Settings
from spsetl.sync.job import connect, prepare
from spsetl.sync.places import Places
from spsetl.sync.progress import Silence
from spsetl.sync.retention import as_rows, describe_retention, retention_query
from spsetl.warehouse.reader import open_warehouse

State = Literal["green", "yellow", "red"]
_LITTLE_SPACE: Final = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One check: its state, what was found, and what to do next where it is not green."""

    check: str
    state: State
    found: str
    next_step: str = ""
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"check": self.check, "state": self.state, "found": self.found, "next_step": self.next_step}


def examine(settings: Settings) -> Iterator[Finding]:
    """Check a set-up; ends with the first red finding that makes the others impossible. Opens no snapshot.

    Args:
        settings: Of one appliance.
    """
    try:
        access, places = prepare(settings)
    except SpsetlError as error:
        yield _red("settings", error)
        return
    yield Finding("settings", "green", f"{access.appliance} at {access.url}, into {settings.data_dir}")
    for remark in settings.remarks:
        yield Finding("settings", "yellow", remark, "see README, Settings")
    yield _space(places)
    with connect(settings, access, places, Silence()) as client:
        try:
            found = probe(client, open_snapshot=False)
            yield Finding("login and rights", "green", f"firmware {found.firmware_version}, sessions can be searched")
            yield from _pace(client, settings, found)
        except SpsetlError as error:
            yield _red("login and rights", error)
            return
        yield _configuration(client)
    yield from _abilities(found, _known_snapshots(settings, access.appliance))
    yield from _retention(settings, access.appliance)


def _red(check: str, error: SpsetlError) -> Finding:
    return Finding(check, "red", str(error), "mend this first, and run spsetl doctor again", error.exit_code)


def _space(places: Places) -> Finding:
    free = shutil.disk_usage(places.private).free
    text = f"{free / 2**30:,.1f} GiB free"
    if free < _LITTLE_SPACE:
        return Finding("disk space", "yellow", text, "free some, or set SPSETL_DATA_DIR to a larger disk")
    return Finding("disk space", "green", text)


def _pace(client: Client, settings: Settings, found: Capabilities) -> Iterator[Finding]:
    """How long a page takes, and all of the list at that pace."""
    query = ListQuery(fields=LIST_FIELDS, sort="-start_time")
    began = time.monotonic()
    page = decode_list(client.get(query.path, query.params, kind="list"))
    seconds = time.monotonic() - began
    number = count_all(client, found)
    if number is None:
        yield Finding("pace", "green", f"a page of {len(page.items)} sessions takes {seconds:.2f} s")
        return
    whole = number / max(len(page.items), 1) * seconds / settings.concurrency
    text = f"a page of {len(page.items)} sessions takes {seconds:.2f} s; {number:,} sessions about {whole:,.0f} s"
    yield Finding("pace", "green", f"{text} for the list at {settings.concurrency} connections")


def _configuration(client: Client) -> Finding:
    """Whether the user may read what the table of policies is made of; a copy can do without."""
    try:
        fetch_options(client, PROTOCOLS[0])
    except SpsetlError as error:
        without = "policies and how long metadata lives are not copied"
        if isinstance(error, RightsError):
            return Finding("configuration", "yellow", f"the user may not read it: {without}", _GRANT)
        return Finding("configuration", "yellow", f"{without}: {error}")
    return Finding("configuration", "green", "policies and how long metadata lives can be read")


def _retention(settings: Settings, appliance: str) -> Iterator[Finding]:
    """Whether clean-up on the appliance may come before the copy, as of what is published."""
    if not (settings.data_dir / "warehouse.duckdb").exists():
        return
    with open_warehouse(settings.data_dir) as warehouse:
        rows = [row for row in as_rows(*warehouse.rows(retention_query())) if row["appliance"] == appliance]
    troubles = describe_retention(rows)
    for line in troubles:
        yield Finding("retention", "yellow", line, "run spsetl sync, and let it fetch what waits")
    if not troubles:
        kept = [f"{row['protocol']} {row['retention_days'] or 'for ever'}" for row in rows]
        text = f"days that metadata live: {', '.join(kept)}" if kept else _UNKNOWN
        yield Finding("retention", "green" if kept else "yellow", text)


def _known_snapshots(settings: Settings, appliance: str) -> bool | None:
    """Whether the appliance gives snapshots, as the last sync found it."""
    if not (settings.data_dir / "warehouse.duckdb").exists():
        return None
    with open_warehouse(settings.data_dir) as warehouse:
        _, rows = warehouse.rows(
            "select has_snapshots from appliances where appliance = $appliance", {"appliance": appliance}
        )
    return rows[0][0] if rows else None


def _abilities(found: Capabilities, has_snapshots: bool | None) -> Iterator[Finding]:
    """What the appliance can do, and what spsetl does where it cannot."""
    answers: tuple[tuple[str, bool | None, str, str], ...] = (
        ("snapshots", has_snapshots, "the list is read through a snapshot", "the list is read in windows"),
        ("_count", found.has_counts, "sessions are counted beyond 10000", "windows over 10000 are not counted"),
        ("revision", found.has_revision, "the list gives it by name", "a hash of each session stands in for it"),
        (
            "date ranges in q",
            found.has_date_ranges,
            "windows are counted exactly",
            "windows are counted only where start and end are literal",
        ),
        ("histogram", found.bin_size_parameter is not None, f"takes {found.bin_size_parameter}", "windows are guessed"),
    )
    for name, answer, yes, no in answers:
        yield Finding(name, "green" if answer else "yellow", yes if answer else no if answer is False else _UNKNOWN)
    reading = found.reading
    text = f"{reading}: {_READINGS[reading]}" if reading else _UNKNOWN
    yield Finding("start and end", "green" if reading else "yellow", text)


_UNKNOWN: Final = "not known yet: no session could tell, or no sync has asked"
_GRANT: Final = 'if they are wanted, let an administrator grant read access to the protocols\' "Control" pages'
_READINGS: Final = {
    "literal": "sessions that started at or after start",
    "overlap": "sessions that were alive at or after start",
}
