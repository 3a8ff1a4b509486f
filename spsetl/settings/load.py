"""The settings out of all their places, the nearest place first: arguments, environment, sections and top of a file."""

import difflib
import json
import os
import re
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import SecretStr, ValidationError

from spsetl.errors import SettingsError
from spsetl.settings.access import require_ours
from spsetl.settings.model import PREFIX, Origins, Settings, describe_settings
from spsetl.settings.password import WAYS

FILE: Final = Path("spsetl.toml")

_APPLIANCES: Final = "appliances"
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"  # systemd's; a name that is not ours, so no setting
# What flows.deploy reads may stand in the same environment; it is no setting.
_OF_DEPLOYMENT: Final = tuple(PREFIX + name for name in ("HOME", "CRON", "TIME_ZONE", "NOTIFY"))
# One way to log in replaces another that a farther place sets. Within one place, both are a contradiction.
_INSTEAD_OF: Final[Mapping[str, Sequence[str]]] = {
    **{way: tuple(other for other in WAYS if other != way) for way in WAYS},
    "username": ("client_cert",),
    "client_cert": ("username", *WAYS),
}
_HEAD: Final = """\
# The settings of spsetl, for runs in this folder. Variables of the environment (SPSETL_URL for url) and options
# override them. All that there are, with their meanings: spsetl sync --help. No password is kept here.
"""
_WIDTH: Final = 118


class _Given(NamedTuple):
    """A value, how messages name the place that it is from, and the file, if that is one."""

    value: Any
    place: str
    file: Path | None = None


_Layer = Mapping[str, _Given]  # what one place sets, by the settings' names


class _Toml(NamedTuple):
    """What spsetl.toml holds; `sections` is what it has under `appliances`, unchecked; None if nothing."""

    path: Path
    top: _Layer
    sections: Any


def load_settings(
    arguments: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings: arguments over environment over file. Sections of appliances are left aside.

    Args:
        arguments: By the settings' names; None values count as not given.
        file: Instead of `spsetl.toml` in the current folder; this one must exist.
        environ: Instead of the process's environment; empty values count as not set.

    Raises:
        SettingsError: One line that names the setting, what is wrong with it and what to do; never a value.
    """
    toml = _read_file(file)
    given = _from_arguments(arguments)
    refusal = None
    if toml.sections is not None and "url" not in given:
        refusal = (
            f"{toml.path} has [appliances.NAME] sections, which are not applied here; "
            "put the settings of one appliance at the top level"
        )
    return _merge([toml.top, _from_environment(environ), given], environ, refusal=refusal)


def load_draft(
    values: Mapping[str, object],
    file: Path,
    *,
    password: SecretStr | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings as that file would give them, if it had these values and no variable were set.

    Args:
        values: By the settings' names.
        file: As messages name it.
        password: Instead of what the values say of where it is.
        environ: Instead of the process's environment, of which only the systemd credentials count.

    Raises:
        SettingsError: As `load_settings`.
    """
    beside = {} if password is None else {"password": _Given(password, "the password")}
    return _merge([_from_top(values, file), beside], environ)


def load_appliances(
    arguments: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Settings, ...]:
    """The settings of each appliance: arguments over environment over its section over the top level of the file.

    One for each `[appliances.NAME]` section of the file, in its order, or the one that the setting `appliance` names.
    Without sections, exactly one, as `load_settings` has it, which tells of the arguments, too.

    Raises:
        SettingsError: As `load_settings`.
    """
    toml = _read_file(file)
    outer = [_from_environment(environ), _from_arguments(arguments)]
    if toml.sections is None:
        return (_merge([toml.top, *outer], environ),)
    sections = _chosen(_from_sections(toml), {**outer[0], **outer[1]}, toml)
    return tuple(
        _merge([toml.top, section, *outer], environ, section=_section_of(name)) for name, section in sections.items()
    )


def _chosen(sections: Mapping[str, _Layer], outer: _Layer, toml: _Toml) -> Mapping[str, _Layer]:
    """The sections that environment and arguments leave: the one that they name, or all."""
    if "appliance" in toml.top:
        raise SettingsError(f"appliance in {toml.path} contradicts its [appliances.NAME] sections; remove it")
    if one := outer.get("appliance"):
        if one.value not in sections:
            known = ", ".join(map(_section_of, sections))
            raise SettingsError(f"{one.place} names no appliance of {toml.path}; it has {known}")
        return {one.value: sections[one.value]}
    if url := outer.get("url"):
        raise SettingsError(
            f"{url.place} would send all appliances of {toml.path} to one address; "
            "put an address into each section, or choose one by --appliance or SPSETL_APPLIANCE"
        )
    return sections


def _merge(
    layers: Iterable[_Layer], environ: Mapping[str, str] | None, section: str | None = None, refusal: str | None = None
) -> Settings:
    """Later layers over earlier ones."""
    merged: dict[str, _Given] = {}
    for layer in layers:
        replaced = {other for name in layer for other in _INSTEAD_OF.get(name, ())}
        merged = {name: given for name, given in merged.items() if name not in replaced} | dict(layer)
    places = {name: given.place for name, given in merged.items()}
    password_in = merged["password"].file if "password" in merged else None
    credentials = (os.environ if environ is None else environ).get(_CREDENTIALS)
    origins = Origins(places, section, refusal, password_in, Path(credentials) if credentials else None)
    try:
        return Settings.of({name: given.value for name, given in merged.items()}, origins)
    except ValidationError as error:
        raise SettingsError(_one_line(error, places)) from None


def _one_line(error: ValidationError, places: Mapping[str, str]) -> str:
    """The first thing wrong. Pydantic's own words speak of the rule; the value stays out."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    raised = first.get("ctx", {}).get("error")
    reason = str(raised) if raised else re.sub(r"^(Input|String) ", "", first["msg"])
    (example,) = (one.example for one in describe_settings() if one.name == name)
    return f"{places[name]} {reason}; for example {example}"


# The places


def _read_file(file: Path | None) -> _Toml:
    """The named file, which must exist, or else spsetl.toml in the current folder, if there is one."""
    path = file or FILE
    if file is not None and not file.is_file():
        raise SettingsError(f"{file} is no file; name the file that holds the settings")
    require_ours(path)
    try:
        values = tomllib.loads(path.read_bytes().decode()) if path.is_file() else {}
    except (OSError, ValueError) as error:  # wrong TOML and a wrong encoding are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"{path} cannot be read as TOML: {reason}") from None
    sections = values.pop(_APPLIANCES, {})
    for name in values:
        _check_name(name, f"{_key(name)} in {path}", Settings.model_fields)
    return _Toml(path, _from_top(values, path), None if sections == {} else sections)


def _from_top(values: Mapping[str, Any], file: Path) -> _Layer:
    return {name: _Given(value, f"{name} in {file}", file) for name, value in values.items()}


def _section_of(name: str) -> str:
    """How a section is written: `[appliances.a]`."""
    return f"[{_APPLIANCES}.{_key(name)}]"


def _from_sections(toml: _Toml) -> dict[str, _Layer]:
    """What each section sets, the appliance's name among it; by the appliances' names, in the file's order."""
    if not isinstance(toml.sections, dict):
        raise SettingsError(f"{_APPLIANCES} in {toml.path} must be sections, [{_APPLIANCES}.NAME]")
    layers: dict[str, _Layer] = {}
    for name, values in toml.sections.items():
        section = _section_of(name)
        if not isinstance(values, dict):
            raise SettingsError(f"{_APPLIANCES} in {toml.path} must be sections; write {section}")
        for key, value in values.items():
            _check_key(key, value, f"{section} {_key(key)} in {toml.path}")
        given = {key: _Given(value, f"{section} {key} in {toml.path}", toml.path) for key, value in values.items()}
        layers[name] = given | {"appliance": _Given(name, f"{section} in {toml.path}")}
    return layers


def _check_key(key: str, value: object, place: str) -> None:
    if key == "appliance":
        raise SettingsError(f"{place} is said by the section's name; remove it")
    if key in [one.name for one in describe_settings() if one.group.is_for_all]:
        raise SettingsError(f"{place} is the same for all appliances; put it at the top level")
    if isinstance(value, dict):
        raise SettingsError(f'{place} is a section; write an appliance\'s name that has a dot as [{_APPLIANCES}."a.b"]')
    known = [one.name for one in describe_settings() if not one.group.is_for_all and one.name != "appliance"]
    _check_name(key, place, known)


def read_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the process's variables set, by the settings' names; empty values count as not set.

    Raises:
        SettingsError: One begins as ours do and is no setting.
    """
    environ = os.environ if environ is None else environ
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name not in _OF_DEPLOYMENT}
    for name in ours:
        _check_name(name, _key(name), [one.variable for one in describe_settings()])
    return {name.removeprefix(PREFIX).lower(): value for name, value in ours.items() if value}


def _from_environment(environ: Mapping[str, str] | None) -> _Layer:
    return {name: _Given(value, PREFIX + name.upper()) for name, value in read_environment(environ).items()}


def _from_arguments(arguments: Mapping[str, object] | None) -> _Layer:
    """What arguments set; None values count as not given."""
    values = {name: value for name, value in (arguments or {}).items() if value is not None}
    for name in values:
        _check_name(name, f"argument {_key(name)}", Settings.model_fields)
    return {name: _Given(value, f"argument {name}") for name, value in values.items()}


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


# A file that is written


def toml_of(values: Mapping[str, object]) -> str:
    """A spsetl.toml with these values, each below its meaning.

    Raises:
        ValueError: A value is a password, or a text that is not printable.
    """
    if "password" in values:
        raise ValueError("a password has no place in spsetl.toml")
    parts = [_HEAD]
    for one in describe_settings():
        if one.name in values:
            comment = textwrap.fill(one.meaning, _WIDTH, initial_indent="# ", subsequent_indent="# ")
            parts.append(f"{comment}\n{one.name} = {_as_toml(values[one.name])}\n")
    return "\n".join(parts)


def _as_toml(value: object) -> str:
    """A number, or true or false; all else as a text. What is printable in JSON is the same in TOML."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if not text.isprintable():
        raise ValueError("only printable texts can be written into spsetl.toml")
    return json.dumps(text, ensure_ascii=False)
