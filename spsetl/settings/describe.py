"""All settings as a table."""

from dataclasses import dataclass

from spsetl.settings.model import PREFIX, Settings
from spsetl.settings.values import DETAILS, NONE


@dataclass(frozen=True)
class SettingDescription:
    """One line of a table of settings: `variable` in the environment, `name` in spsetl.toml."""

    variable: str
    name: str
    default: str
    meaning: str


def describe_settings() -> tuple[SettingDescription, ...]:
    """All settings, for help texts and deployments/settings.md."""
    defaults = {
        "appliance": "the URL's host",
        "data_dir": "./data",
        "verify_tls": "true",
        "details": ",".join(DETAILS),
        "quiet_hours": NONE,
        "max_requests": NONE,
        "max_minutes": NONE,
        "metrics_file": NONE,
    }
    return tuple(
        SettingDescription(
            variable=PREFIX + name.upper(),
            name=name,
            default=defaults.get(name, "" if field.default is None else str(field.default)),
            meaning=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    )
