"""Every setting once, as a frozen value: `spsetl.toml` in the current folder < environment < arguments.

Where the file has an `[appliances.NAME]` section for each of several appliances, there is one value for each:
top level of the file < section < environment < arguments.
"""

from spsetl.settings.describe import SettingDescription, describe_settings
from spsetl.settings.load import load_appliances, load_draft, load_settings
from spsetl.settings.model import PREFIX, Settings
from spsetl.settings.office import OfficeHours
from spsetl.settings.sources import FILE
from spsetl.settings.values import ALL_DETAILS, DETAILS

__all__ = [
    "ALL_DETAILS",
    "DETAILS",
    "FILE",
    "PREFIX",
    "OfficeHours",
    "SettingDescription",
    "Settings",
    "describe_settings",
    "load_appliances",
    "load_draft",
    "load_settings",
]
