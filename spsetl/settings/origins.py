"""Where the values of settings came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Origins:
    """Where values came from, and where a password may lie that no setting names; makes no settings differ.

    Attributes:
        places: By the settings' names, for example `SPSETL_URL` or `[appliances.a] url in spsetl.toml`.
        section: `[appliances.a]`, where one was applied.
        refusal: Why no appliance may be reached with these settings.
        password_in: The file of settings that holds the password itself, if one does.
        credentials: The folder of the systemd service's credentials, `$CREDENTIALS_DIRECTORY`.
    """

    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    section: str | None = field(default=None, compare=False)
    refusal: str | None = field(default=None, compare=False)
    password_in: Path | None = field(default=None, compare=False)
    credentials: Path | None = field(default=None, compare=False)
