"""The settings themselves: names, bounds, meanings, and what a sync needs of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from spsetl.access import (
    Access,
    check_appliance,
    check_ca_file,
    check_client_cert,
    check_url,
    check_username,
)
from spsetl.errors import SettingsError
from spsetl.settings.office import DEFAULT_OFFICE_HOURS, check_office_hours
from spsetl.settings.origins import Origins
from spsetl.settings.password import WAYS, PasswordSource, find_credential, remark_readable
from spsetl.settings.values import (
    ALL_DETAILS,
    DETAILS,
    check_memory,
    check_metrics_file,
    check_quiet_hours,
    none_for_none,
    split_details,
)

PREFIX: Final = "SPSETL_"
DEFAULT: Final = "default"

_Text = Annotated[str, Field(min_length=1)]
_File = Annotated[Path, AfterValidator(Path.expanduser)]
_None = BeforeValidator(none_for_none)


class Settings(BaseSettings):
    """All settings. Only `data_dir` is needed to read a copy; `for_appliance` checks what a sync needs.

    Made by `load_settings` and `load_appliances`; made directly, it reads neither a file nor the environment.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[_Text, AfterValidator(check_url)] | None = Field(
        None, description="Address of the appliance", examples=["https://sps.example.com"]
    )
    username: Annotated[_Text, AfterValidator(check_username)] | None = Field(
        None, description="User that may search all sessions", examples=["auditor"]
    )
    password: SecretStr | None = Field(
        None, description="The user's password; better kept in a file of its own", examples=["a text in quotes"]
    )
    password_file: _File | None = Field(
        None, description="File that holds nothing but the password", examples=["/etc/spsetl/password"]
    )
    keyring: _Text | None = Field(
        None,
        description="Service in the operating system's keyring that holds the user's password; needs spsetl[keyring]",
        examples=["spsetl"],
    )
    login_method: _Text | None = Field(
        None, description="Login method of the appliance, where it has several", examples=["local"]
    )
    client_cert: _File | None = Field(
        None,
        description="PEM file with a client certificate and its unencrypted key, to log in without a password",
        examples=["/etc/spsetl/client.pem"],
    )
    ca_file: _File | None = Field(
        None,
        description="PEM file with the CA that signed the appliance's certificate",
        examples=["/etc/spsetl/ca.pem"],
    )
    verify_tls: bool = Field(
        default=True, description="Whether to check the appliance's certificate", examples=["true"]
    )
    appliance: Annotated[_Text, AfterValidator(check_appliance)] | None = Field(
        None,
        description="Name of the appliance in the copy; where spsetl.toml has several, the only one to sync",
        examples=["sps1"],
    )
    data_dir: _File = Field(Path("data"), description="Where the copy is kept", examples=["/var/lib/spsetl"])
    concurrency: int = Field(8, ge=1, le=64, description="Requests under way at the same time", examples=[8])
    timeout: float = Field(60, gt=0, le=86400, description="Seconds that the appliance may stay silent", examples=[60])
    answer_seconds: float = Field(
        300,
        gt=0,
        le=86400,
        description="Seconds within which an answer must be whole, however it trickles",
        examples=[300],
    )
    answer_megabytes: float = Field(
        64, gt=0, le=10000, description="Megabytes that an answer may have, as sent or unpacked", examples=[64]
    )
    recording_seconds: float = Field(
        86400, gt=0, description="Seconds within which a recording must be whole", examples=[86400]
    )
    recording_megabytes: float = Field(
        100_000, gt=0, description="Megabytes that a recording may have", examples=[100000]
    )
    lookback: float = Field(
        72,
        ge=0,
        le=87600,
        description="Hours before the newest session of the last sync that are listed again",
        examples=[72],
    )
    strategy: Literal["auto", "windows", "snapshot"] = Field(
        "auto",
        description="How the list is walked: auto takes a snapshot where the appliance has them, else windows",
        examples=["auto"],
    )
    snapshot_busy: Literal["windows", "wait"] = Field(
        "windows",
        description="While another holds the appliance's only snapshot: list by windows, or wait until it is free",
        examples=["windows"],
    )
    details: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_details)] = Field(
        DETAILS,
        description=(
            f"Which details of each session are fetched, with commas between them: {', '.join(ALL_DETAILS)}; or none"
        ),
        examples=["channels,events,alerts"],
    )
    quiet_hours: Annotated[Annotated[str, AfterValidator(check_quiet_hours)] | None, _None] = Field(
        None,
        description="Local times without requests, for example 21:55-22:30; several with commas between them",
        examples=["21:55-22:30"],
    )
    office_hours: Annotated[str, AfterValidator(check_office_hours)] = Field(
        DEFAULT_OFFICE_HOURS,
        description="Days, times and time zone that the marts call office hours; times may cross midnight",
        examples=["Mon-Fri 08:00-18:00 Europe/Budapest"],
    )
    sweep_requests: int = Field(
        1000,
        ge=0,
        description="Requests a night for looking for changes in everything older than the look-back",
        examples=[1000],
    )
    sweep_days: int = Field(
        7,
        ge=1,
        le=3650,
        description="Days within which all of that is looked at, even where so many requests a night do not suffice",
        examples=[7],
    )
    indexing_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days after which a session that was never indexed is no longer looked at each night",
        examples=[30],
    )
    most_missing: float = Field(
        10,
        ge=0,
        le=100,
        description="Percent of an appliance's sessions that may vanish between two syncs; more stops the sync",
        examples=[10],
    )
    max_requests: Annotated[Annotated[int, Field(ge=1)] | None, _None] = Field(
        None,
        description="Requests of a sync after which further details wait for the next one; the list is read whole",
        examples=[100000],
    )
    max_minutes: Annotated[Annotated[float, Field(gt=0, le=525600)] | None, _None] = Field(
        None,
        description="Minutes of a sync after which further details wait for the next one; the list is read whole",
        examples=[240],
    )
    question_seconds: Annotated[Annotated[float, Field(gt=0)] | None, _None] = Field(
        600,
        description="Seconds that one question to the copy may keep the database at work",
        examples=[600],
    )
    question_memory: Annotated[Annotated[str, AfterValidator(check_memory)] | None, _None] = Field(
        "50%",
        description="Memory that one question to the copy may take, of the machine's or as an amount; the rest spills",
        examples=["4GB"],
    )
    merge_memory: Annotated[Annotated[str, AfterValidator(check_memory)] | None, _None] = Field(
        None,
        description=(
            "Memory that a run may take for merging, of the machine's or as an amount; the rest spills. "
            "Without it, a quarter of the machine's, and 512 MB at least"
        ),
        examples=["2GB"],
    )
    log_format: Literal["text", "logfmt", "json"] = Field(
        "text",
        description="How what happens is told on stderr: as text for a person, or a line an event as logfmt or JSON",
        examples=["json"],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is told where log_format is logfmt or json", examples=["info"]
    )
    metrics_file: Annotated[Annotated[_File, AfterValidator(check_metrics_file)] | None, _None] = Field(
        None,
        description="File for node_exporter's textfile collector, replaced after each run; its name ends with .prom",
        examples=["/var/lib/prometheus/node-exporter/spsetl.prom"],
    )

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' hook
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # load_settings reads the others, to say of each value where it came from

    @classmethod
    def of(cls, values: Mapping[str, Any], origins: Origins) -> "Settings":
        """The settings with these values, and where they came from.

        Raises:
            pydantic.ValidationError: A value is wrong.
        """
        settings = cls(**values)
        settings._origins = origins
        return settings

    @property
    def origins(self) -> Mapping[str, str]:
        """Where the value of each setting came from, by the setting's name; never a value."""
        given = {name: f"argument {name}" for name in self.model_fields_set}
        origins = {name: self._origins.places.get(name, given.get(name, DEFAULT)) for name in type(self).model_fields}
        source = self._password_source
        if source.credential and not source.ways and self.client_cert is None:
            origins["password"] = f"systemd credential {source.credential.name}"
        return origins

    @property
    def is_without_appliance(self) -> bool:
        """Whether nothing is set of an appliance: what is asked for can only be about a copy."""
        names = ("url", "username", "client_cert", "appliance", *WAYS)
        return not self._origins.refusal and all(getattr(self, name) is None for name in names)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is allowed and yet unwise, one line each, for the command line to print."""
        origins = self._origins
        remarks = list(remark_readable(self.password_file, origins.password_in, origins.credentials))
        if not self.verify_tls:
            remarks.append(
                f"{self._place('verify_tls')} is off: the appliance's certificate is not checked; "
                f"set {self._place('ca_file')}"
            )
        return tuple(remarks)

    def for_appliance(self) -> Access:
        """What a sync needs, checked: the address, and how to log in.

        Raises:
            SettingsError: A setting is missing, contradicts another, or names a file that cannot be read.
        """
        place = self._place
        if self._origins.refusal:
            raise SettingsError(self._origins.refusal)
        if self.url is None:
            raise SettingsError(
                f"{place('url')} is not set; set it to the appliance's address, https://sps.example.com"
            )
        if self.ca_file and not self.verify_tls:
            raise SettingsError(
                f"{place('ca_file')} is of no use while {place('verify_tls')} is off; unset one of the two"
            )
        source = self._password_source
        password = None
        if self.client_cert:
            source.check_unused()
        else:
            password = source.read()
        if self.ca_file:
            check_ca_file(self.ca_file, place("ca_file"))
        if self.client_cert:
            check_client_cert(self.client_cert, place("client_cert"))
        return Access(
            url=self.url,
            appliance=str(self._appliance),
            username=self.username,
            password=password,
            login_method=self.login_method,
            client_cert=self.client_cert,
            ca_file=self.ca_file,
            verify_tls=self.verify_tls,
        )

    @property
    def _appliance(self) -> str | None:
        """Its name in the copy."""
        return self.appliance or (urlsplit(self.url).hostname if self.url else None)

    @property
    def _password_source(self) -> PasswordSource:
        return PasswordSource(
            username=self.username,
            password=self.password,
            password_file=self.password_file,
            keyring=self.keyring,
            credential=find_credential(self._origins.credentials, self._appliance),
            place=self._place,
        )

    def _place(self, name: str) -> str:
        """The setting as messages name it: where its value came from, or where one would be set."""
        origin = self._origins.places.get(name)
        if origin:
            return origin
        if name in self.model_fields_set:
            return f"argument {name}"
        return f"{self._origins.section} {name}" if self._origins.section else PREFIX + name.upper()
