"""A systemd unit as its sections, and what of them a program is run with."""

import shlex
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

Unit = dict[str, dict[str, list[str]]]
SPECIFIERS = {"%S": "/var/lib"}


def read_unit(text: str) -> Unit:
    """Section → directive → its values in their order; an empty one forgets those before it."""
    unit: Unit = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        said = line.strip()
        if not said or said.startswith(("#", ";")):
            continue
        if said.startswith("["):
            section = said.strip("[]")
            continue
        name, _, value = said.partition("=")
        if value:
            unit[section][name].append(expand(value))
        else:
            unit[section][name] = []
    return {name: dict(directives) for name, directives in unit.items()}


def expand(value: str) -> str:
    """The value with the specifiers that do not depend on the unit's name."""
    for name, meaning in SPECIFIERS.items():
        value = value.replace(name, meaning)
    return value


def command_of(unit: Unit, directive: str = "ExecStart") -> list[str]:
    """What is executed."""
    return shlex.split(unit["Service"][directive][-1])


def environment_of(unit: Unit, files: Mapping[str, Path]) -> dict[str, str]:
    """Environment= and then EnvironmentFile=, read where `files` says that it lies; what is not there is left out."""
    service = unit["Service"]
    found = dict(word.split("=", 1) for line in service.get("Environment", []) for word in shlex.split(line))
    for name in service.get("EnvironmentFile", []):
        path = files.get(name.removeprefix("-"))
        if path is not None and path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            found |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return found


def state_folders(unit: Unit) -> list[str]:
    """The folders of StateDirectory=, the only ones that a program of a strictly protected unit may write."""
    return [f"/var/lib/{name}" for line in unit["Service"].get("StateDirectory", []) for name in line.split()]


def credentials_of(unit: Unit) -> dict[str, str]:
    """LoadCredential=: name → the file that it is read from."""
    return dict(line.split(":", 1) for line in unit["Service"].get("LoadCredential", []))
