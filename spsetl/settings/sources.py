"""The places that settings come from: the file and its sections, the environment, arguments."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from spsetl.access import require_ours
from spsetl.errors import SettingsError
from spsetl.settings.model import PREFIX, Settings

FILE: Final = Path("spsetl.toml")

APPLIANCES: Final = "appliances"
# What flows.deploy reads may stand in the same environment; it is no setting.
_OF_DEPLOYMENT: Final = tuple(PREFIX + name for name in ("HOME", "CRON", "TIME_ZONE", "NOTIFY"))
# Of the whole copy; and what the section's own name says.
_FOR_ALL: Final = "is the same for all appliances; put it at the top level"
_NOT_IN_SECTIONS: Final = {
    **dict.fromkeys(
        (
            *("data_dir", "office_hours", "question_seconds", "question_memory", "merge_memory"),
            *("log_format", "log_level", "metrics_file"),
        ),
        _FOR_ALL,
    ),
    "appliance": "is said by the section's name; remove it",
}


@dataclass(frozen=True)
class Layer:
    """What one place sets, and how each of its values is named in messages; both by the settings' names.

    `file` is the file that it is from, if it is from one.
    """

    values: Mapping[str, Any]
    names: Mapping[str, str]
    file: Path | None = None


@dataclass(frozen=True)
class File:
    """What spsetl.toml holds; `sections` is what it has under `appliances`, unchecked."""

    path: Path
    top: Layer
    sections: object

    @property
    def has_sections(self) -> bool:
        """Whether it says anything of several appliances."""
        return self.sections not in (None, {})


def read_file(file: Path | None) -> File:
    """The named file, which must exist, or else spsetl.toml in the current folder, if there is one.

    Raises:
        SettingsError: It cannot be read, others may change it, or it has a name at its top level that is no setting.
    """
    path = file or FILE
    if file is not None and not file.is_file():
        raise SettingsError(f"{file} is no file; name the file that holds the settings")
    require_ours(path)
    try:
        values = TomlConfigSettingsSource(Settings, path)()
    except (OSError, ValueError) as error:  # tomllib and a wrong encoding raise ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path} cannot be read as TOML: {reason}") from None
    sections = values.pop(APPLIANCES, None)
    for name in values:
        _check_name(name, f"{_key(name)} in {path}", Settings.model_fields)
    return File(path, from_values(values, path), sections)


def from_values(values: Mapping[str, Any], file: Path) -> Layer:
    """What the top level of that file sets, or would set."""
    return Layer(values, {name: f"{name} in {file}" for name in values}, file)


def section_of(name: str) -> str:
    """How a section is written: `[appliances.a]`."""
    return f"[{APPLIANCES}.{_key(name)}]"


def from_sections(file: File) -> dict[str, Layer]:
    """What each section sets, the appliance's name among it; by the appliances' names, in the file's order.

    Raises:
        SettingsError: They are no sections, or one has a name that is no setting of an appliance.
    """
    sections = file.sections or {}
    if not isinstance(sections, dict):
        raise SettingsError(f"{APPLIANCES} in {file.path} must be sections, [{APPLIANCES}.NAME]")
    layers = {}
    for name, values in sections.items():
        if not isinstance(values, dict):
            raise SettingsError(f"{APPLIANCES} in {file.path} must be sections; write [{APPLIANCES}.{_key(name)}]")
        section = section_of(name)
        for key, value in values.items():
            _check_key(section, key, value, file.path)
        names = {key: f"{section} {key} in {file.path}" for key in values}
        layers[name] = Layer(
            {**values, "appliance": name}, {**names, "appliance": f"{section} in {file.path}"}, file.path
        )
    return layers


def _check_key(section: str, key: str, value: object, path: Path) -> None:
    place = f"{section} {_key(key)} in {path}"
    if key in _NOT_IN_SECTIONS:
        raise SettingsError(f"{place} {_NOT_IN_SECTIONS[key]}")
    if isinstance(value, dict):
        raise SettingsError(f'{place} is a section; write an appliance\'s name that has a dot as [{APPLIANCES}."a.b"]')
    _check_name(key, place, [name for name in Settings.model_fields if name not in _NOT_IN_SECTIONS])


class _Environment(EnvSettingsSource):
    """The given variables instead of the process's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items() if value}


def from_environment(environ: Mapping[str, str]) -> Layer:
    """What variables set; empty values count as not set.

    Raises:
        SettingsError: One begins as ours do and is no setting.
    """
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name not in _OF_DEPLOYMENT}
    for name in ours:
        _check_name(name, _key(name), [PREFIX + known.upper() for known in Settings.model_fields])
    values = _Environment(ours)()
    return Layer(values, {name: PREFIX + name.upper() for name in values})


def from_arguments(arguments: Mapping[str, object] | None) -> Layer:
    """What arguments set; None values count as not given.

    Raises:
        SettingsError: One is no setting.
    """
    values = {name: value for name, value in (arguments or {}).items() if value is not None}
    for name in values:
        _check_name(name, f"argument {_key(name)}", Settings.model_fields)
    return Layer(values, {name: f"argument {name}" for name in values})


def _check_name(name: str, place: str, known: Iterable[str]) -> None:
    known = list(known)
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise SettingsError(f"{place} is no setting; the nearest is {nearest}")


def _key(name: str) -> str:
    """A name as TOML writes it, on one line."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    return json.dumps(name, ensure_ascii=not name.isprintable())
