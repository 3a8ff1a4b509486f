"""The settings out of all their places, the nearest place first."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from spsetl.errors import SettingsError
from spsetl.settings.model import Settings
from spsetl.settings.origins import Origins
from spsetl.settings.password import WAYS
from spsetl.settings.sources import (
    Layer,
    from_arguments,
    from_environment,
    from_sections,
    from_values,
    read_file,
    section_of,
)

# One way to log in replaces another that a farther place sets. Within one place, both are a contradiction.
_INSTEAD_OF: Final = {
    **{way: tuple(other for other in WAYS if other != way) for way in WAYS},
    "username": ("client_cert",),
    "client_cert": ("username", *WAYS),
}
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"  # systemd's; a name that is not ours, so no setting


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
    content = read_file(file)
    given = from_arguments(arguments)
    refusal = None
    if content.has_sections and "url" not in given.values:
        refusal = (
            f"{content.path} has [appliances.NAME] sections, which are not applied here; "
            "put the settings of one appliance at the top level"
        )
    return _merge([content.top, _environment(environ), given], _credentials(environ), refusal=refusal)


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
    layers = [from_values(values, file)]
    if password is not None:
        layers.append(Layer({"password": password}, {"password": "the password"}))
    return _merge(layers, _credentials(environ))


def load_appliances(
    arguments: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Settings, ...]:
    """The settings of each appliance: arguments over environment over its section over the top level of the file.

    One for each `[appliances.NAME]` section of the file, in its order, or the one that the setting `appliance` names.
    Without sections, exactly one, as `load_settings` has it.

    Args:
        arguments: By the settings' names; None values count as not given.
        file: Instead of `spsetl.toml` in the current folder; this one must exist.
        environ: Instead of the process's environment; empty values count as not set.

    Raises:
        SettingsError: One line that names the setting, what is wrong with it and what to do; never a value.
    """
    content = read_file(file)
    outer = [_environment(environ), from_arguments(arguments)]
    if not content.has_sections:
        return (_merge([content.top, *outer], _credentials(environ)),)
    sections = from_sections(content)
    if "appliance" in content.top.values:
        raise SettingsError(f"appliance in {content.path} contradicts its [appliances.NAME] sections; remove it")
    chosen = _last(outer, "appliance")
    if chosen:
        name, place = chosen
        if name not in sections:
            known = ", ".join(map(section_of, sections))
            raise SettingsError(f"{place} names no appliance of {content.path}; it has {known}")
        sections = {str(name): sections[str(name)]}
    elif url := _last(outer, "url"):
        raise SettingsError(
            f"{url[1]} would send all appliances of {content.path} to one address; "
            "put an address into each section, or choose one by --appliance or SPSETL_APPLIANCE"
        )
    return tuple(
        _merge([content.top, section, *outer], _credentials(environ), section=section_of(name))
        for name, section in sections.items()
    )


def _environment(environ: Mapping[str, str] | None) -> Layer:
    return from_environment(os.environ if environ is None else environ)


def _credentials(environ: Mapping[str, str] | None) -> Path | None:
    folder = (os.environ if environ is None else environ).get(_CREDENTIALS)
    return Path(folder) if folder else None


def _last(layers: Iterable[Layer], name: str) -> tuple[object, str] | None:
    """The setting's value and its place, by the last layer that has it."""
    found = [(layer.values[name], layer.names[name]) for layer in layers if name in layer.values]
    return found[-1] if found else None


def _merge(
    layers: Sequence[Layer], credentials: Path | None, *, section: str | None = None, refusal: str | None = None
) -> Settings:
    """Later layers over earlier ones."""
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for layer in layers:
        for name in layer.values:
            for other in _INSTEAD_OF.get(name, ()):
                values.pop(other, None)
                places.pop(other, None)
        values |= layer.values
        places |= layer.names
    files = [layer.file for layer in layers if "password" in layer.values]
    password_in = files[-1] if "password" in values else None
    try:
        return Settings.of(values, Origins(places, section, refusal, password_in, credentials))
    except ValidationError as error:
        raise SettingsError(_one_line(error, places)) from None


def _one_line(error: ValidationError, places: Mapping[str, str]) -> str:
    """The first thing wrong. Pydantic's own words speak of the rule; the value stays out."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    raised = first.get("ctx", {}).get("error")
    reason = str(raised) if raised else re.sub(r"^(Input|String) ", "", first["msg"])
    examples = Settings.model_fields[name].examples or []
    return f"{places[name]} {reason}; for example {examples[0]}"
