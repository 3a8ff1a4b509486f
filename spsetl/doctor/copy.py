"""The copy on disk: whether it can be written and read, who is at work on it, and how its last sync ended."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from spsetl.analysis.reader import open_warehouse
from spsetl.doctor.finding import Finding, red
from spsetl.errors import NewerCopyError, SettingsError, SpsetlError, StorageError
from spsetl.queries import read_statement
from spsetl.settings import Settings
from spsetl.sync.last_runs import LastRun, fetch_last_runs
from spsetl.sync.lock import Holder, find_holder
from spsetl.sync.places import Places
from spsetl.sync.report import TELL_US, name_misfits
from spsetl.sync.retention import as_rows, retention_query
from spsetl.sync.state import fetch_state

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
FRESH: Final = timedelta(hours=26)  # a night, and what a night may take longer than the last

_OLD: Final = timedelta(days=7)
_WRONG_SETTINGS: Final = 2
_INCOMPLETE: Final = 3


@dataclass
class Copy:
    """What is known of the copy of one appliance.

    Attributes:
        trouble: Why it cannot be read, or not all of it.
        names: The appliances that it has, this one or not.
        last_sync: When its last complete sync ended (UTC); None if there was none.
        has_snapshots: Whether the appliance gives snapshots, as the last sync found it.
        retention: The rows of sql/reports/retention.sql.
        growth: The row of sql/doctor/growth.sql.
        misfits: How often values did not fit, by field, see sql/doctor/misfits.sql.
        holder: Who is at work on the data directory now.
        last_run: How the last sync went, published or not.
    """

    trouble: SpsetlError | None = None
    names: tuple[str, ...] = ()
    last_sync: datetime | None = None
    has_snapshots: bool | None = None
    retention: tuple[dict[str, Any], ...] = ()
    growth: dict[str, Any] | None = None
    misfits: dict[str, int] = field(default_factory=dict)
    holder: Holder | None = None
    last_run: LastRun | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the last complete sync is no older than a night."""
        return self.last_sync is not None and timedelta(0) <= datetime.now(UTC) - self.last_sync <= FRESH


def appliances_of_copy(settings: Settings) -> list[str]:
    """The appliances of the copy, where the settings name none and nothing to log in with; else none."""
    if not settings.is_without_appliance:
        return []
    try:
        return [str(one["appliance"]) for one in fetch_state(settings.data_dir).appliances]
    except SpsetlError:
        return []  # `read_copy` tells of it


def read_copy(settings: Settings, appliance: str | None) -> Copy:
    """Read what is published, and how the last sync went."""
    copy, places = Copy(), Places.of(settings.data_dir)
    try:
        if places.published.exists():
            _read_published(copy, settings.data_dir, appliance)
    except SpsetlError as error:
        copy.trouble = error
    except OSError as error:
        copy.trouble = _unreadable(settings.data_dir, error)
    try:
        copy.holder = find_holder(places.private)
        copy.last_run = _read_last_run(places.private, copy.holder, appliance) if appliance else None
    except OSError as error:
        copy.trouble = copy.trouble or _unreadable(places.private, error)
    except SettingsError as error:
        copy.trouble = copy.trouble or error
    return copy


def _unreadable(place: Path, error: OSError) -> StorageError:
    return StorageError(f"{place} cannot be read: {error.strerror}; run spsetl doctor as the user that syncs")


def _read_published(copy: Copy, data_dir: Path, appliance: str | None) -> None:
    with open_warehouse(data_dir) as warehouse:
        (last,) = as_rows(*warehouse.rows(read_statement("doctor", "last_sync"), {"appliance": appliance}))
        copy.last_sync = last["finished_at"].replace(tzinfo=UTC) if last["finished_at"] else None
        copy.names = tuple(row["appliance"] for row in as_rows(*warehouse.rows(read_statement("doctor", "appliances"))))
        copy.has_snapshots = last["has_snapshots"]
        rows = as_rows(*warehouse.rows(retention_query()))
        copy.retention = tuple(row for row in rows if row["appliance"] == appliance)
        (copy.growth,) = as_rows(*warehouse.rows(read_statement("doctor", "growth")))
        copy.misfits = dict(warehouse.rows(read_statement("doctor", "misfits"), {"appliance": appliance})[1])


def _read_last_run(private: Path, holder: Holder | None, appliance: str) -> LastRun | None:
    """The last sync; a failed one publishes nothing, and tells of itself here."""
    runs = fetch_last_runs(private, is_running=holder is not None)
    return next((run for run in runs if run.kind == "sync" and run.appliance == appliance), None)


def check_data_directory(settings: Settings, copy: Copy) -> Iterator[Finding]:
    """Whether a sync could write here, whether one does, and whether what is here can be read."""
    check, places = "data directory", Places.of(settings.data_dir)
    refused = next((folder for folder in (places.lake, places.private) if not _is_writable(folder)), None)
    if refused:
        text = f"this user may not write {refused}"
        advice = "set SPSETL_DATA_DIR to a folder that this user may write"
        yield Finding(check, "red", text, advice, _WRONG_SETTINGS)
    elif copy.holder:
        text = f"{settings.data_dir}: a sync is at work ({copy.holder})"
        yield Finding(check, "green", text, facts={"holder": str(copy.holder)})
    elif nearest(settings.data_dir) == settings.data_dir.absolute():
        yield Finding(check, "green", f"{settings.data_dir} can be written, and nobody is at work on it")
    else:
        yield Finding(check, "green", f"{settings.data_dir} is not there yet; the first sync makes it")
    if copy.trouble:
        yield _troubled(copy.trouble)


def check_modes(settings: Settings) -> Iterator[Finding]:
    """What is open to more people than the owner, and the group for what is published; nothing if all is well."""
    places = Places.of(settings.data_dir)
    for path, most in (
        (settings.data_dir, 0o750),
        (places.published, 0o640),
        (places.lake, 0o700),
        (places.private, 0o700),
    ):
        mode = stat.S_IMODE(path.stat().st_mode) & 0o777 if os.access(path, os.F_OK) else 0
        if mode & ~most:
            text = f"{path} is open to other users (mode {mode:o})"
            yield Finding(
                "permissions", "yellow", text, f"run chmod {mode & most:o} {path}", facts={"mode": f"{mode:o}"}
            )


def _troubled(error: SpsetlError) -> Finding:
    """Red where a sync would refuse; what is damaged it may mend."""
    finding = red("copy", error)
    return (
        finding if isinstance(error, NewerCopyError | SettingsError) else replace(finding, state="yellow", exit_code=0)
    )


def _is_writable(folder: Path) -> bool:
    """Whether it can be written, or else made."""
    place = nearest(folder)
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there, as far as this user may see."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if os.access(place, os.F_OK))


def check_last_sync(copy: Copy, now: datetime) -> Finding:
    """How old the copy is, and how its last sync ended.

    Args:
        copy: What is known of it.
        now: Aware.
    """
    check, failure = "last sync", _failure(copy)
    facts = {"finished_at": copy.last_sync.isoformat() if copy.last_sync else None, "last_failure": failure}
    if copy.last_sync is None:
        others = f" under this name, the copy has {', '.join(copy.names)}" if copy.names else ""
        text = f"no sync was ever complete{others}" + (f"; the last one: {failure}" if failure else "")
        return Finding(check, "yellow", text, "run spsetl sync", facts=facts)
    age = now - copy.last_sync
    if age < -_CLOCKS_DIFFER:
        advice = "set the clock right, then run spsetl sync"
        return Finding(check, "red", "the last complete sync lies in the future", advice, _INCOMPLETE, facts=facts)
    text = f"complete {_ago(age)} ago" + (f"; the last one: {failure}" if failure else "")
    if age > _OLD:
        advice = "see why none was complete since: spsetl sync, and the log of what should start it at night"
        return Finding(check, "red", text, advice, _INCOMPLETE, facts=facts)
    if failure or age > FRESH:
        advice = "run spsetl sync and see how it ends" if failure else "see what should start spsetl sync at night"
        return Finding(check, "yellow", text, advice, facts=facts)
    return Finding(check, "green", text, facts=facts)


def check_misfits(copy: Copy) -> Finding:
    """Whether the appliance says what the schema expects."""
    check, facts = "values", {"misfits": copy.misfits}
    if copy.misfits:
        text = f"in 28 days these did not fit their columns and were kept in extra: {name_misfits(copy.misfits)}"
        return Finding(check, "yellow", text, TELL_US, facts=facts)
    return Finding(check, "green", "all values of 28 days fit their columns", facts=facts)


def _failure(copy: Copy) -> str | None:
    """Why the last sync did not do all of it; None if it did, or is under way."""
    run = copy.last_run
    if run is None or run.status in ("done", "running"):
        return None
    return f"{run.status}" + (f", {run.error}" if run.error else "")


def _ago(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours * 60:.0f} minutes" if hours < 1 else f"{hours:.0f} hours" if hours < 72 else f"{age.days} days"  # noqa: PLR2004 - three days
