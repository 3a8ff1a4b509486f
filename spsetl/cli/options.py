"""Options that several commands share. Each overrides the setting of the same name, see README, "Settings"."""

from dataclasses import asdict, dataclass
from pathlib import Path

from cyclopts import Parameter

from spsetl.settings import Settings, load_settings


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Where the copy is."""

    data_dir: Path | None = None
    """Folder of the copy (SPSETL_DATA_DIR, ./data)."""

    def load(self) -> Settings:
        """The settings with these options on top."""
        return load_settings({name: value for name, value in asdict(self).items() if value is not None})


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SyncOptions(DataOptions):
    """What to sync, and how. There is no option for the password: the process list shows options to everybody."""

    url: str | None = None
    """Address of the appliance, for example https://sps.example (SPSETL_URL)."""
    username: str | None = None
    """User that reads the audit data (SPSETL_USERNAME)."""
    password_file: Path | None = None
    """File that holds the password, readable by you alone (SPSETL_PASSWORD_FILE)."""
    login_method: str | None = None
    """Authentication backend on the appliance, for example local (SPSETL_LOGIN_METHOD)."""
    client_cert: str | None = None
    """Client certificate with its key, PEM (SPSETL_CLIENT_CERT)."""
    ca_file: Path | None = None
    """CA certificates that the appliance's certificate is checked with, PEM (SPSETL_CA_FILE)."""
    verify_tls: bool | None = None
    """Check the appliance's certificate (SPSETL_VERIFY_TLS, true)."""
    appliance: str | None = None
    """Name of the appliance in the copy (SPSETL_APPLIANCE, the URL's host)."""
    concurrency: int | None = None
    """Connections at the same time (SPSETL_CONCURRENCY, 8)."""
    timeout: float | None = None
    """Seconds to wait for an answer (SPSETL_TIMEOUT, 60)."""
    lookback: float | None = None
    """Hours before the last sync's newest session that are listed again (SPSETL_LOOKBACK, 72)."""
    strategy: str | None = None
    """How the list is walked: auto or windows (SPSETL_STRATEGY, auto)."""
    details: str | None = None
    """Which details are fetched: channels,events,alerts, some of them, or none (SPSETL_DETAILS)."""
