"""Every setting once, as one frozen value: `spsetl.toml` in the current folder < environment < arguments."""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from spsetl.access import (
    Access,
    check_appliance,
    check_certificates,
    check_url,
    check_username,
    is_readable_by_others,
    read_password,
)
from spsetl.errors import SettingsError

PREFIX: Final = "SPSETL_"
FILE: Final = Path("spsetl.toml")

DETAILS: Final = ("channels", "events", "alerts")


def _split_details(value: object) -> object:
    """`channels,events` as it is written, or a list of the same; an empty tuple for `none`."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if names == ["none"]:
        return ()
    if not isinstance(names, list | tuple) or [name for name in names if name not in DETAILS]:
        raise ValueError(f"must be none, or some of {', '.join(DETAILS)}")
    return tuple(name for name in DETAILS if name in names)


_Text = Annotated[str, Field(min_length=1)]
_File = Annotated[Path, AfterValidator(Path.expanduser)]


class Settings(BaseSettings):
    """All settings. Only `data_dir` is needed to read a copy; `for_appliance` checks what a sync needs.

    Made by `load_settings`; made directly, it reads neither a file nor the environment.
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
        None, description="Name of the appliance in the copy; by default the URL's host", examples=["sps1"]
    )
    data_dir: _File = Field(Path("data"), description="Where the copy is kept", examples=["/var/lib/spsetl"])
    concurrency: int = Field(8, ge=1, le=64, description="Requests under way at the same time", examples=[8])
    timeout: float = Field(60, gt=0, le=86400, description="Seconds that the appliance may stay silent", examples=[60])
    lookback: float = Field(
        72,
        ge=0,
        le=87600,
        description="Hours before the newest session of the last sync that are listed again",
        examples=[72],
    )
    strategy: Literal["auto", "windows", "snapshot"] = Field(
        "auto",
        description="How the list of sessions is walked: windows, or auto, which is windows in this version",
        examples=["auto"],
    )

    details: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_details)] = Field(
        DETAILS,
        description="Which details of each session are fetched, with commas between them, or none",
        examples=["channels,events,alerts"],
    )

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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is allowed and yet unwise, one line each, for the command line to print."""
        remarks = []
        if self.password_file and is_readable_by_others(self.password_file):
            remarks.append(f"{self.password_file} can be read by other users; run: chmod 600 {self.password_file}")
        if not self.verify_tls:
            remarks.append("SPSETL_VERIFY_TLS is off: the appliance's certificate is not checked; set SPSETL_CA_FILE")
        return tuple(remarks)

    def for_appliance(self) -> Access:
        """What a sync needs, checked: the address, and how to log in.

        Raises:
            SettingsError: A setting is missing, contradicts another, or names a file that cannot be read.
        """
        if self.url is None:
            raise SettingsError("SPSETL_URL is not set; set it to the appliance's address, https://sps.example.com")
        if self.ca_file and not self.verify_tls:
            raise SettingsError("SPSETL_CA_FILE is of no use while SPSETL_VERIFY_TLS is off; unset one of the two")
        password = self._password_of_login()
        check_certificates(ca_file=self.ca_file, client_cert=self.client_cert)
        return Access(
            url=self.url,
            appliance=self.appliance or str(urlsplit(self.url).hostname),
            username=self.username,
            password=password,
            login_method=self.login_method,
            client_cert=self.client_cert,
            ca_file=self.ca_file,
            verify_tls=self.verify_tls,
        )

    def _password_of_login(self) -> SecretStr | None:
        """The password, or None where a client certificate stands for it."""
        has_password = self.password is not None or self.password_file is not None
        if self.client_cert:
            if self.username is None and not has_password:
                return None
            raise SettingsError("SPSETL_CLIENT_CERT logs in without a user name and password; unset one or the other")
        if self.username is None:
            missing = "SPSETL_USERNAME" if has_password else "SPSETL_USERNAME and SPSETL_PASSWORD"
            raise SettingsError(f"{missing} must be set to log in; or set SPSETL_CLIENT_CERT")
        if self.password is not None and self.password_file is not None:
            raise SettingsError("SPSETL_PASSWORD and SPSETL_PASSWORD_FILE are both set; unset one of the two")
        if self.password_file is not None:
            return read_password(self.password_file)
        if self.password is None or not self.password.get_secret_value():
            raise SettingsError("SPSETL_PASSWORD is not set; set it, or SPSETL_PASSWORD_FILE")
        return self.password


@dataclass(frozen=True)
class SettingDescription:
    """One line of a table of settings: `variable` in the environment, `name` in spsetl.toml."""

    variable: str
    name: str
    default: str
    meaning: str


def describe_settings() -> tuple[SettingDescription, ...]:
    """All settings, for help texts and the README."""
    defaults = {
        "appliance": "the URL's host",
        "data_dir": "./data",
        "verify_tls": "true",
        "details": ",".join(DETAILS),
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


def load_settings(
    arguments: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings: arguments over environment over file.

    Args:
        arguments: By the settings' names; None values count as not given.
        file: Instead of `spsetl.toml` in the current folder; this one must exist.
        environ: Instead of the process's environment; empty values count as not set.

    Raises:
        SettingsError: One line that names the setting, what is wrong with it and what to do; never a value.
    """
    layers = {
        "{} in " + str(file or FILE): _from_file(file),
        PREFIX + "{}": _from_environment(os.environ if environ is None else environ),
        "argument {}": {name: value for name, value in (arguments or {}).items() if value is not None},
    }
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for template, layer in layers.items():
        values |= layer
        origins |= {name: template.format(name.upper() if template.startswith(PREFIX) else name) for name in layer}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_one_line(error, origins)) from None


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or FILE
    if file is not None and not file.is_file():
        raise SettingsError(f"{file} is no file; name the file that holds the settings")
    try:
        values = TomlConfigSettingsSource(Settings, path)()
    except (OSError, ValueError) as error:  # tomllib and a wrong encoding raise ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path} cannot be read as TOML: {reason}") from None
    if "appliances" in values:
        raise SettingsError(f"{path}: [appliances] is not supported yet; put one appliance's settings at the top level")
    _check_names(values, Settings.model_fields, where=f" in {path}")
    return values


class _Environment(EnvSettingsSource):
    """The given variables instead of the process's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items() if value}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    _check_names(ours, [PREFIX + name.upper() for name in Settings.model_fields], where="")
    return _Environment(ours)()


def _check_names(names: Iterable[str], known: Iterable[str], *, where: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise SettingsError(f"{name}{where} is no setting; the nearest is {nearest}")


def _one_line(error: ValidationError, origins: Mapping[str, str]) -> str:
    """The first thing wrong. Pydantic's own words speak of the rule; the value stays out."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    if name not in Settings.model_fields:
        nearest = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0)[0]
        return f"{origins[name]} is no setting; the nearest is {nearest}"
    raised = first.get("ctx", {}).get("error")
    reason = str(raised) if raised else first["msg"].replace("Input should", "should")
    examples = Settings.model_fields[name].examples or []
    return f"{origins[name]} {reason}; for example {examples[0]}"
