"""Options that several commands share. Each overrides the setting of the same name, see README, "Settings"."""

from dataclasses import asdict, dataclass
from pathlib import Path

from cyclopts import Parameter

from spsetl.seeing import configure
from spsetl.settings import Settings, load_appliances, load_settings


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Where the copy is."""

    data_dir: Path | None = None
    """Folder of the copy (SPSETL_DATA_DIR, ./data)."""
    question_seconds: str | None = None
    """Seconds that one question may keep the database at work, or none (SPSETL_QUESTION_SECONDS, 600)."""
    question_memory: str | None = None
    """Memory that one question may take, or none for DuckDB's 80% (SPSETL_QUESTION_MEMORY, 50%)."""
    merge_memory: str | None = None
    """Memory that merging may take (SPSETL_MERGE_MEMORY, a quarter of the machine's, at least 512MB)."""

    def load(self) -> Settings:
        """The settings with these options on top."""
        settings = load_settings(asdict(self))
        configure(settings)
        return settings


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
    keyring: str | None = None
    """Service of the operating system's keyring that holds the password (SPSETL_KEYRING)."""
    login_method: str | None = None
    """Authentication backend on the appliance, for example local (SPSETL_LOGIN_METHOD)."""
    client_cert: str | None = None
    """Client certificate with its key, PEM (SPSETL_CLIENT_CERT)."""
    ca_file: Path | None = None
    """CA certificates that the appliance's certificate is checked with, PEM (SPSETL_CA_FILE)."""
    verify_tls: bool | None = None
    """Check the appliance's certificate (SPSETL_VERIFY_TLS, true)."""
    appliance: str | None = None
    """Name of the appliance in the copy; of several in spsetl.toml, the only one (SPSETL_APPLIANCE, the URL's host)."""
    concurrency: int | None = None
    """Connections at the same time (SPSETL_CONCURRENCY, 8)."""
    timeout: float | None = None
    """Seconds to wait for an answer (SPSETL_TIMEOUT, 60)."""
    answer_seconds: float | None = None
    """Seconds within which an answer must be whole (SPSETL_ANSWER_SECONDS, 300)."""
    answer_megabytes: float | None = None
    """Megabytes that an answer may have, as sent or unpacked (SPSETL_ANSWER_MEGABYTES, 64)."""
    recording_seconds: float | None = None
    """Seconds within which a recording must be whole (SPSETL_RECORDING_SECONDS, 86400)."""
    recording_megabytes: float | None = None
    """Megabytes that a recording may have (SPSETL_RECORDING_MEGABYTES, 100000)."""
    lookback: float | None = None
    """Hours before the last sync's newest session that are listed again (SPSETL_LOOKBACK, 72)."""
    strategy: str | None = None
    """How the list is walked: auto, windows or snapshot (SPSETL_STRATEGY, auto)."""
    snapshot_busy: str | None = None
    """While another holds the only snapshot: windows, or wait until it is free (SPSETL_SNAPSHOT_BUSY, windows)."""
    details: str | None = None
    """Some of channels,events,alerts,trail_downloads,indexing; or none (SPSETL_DETAILS, the first three)."""
    quiet_hours: str | None = None
    """Local times without requests, for example 21:55-22:30, or none (SPSETL_QUIET_HOURS, none)."""
    office_hours: str | None = None
    """Office hours of the marts, default Mon-Fri 07:00-19:00 UTC (SPSETL_OFFICE_HOURS)."""
    sweep_requests: int | None = None
    """Requests a night for changes in what is older than the look-back (SPSETL_SWEEP_REQUESTS, 1000)."""
    sweep_days: int | None = None
    """Days within which all of that is looked at, even if it takes more requests (SPSETL_SWEEP_DAYS, 7)."""
    indexing_days: int | None = None
    """Days after which a session never indexed is not looked at each night (SPSETL_INDEXING_DAYS, 30)."""
    most_missing: float | None = None
    """Percent of the sessions that may vanish between two syncs (SPSETL_MOST_MISSING, 10)."""
    max_requests: str | None = None
    """Requests after which further details wait for the next sync, or none (SPSETL_MAX_REQUESTS, none)."""
    max_minutes: str | None = None
    """Minutes after which further details wait for the next sync, or none (SPSETL_MAX_MINUTES, none)."""
    log_format: str | None = None
    """How stderr tells what happens: text for a person, logfmt or json (SPSETL_LOG_FORMAT, text)."""
    log_level: str | None = None
    """The least that logfmt and json tell: debug, info, warning or error (SPSETL_LOG_LEVEL, info)."""
    metrics_file: str | None = None
    """File for node_exporter's textfile collector, or none (SPSETL_METRICS_FILE, none)."""

    def load_all(self) -> tuple[Settings, ...]:
        """The settings of each appliance, or of the one that is named, with these options on top."""
        all_settings = load_appliances(asdict(self))
        configure(all_settings[0])  # how to tell is the same for all
        return all_settings
