"""What the appliance can do, asked once and kept, and what follows for how it is read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities, fetch_version, probe
from spsetl.errors import SettingsError
from spsetl.extract.snapshot import Snapshots
from spsetl.settings import Settings
from spsetl.sync.data_dir import DataDir
from spsetl.warehouse.appliances import fetch_capabilities, keep_address, keep_capabilities
from spsetl.warehouse.work import WorkDatabase

# An appliance is asked again what it can do when its firmware changed, or after so long.
PROBE_AGAIN: Final = timedelta(days=30)


def ensure_capabilities(work: WorkDatabase, client: Client, appliance: str, *, address: str | None) -> Capabilities:
    """What the appliance can do: as it is known for this firmware, or else probed now."""
    now = datetime.now(UTC)
    kept = fetch_capabilities(work, appliance)
    if kept is not None:
        known, since = kept
        is_complete = None not in (known.has_revision, known.has_date_ranges, known.reading)
        version = fetch_version(client)
        if is_complete and version == known.firmware_version and timedelta(0) <= now - since < PROBE_AGAIN:
            keep_address(work, appliance, address)
            return known
    found = probe(client)
    keep_capabilities(work, appliance, found, address=address, now=now)
    return found


def choose_strategy(settings: Settings, capabilities: Capabilities) -> str:
    """How the list is walked: `snapshot` or `windows`.

    Raises:
        SettingsError: Snapshots are wanted, and the appliance has none.
    """
    if settings.strategy == "snapshot" and not capabilities.has_snapshots:
        raise SettingsError(
            f"SPSETL_STRATEGY: this appliance (firmware {capabilities.firmware_version}) gives no snapshots; "
            "set it to auto, or to windows"
        )
    return "snapshot" if settings.strategy != "windows" and capabilities.has_snapshots else "windows"


def share_snapshot(settings: Settings, places: DataDir, client: Client, appliance: str, stopping: Event) -> Snapshots:
    """The snapshot that all windows of a run are walked through; opened when the first one needs it."""
    sleep: Callable[[float], bool] = stopping.wait
    return Snapshots(client, places.snapshot_of(appliance), waits=settings.snapshot_busy == "wait", sleep=sleep)
