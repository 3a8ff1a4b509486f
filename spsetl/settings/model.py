"""The settings. Each is stated once, in `Settings`: its name, type, bounds, group, meaning, default and example.

From there come its variable, its key in spsetl.toml, its option, its line in the README, and what its error shows.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainValidator, PrivateAttr, SecretStr
from pydantic.fields import FieldInfo

from spsetl.errors import SettingsError
from spsetl.hours import OfficeHours, QuietHours
from spsetl.settings.access import Access, check_ca_file, check_client_cert, is_loopback, require_ours
from spsetl.settings.password import WAYS, find_credential, read_keyring, read_password, remark_readable

PREFIX: Final = "SPSETL_"
DEFAULT: Final = "default"
NONE: Final = "none"
ALL_DETAILS: Final = ("channels", "events", "alerts", "trail_downloads", "indexing")

_LONGEST_NAME: Final = 128
_MEMORY: Final = re.compile(r"[1-9][0-9]*(?:%|[KMGT]i?B)", re.ASCII | re.IGNORECASE)

T = TypeVar("T")


class Group(StrEnum):
    """What a setting is about: the heading of its option in `--help`."""

    ACCESS = "Appliance and login"
    REQUESTS = "Requests"
    SYNC = "What is fetched"
    MARTS = "Marts"
    MESSAGES = "Messages"
    COPY = "The copy"

    @property
    def is_for_all(self) -> bool:
        """Whether its settings are the same for all appliances, and so have no place in the section of one."""
        return self in {Group.MARTS, Group.MESSAGES, Group.COPY}


# Values: what a file or a variable holds in, the value out. A ValueError says what is wrong and never the value.


def _check_url(url: str) -> str:
    """The address of an appliance, without the trailing slash."""
    if "@" in url:
        raise ValueError("must not carry a user name or a password; put them into SPSETL_USERNAME and SPSETL_PASSWORD")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address; its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError("must be a scheme and a host")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("must end after the host and the port, without a path or a query")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("would send the password in clear; plain http is for loopback addresses only, use https")
    return url.rstrip("/")


def check_appliance_name(name: str) -> str:
    """The name of an appliance, which becomes part of file names.

    Raises:
        ValueError: It is not fit for that.
    """
    if not name.isprintable() or set(name) & set("/\\ ") or name.startswith(".") or len(name) > _LONGEST_NAME:
        raise ValueError(f"must be a short name (at most {_LONGEST_NAME} characters) without slashes and spaces")
    return name


def _split_details(value: object) -> tuple[str, ...]:
    """`channels,events` or a list of the same; an empty tuple for `none`."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if names == [NONE]:
        return ()
    if not isinstance(names, list | tuple) or [name for name in names if name not in ALL_DETAILS]:
        raise ValueError(f"must be none, or some of {', '.join(ALL_DETAILS)}")
    return tuple(name for name in ALL_DETAILS if name in names)


def _parsed(kind: type[QuietHours] | type[OfficeHours]) -> PlainValidator:
    def parse(value: object) -> object:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("should be a valid string")  # noqa: TRY004 - pydantic tells of ValueErrors alone
        return kind.parse(value)

    return PlainValidator(parse)


def _must(holds: Callable[[Any], object], otherwise: str) -> AfterValidator:
    def check(value: object) -> object:
        if not holds(value):
            raise ValueError(f"must {otherwise}")
        return value

    return AfterValidator(check)


_Text = Annotated[str, Field(min_length=1)]
_Url = Annotated[_Text, AfterValidator(_check_url)]
_UserName = Annotated[
    _Text, _must(lambda name: ":" not in name, "not have a colon: a login by HTTP Basic ends the user name there")
]
_Name = Annotated[_Text, AfterValidator(check_appliance_name)]
_File = Annotated[Path, AfterValidator(Path.expanduser)]
# node_exporter passes over files of other names in silence.
_MetricsFile = Annotated[_File, _must(lambda path: path.suffix == ".prom", "have a name that ends with .prom")]
_Memory = Annotated[str, _must(_MEMORY.fullmatch, "be an amount of memory such as 4GB or 50%")]
_Details = Annotated[tuple[str, ...], PlainValidator(_split_details)]
_QuietHours = Annotated[QuietHours, _parsed(QuietHours)]
_OfficeHours = Annotated[OfficeHours, _parsed(OfficeHours)]
# `none` is how the environment or an option lifts what the file sets.
_OrNone = Annotated[T | None, BeforeValidator(lambda value: None if value == NONE else value)]


def _setting(group: Group, meaning: str, default: object = None, *, example: object = None, **bounds: Any) -> Any:
    """A setting. `default` is written as in a file; it is the `example` of a right value, too, unless there is one."""
    examples = [default if example is None else example]
    return Field(default, description=meaning, examples=examples, json_schema_extra={"group": group.value}, **bounds)


@dataclass(frozen=True)
class Origins:
    """Where values came from, and where a password may lie that no setting names; makes no settings differ."""

    # By the settings' names, for example `SPSETL_URL` or `[appliances.a] url in spsetl.toml`.
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    section: str | None = field(default=None, compare=False)  # `[appliances.a]`, where one was applied
    refusal: str | None = field(default=None, compare=False)  # why no appliance may be reached with these settings
    password_in: Path | None = field(default=None, compare=False)  # the file of settings that holds it itself
    credentials: Path | None = field(default=None, compare=False)  # the systemd service's $CREDENTIALS_DIRECTORY


_access, _requests, _sync, _marts, _messages, _copy = (partial(_setting, group) for group in Group)


class Settings(BaseModel, frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True):
    """All settings. Only `data_dir` is needed to read a copy; `for_appliance` checks what a sync needs.

    Made by `load_settings` and `load_appliances`; made directly, it reads neither a file nor the environment.
    """

    url: _Url | None = _access("Address of the appliance", example="https://sps.example.com")
    username: _UserName | None = _access("User that may search all sessions", example="auditor")
    password: SecretStr | None = _access("Password; better kept in a file of its own", example="a text in quotes")
    password_file: _File | None = _access("File that holds nothing but the password", example="/etc/spsetl/password")
    keyring: _Text | None = _access(
        "Service in the operating system's keyring that holds the password; needs spsetl[keyring]", example="spsetl"
    )
    login_method: _Text | None = _access("Login method of the appliance, where it has several", example="local")
    client_cert: _File | None = _access(
        "PEM file with a certificate and its unencrypted key, instead of a password", example="/etc/spsetl/client.pem"
    )
    ca_file: _File | None = _access(
        "PEM file with the CA that signed the appliance's certificate", example="/etc/spsetl/ca.pem"
    )
    verify_tls: bool = _access("Whether to check the appliance's certificate", "true")
    appliance: _Name | None = _access(
        "Name of the appliance in the copy; where spsetl.toml has several, the only one to sync", example="sps1"
    )
    data_dir: _File = _copy("Where the copy is kept", "./data")
    concurrency: int = _requests("Requests under way at the same time", 8, ge=1, le=64)
    timeout: float = _requests("Seconds that the appliance may stay silent", 60, gt=0, le=86400)
    answer_seconds: float = _requests(
        "Seconds within which an answer must be whole, however it trickles", 300, gt=0, le=86400
    )
    answer_megabytes: float = _requests("Megabytes of an answer at most, as sent or unpacked", 64, gt=0, le=10000)
    recording_seconds: float = _requests("Seconds within which a recording must be whole", 86400, gt=0)
    recording_megabytes: float = _requests("Megabytes of a recording at most", 100000, gt=0)
    lookback: float = _sync("Hours before the last sync's newest session that are listed again", 72, ge=0, le=87600)
    strategy: Literal["auto", "windows", "snapshot"] = _sync(
        "How the list is walked: auto takes a snapshot where the appliance has them, else windows", "auto"
    )
    snapshot_busy: Literal["windows", "wait"] = _sync(
        "While another holds the appliance's only snapshot: list by windows, or wait until it is free", "windows"
    )
    details: _Details = _sync(
        f"Details of sessions that are fetched, some of {','.join(ALL_DETAILS)}; or none", "channels,events,alerts"
    )
    quiet_hours: _OrNone[_QuietHours] = _requests(
        "Local times without requests, several with commas between them", NONE, example="21:55-22:30"
    )
    office_hours: _OfficeHours = _marts(
        "Days, times and time zone that the marts call office hours; times may cross midnight",
        "Mon-Fri 07:00-19:00 UTC",
        example="Mon-Fri 08:00-18:00 Europe/Budapest",
    )
    sweep_requests: int = _sync("Requests a night for changes in what is older than the look-back", 1000, ge=0)
    sweep_days: int = _sync("Days within which all of that is looked at, if need be by more requests", 7, ge=1, le=3650)
    indexing_days: int = _sync(
        "Days after which a session that was never indexed is no longer looked at each night", 30, ge=0, le=3650
    )
    most_missing: float = _sync(
        "Percent of the sessions that may vanish between two syncs; more stops the sync", 10, ge=0, le=100
    )
    max_requests: _OrNone[int] = _sync(
        "Requests after which details, but never the list, wait for the next sync", NONE, example=100000, ge=1
    )
    max_minutes: _OrNone[float] = _sync(
        "Minutes after which details, but never the list, wait for the next sync", NONE, example=240, gt=0, le=525600
    )
    question_seconds: _OrNone[float] = _copy(
        "Seconds that one question to the copy may keep the database at work; or none", 600, gt=0
    )
    question_memory: _OrNone[_Memory] = _copy(
        "Memory of one question, an amount or a part of the machine's, the rest spills; or none", "50%", example="4GB"
    )
    merge_memory: _OrNone[_Memory] = _copy(
        "Memory that merging may take, the rest spills; or none, a quarter of the machine's and 512 MB at least",
        NONE,
        example="2GB",
    )
    log_format: Literal["text", "logfmt", "json"] = _messages(
        "How stderr tells what happens: text for a person, or a line an event as logfmt or json", "text", example="json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _messages(
        "The least that logfmt and json tell: debug, info, warning or error", "info"
    )
    metrics_file: _OrNone[_MetricsFile] = _messages(
        "File for node_exporter's textfile collector, replaced after each run; its name ends with .prom",
        NONE,
        example="/var/lib/prometheus/node-exporter/spsetl.prom",
    )

    _origins: Origins = PrivateAttr(default_factory=Origins)

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
        origins = {name: self._given_at(name) or DEFAULT for name in type(self).model_fields}
        credential = self._credential
        if credential and not self._ways and self.client_cert is None:
            origins["password"] = f"systemd credential {credential.name}"
        return origins

    @property
    def is_without_appliance(self) -> bool:
        """Whether nothing is set of an appliance: what is asked for can only be about a copy."""
        names = ("url", "username", "client_cert", "appliance", *WAYS)
        return not self._origins.refusal and all(getattr(self, name) is None for name in names)

    @property
    def name(self) -> str | None:
        """The appliance's name in the copy: the given one, or the URL's host; None where nothing names it."""
        return self.appliance or (urlsplit(self.url).hostname if self.url else None)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is allowed and yet unwise, one line each, for the command line to print."""
        origins, place = self._origins, self._place
        remarks = list(remark_readable(self.password_file, origins.password_in, origins.credentials))
        if not self.verify_tls:
            remarks.append(
                f"{place('verify_tls')} is off: the appliance's certificate is not checked; set {place('ca_file')}"
            )
        return tuple(remarks)

    def for_appliance(self) -> Access:
        """What a sync needs, checked: the address, and how to log in.

        Raises:
            SettingsError: A setting is missing, contradicts another, or names a file that cannot be read.
        """
        if complaint := next(self._complaints(), None):
            raise SettingsError(complaint)
        password = None if self.client_cert else self._read_password()
        if self.ca_file:
            check_ca_file(self.ca_file, self._place("ca_file"))
        if self.client_cert:
            check_client_cert(self.client_cert, self._place("client_cert"))
        same = ("username", "login_method", "client_cert", "ca_file", "verify_tls")
        more: dict[str, Any] = {name: getattr(self, name) for name in same}
        return Access(url=str(self.url), appliance=str(self.name), password=password, **more)

    def _complaints(self) -> Iterator[str]:
        """What is missing, or contradicts something else; the first one tells enough."""
        place, ways = self._place, self._ways
        if self._origins.refusal:
            yield self._origins.refusal
        if self.url is None:
            yield f"{place('url')} is not set; set it to the appliance's address, https://sps.example.com"
        if self.ca_file and not self.verify_tls:
            yield f"{place('ca_file')} is of no use while {place('verify_tls')} is off; unset one of the two"
        if self.client_cert and (self.username is not None or ways):
            yield f"{place('client_cert')} logs in without a user name and password; unset one or the other"
        if not self.client_cert and self.username is None:
            missing = place("username") + ("" if ways or self._credential else f" and {place('password')}")
            yield f"{missing} must be set to log in; or set {place('client_cert')}"
        if len(ways) > 1:
            yield f"{place(ways[0])} and {place(ways[1])} are both set; unset one of the two"

    def _read_password(self) -> SecretStr:
        """Out of the one place that has it."""
        place, credential = self._place, self._credential
        if self.password_file is not None:
            require_ours(self.password_file, place("password_file"))
            return read_password(self.password_file, place("password_file"))
        if self.keyring is not None:
            return read_keyring(self.keyring, str(self.username), place("keyring"))
        if self.password is not None and self.password.get_secret_value():
            return self.password
        if self.password is None and credential is not None:
            return read_password(credential, f"systemd credential {credential.name}")
        raise SettingsError(f"{place('password')} is not set; set it, or {place('password_file')}")

    @property
    def _ways(self) -> list[str]:
        """The settings that say where the password is."""
        return [name for name in WAYS if getattr(self, name) is not None]

    @property
    def _credential(self) -> Path | None:
        """The systemd service's credential for this appliance, which counts where no setting names a password."""
        return find_credential(self._origins.credentials, self.name)

    def _given_at(self, name: str) -> str | None:
        """Where the setting's value came from; None if it is the default."""
        given = f"argument {name}" if name in self.model_fields_set else None
        return self._origins.places.get(name, given)

    def _place(self, name: str) -> str:
        """The setting as messages name it: where its value came from, or where one would be set."""
        section = self._origins.section
        return self._given_at(name) or (f"{section} {name}" if section else PREFIX + name.upper())


@dataclass(frozen=True)
class SettingDescription:
    """One setting in words: `name` in spsetl.toml, `variable` in the environment; `default` as it would be written."""

    name: str
    group: Group
    meaning: str
    default: str
    example: str
    kind: Any

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.upper()

    @property
    def is_secret(self) -> bool:
        """Whether its value is shown nowhere."""
        return SecretStr in get_args(self.kind)

    @property
    def help(self) -> str:
        """Its meaning, with an example where the default is none."""
        example = "" if self.is_secret or self.example == self.default else f"; for example {self.example}"
        return self.meaning + example


@cache
def describe_settings() -> tuple[SettingDescription, ...]:
    """All settings, for options, help texts and the README."""
    return tuple(_describe(name, info) for name, info in Settings.model_fields.items())


def _describe(name: str, info: FieldInfo) -> SettingDescription:
    default = "the URL's host" if name == "appliance" else "" if info.default is None else str(info.default)
    extra: Any = info.json_schema_extra
    (example,) = info.examples or [""]
    return SettingDescription(
        name, Group(extra["group"]), info.description or "", default, str(example), info.annotation
    )
