"""The copy on disk: whether it can be written and read, who is at work on it, how old it is, and what may be lost."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from spsetl.analysis.reader import open_warehouse
from spsetl.doctor.finding import Finding, green, red, yellow, yellow_if
from spsetl.errors import IncompleteError, NewerCopyError, SettingsError, SpsetlError, StorageError
from spsetl.queries import read_statement
from spsetl.runs import TELL_US, name_misfits
from spsetl.settings import Settings
from spsetl.sync.data_dir import DataDir, find_holder
from spsetl.sync.status import describe_retention, fetch_state
from spsetl.window import aware_utc

_HOUR: Final = 3600
FRESH: Final = 26 * _HOUR  # a night, and what a night may take longer than the last
_OLD: Final = 7 * 24 * _HOUR
_CLOCKS_DIFFER: Final = 300
_FEW: Final = 72  # hours; what is longer is told in days


@dataclass(frozen=True)
class Copy:
    """What is known of the copy of one appliance.

    Attributes:
        trouble: Why it cannot be read.
        status: Its entry of `spsetl status`, empty if there is none.
        names: The appliances that the copy has, this one or not.
        retention: Its rows of sql/status/retention.sql.
        has_snapshots: Whether the appliance gives snapshots, as the last sync found it.
        growth: By which part of itself it grows in a day, see sql/status/growth.sql.
        misfits: How often values did not fit, by field, see sql/status/misfits.sql.
    """

    trouble: SpsetlError | None = None
    status: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    retention: tuple[Mapping[str, Any], ...] = ()
    has_snapshots: bool | None = None
    growth: float | None = None
    misfits: Mapping[str, int] = field(default_factory=dict)

    @property
    def age(self) -> float | None:
        """Seconds since the last complete sync; None if there was none."""
        age: float | None = self.status.get("age_seconds")
        return age

    @property
    def is_fresh(self) -> bool:
        """Whether the last complete sync is no older than a night."""
        return self.age is not None and 0 <= self.age <= FRESH


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
    try:
        state = fetch_state(settings.data_dir)
        known: dict[str, Any] = {
            "status": next((one for one in state.appliances if one["appliance"] == appliance), {}),
            "names": tuple(str(one["appliance"]) for one in state.appliances),
            "retention": tuple(row for row in state.retention if row["appliance"] == appliance),
        }
        if state.published_at is None:
            return Copy(**known)
        with open_warehouse(settings.data_dir) as warehouse:
            snapshots = warehouse.rows(read_statement("status", "snapshots"), {"appliance": appliance})[1]
            ((growth,),) = warehouse.rows(read_statement("status", "growth"))[1]
            misfits = dict(warehouse.rows(read_statement("status", "misfits"), {"appliance": appliance})[1])
        return Copy(**known, has_snapshots=snapshots[0][0] if snapshots else None, growth=growth, misfits=misfits)
    except OSError as error:
        text = f"{settings.data_dir} cannot be read: {error.strerror}"
        return Copy(StorageError(f"{text}; run spsetl doctor as the user that syncs"))
    except SpsetlError as error:
        return Copy(error)


def check_data_directory(settings: Settings, copy: Copy) -> Iterator[Finding]:
    """Whether a sync could write here, whether one does, and whether what is here can be read."""
    check, places = "data directory", DataDir.of(settings.data_dir)
    refused = next((folder for folder in (places.lake, places.private) if not _is_writable(folder)), None)
    try:
        holder = find_holder(places.private)
    except SettingsError as error:
        yield red(check, error)
    else:
        if refused:
            text = f"this user may not write {refused}"
            yield red(check, SettingsError(f"{text}; set SPSETL_DATA_DIR to a folder that this user may write"))
        elif holder:
            yield green(check, f"{settings.data_dir}: a sync is at work ({holder})", holder=str(holder))
        elif nearest(settings.data_dir) == settings.data_dir.absolute():
            yield green(check, f"{settings.data_dir} can be written, and nobody is at work on it")
        else:
            yield green(check, f"{settings.data_dir} is not there yet; the first sync makes it")
    if isinstance(copy.trouble, NewerCopyError | SettingsError):
        yield red("copy", copy.trouble)
    elif copy.trouble:
        yield yellow("copy", str(copy.trouble))  # a sync mends what is damaged


def _is_writable(folder: Path) -> bool:
    """Whether it can be written, or else made."""
    place = nearest(folder)
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there, as far as this user may see."""
    whole = folder.absolute()
    return next(place for place in (whole, *whole.parents) if os.access(place, os.F_OK))


def check_modes(settings: Settings) -> Iterator[Finding]:
    """What is open to more people than the owner, and the group for what is published; nothing if all is well."""
    places = DataDir.of(settings.data_dir)
    most = {settings.data_dir: 0o750, places.published: 0o640, places.lake: 0o700, places.private: 0o700}
    for path, allowed in most.items():
        mode = stat.S_IMODE(path.stat().st_mode) & 0o777 if os.access(path, os.F_OK) else 0
        if mode & ~allowed:
            text = f"{path} is open to other users (mode {mode:o})"
            yield yellow("permissions", f"{text}; run chmod {mode & allowed:o} {path}", mode=f"{mode:o}")


def check_last_sync(copy: Copy) -> Finding:
    """How old the copy is, and how its last sync ended."""
    check, at, failure = "last sync", copy.status.get("last_sync_at"), _failure(copy)
    facts = {"finished_at": aware_utc(at).isoformat() if at else None, "last_failure": failure}
    last = f"; the last one: {failure}" if failure else ""
    if copy.age is None:
        others = f" under this name, the copy has {', '.join(copy.names)}" if copy.names else ""
        return yellow(check, f"no sync was ever complete{others}{last}; run spsetl sync", **facts)
    if copy.age < -_CLOCKS_DIFFER:
        text = "the last complete sync lies in the future; set the clock right, then run spsetl sync"
        return red(check, IncompleteError(text), **facts)
    text = f"complete {_ago(copy.age / _HOUR)} ago{last}"
    if copy.age > _OLD:
        advice = "see why none was complete since: spsetl sync, and the log of what should start it at night"
        return red(check, IncompleteError(f"{text}; {advice}"), **facts)
    advice = "run spsetl sync and see how it ends" if failure else "see what should start spsetl sync at night"
    return yellow_if(bool(failure) or copy.age > FRESH, check, text, advice, **facts)


def _failure(copy: Copy) -> str | None:
    """Why the last sync did not do all of it; None if it did, or is under way."""
    run = copy.status.get("last_runs", {}).get("sync")
    if run is None or run["status"] in ("done", "running"):
        return None
    failed = copy.status.get("sessions_with_failed_details")
    details = f"details of {failed:,} sessions fail" if failed and run["status"] == "incomplete" else None
    return ", ".join(filter(None, (run["status"], run["error"], details)))


def _ago(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < _FEW else f"{timedelta(hours=hours).days} days"


def check_misfits(copy: Copy) -> Finding:
    """Whether the appliance says what the schema expects."""
    text = "all values of 28 days fit their columns"
    if copy.misfits:
        text = f"in 28 days these did not fit their columns and were kept in extra: {name_misfits(copy.misfits)}"
    return yellow_if(bool(copy.misfits), "values", text, TELL_US, misfits=dict(copy.misfits))


def check_retention(copy: Copy, of_appliance: Mapping[str, int | None] | None) -> Iterator[Finding]:
    """Whether clean-up on the appliance may come before the copy.

    Args:
        copy: What is known of it.
        of_appliance: Days by protocol, as the appliance says now, where nothing is published yet.
    """
    check = "retention"
    for line in describe_retention(copy.retention):
        yield yellow(check, line)
    if any(row["state"] != "ok" for row in copy.retention):
        return
    days = {row["protocol"]: row["retention_days"] for row in copy.retention} or dict(of_appliance or {})
    if not days:
        text = "how long the appliance keeps metadata is not known"
        yield yellow(check, f"{text}; let the user read the configuration, or ask an administrator")
        return
    kept = ", ".join(f"{protocol} {number or 'for ever'}" for protocol, number in days.items())
    text = f"days that metadata live: {kept}"
    if copy.retention:
        lag = max((row["lag_days"] for row in copy.retention if row["lag_days"] is not None), default=0.0)
        text = f"the copy lags {lag:g} days behind at most; {text}"
    yield green(check, text, retention_days=days)
