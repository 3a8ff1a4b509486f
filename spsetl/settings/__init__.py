"""Every setting once, as a frozen value: `spsetl.toml` in the current folder < environment < arguments.

Where the file has an `[appliances.NAME]` section for each of several appliances, there is one value for each:
top level of the file < section < environment < arguments.
"""

from spsetl.settings.access import Access
from spsetl.settings.load import FILE, load_appliances, load_draft, load_settings
from spsetl.settings.model import ALL_DETAILS, PREFIX, Group, SettingDescription, Settings, describe_settings

__all__ = [
    "ALL_DETAILS",
    "FILE",
    "PREFIX",
    "Access",
    "Group",
    "SettingDescription",
    "Settings",
    "describe_settings",
    "load_appliances",
    "load_draft",
    "load_settings",
]
