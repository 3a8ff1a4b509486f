"""Which appliances a run is for, and how a run is called."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from prefect.runtime import flow_run

from spsetl import open_warehouse
from spsetl.errors import SettingsError, SpsetlError
from spsetl.settings import Settings, load_appliances

_WATERMARK: Final = """
select max(watermark) from sync_runs where appliance = $appliance and status = 'done' and kind = 'sync'
"""


def name_of(settings: Settings) -> str:
    """The appliance's name in the copy."""
    return settings.appliance or urlsplit(settings.url or "").hostname or "appliance"


def load_chosen(names: Sequence[str] | None) -> list[Settings]:
    """The settings of the appliances with these names; of all, if there are none.

    Raises:
        SettingsError: A setting is wrong, or no appliance has the name.
    """
    by_name = {name_of(settings): settings for settings in load_appliances()}
    if unknown := set(names or ()) - set(by_name):
        raise SettingsError(f"no appliance is called {', '.join(sorted(unknown))}; there is {', '.join(by_name)}")
    return [settings for name, settings in by_name.items() if not names or name in names]


def name_sync() -> str:
    """The run's name: which appliance, and from where on."""
    appliance = flow_run.parameters["appliance"]
    start = _look_back(appliance)
    return f"{appliance} from {start:%Y-%m-%d %H:%M} UTC" if start else f"{appliance} from the first session"


def name_all() -> str:
    """The run's name: which appliances, and of which sessions."""
    parameters = flow_run.parameters
    try:
        names = [name_of(settings) for settings in load_chosen(parameters.get("appliances"))]
    except SpsetlError:
        names = ["unknown appliances"]  # the run itself fails with the reason
    return f"{', '.join(names)} {_range(parameters.get('start'), parameters.get('end'))}"


def _range(start: datetime | None, end: datetime | None) -> str:
    if start is None and end is None:
        return "whole" if "start" in flow_run.parameters else "new and changed"
    first = f"from {start:%Y-%m-%d %H:%M}" if start else "from the first session"
    return f"{first} to {end:%Y-%m-%d %H:%M}" if end else first


def _look_back(appliance: str) -> datetime | None:
    """Where the list is read from: the look-back before the last complete sync; None before the first."""
    try:
        [settings] = load_chosen([appliance])
        with open_warehouse(settings.data_dir) as warehouse:
            watermark: datetime | None = warehouse.rows(_WATERMARK, {"appliance": appliance})[1][0][0]
    except SpsetlError:
        return None  # nothing is published yet
    return watermark - timedelta(hours=settings.lookback) if watermark else None
