"""Versions of the libraries: outside of the declared bounds, or known to fail together."""

import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from spsetl import __version__
from spsetl.doctor.finding import Finding, green, red, yellow
from spsetl.errors import SettingsError

_CHECK: Final = "libraries"
_PIN: Final = "install with the constraints: pip install -c deployments/constraints.txt"
_SHOWN: Final = ("duckdb", "pyarrow", "requests", "prefect")
_PREFECT: Final = "prefect"

# Versions that fail together, and how it shows. Without Prefect a sync does not notice what concerns Prefect.
BAD_COMBINATIONS: Final[tuple[tuple[Mapping[str, str], str], ...]] = (
    ({_PREFECT: ">=3.8,<3.9", "fastapi": ">=0.155"}, "each flow run fails as it begins"),
    (
        {_PREFECT: ">=3.8,<3.9", "sqlalchemy": ">=2.1"},
        "the Prefect server looks healthy, but its scheduler creates no run: no night is ever started",
    ),
    ({"duckdb": "<2"}, "a merge and the published file's storage version need DuckDB 2"),
    ({"duckdb": ">=3"}, "published files and the private database were tried with DuckDB 2 alone"),
)


@cache
def installed_versions() -> Mapping[str, str]:
    """By their names, the versions of what spsetl declares, as far as it is installed."""
    found = {}
    for name in declared_bounds():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # of an extra
    return found


@cache
def declared_bounds() -> Mapping[str, SpecifierSet]:
    """What spsetl says it works with, extras included."""
    bounds: dict[str, SpecifierSet] = {}
    for line in requires("spsetl") or ():
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        bounds[name] = bounds.get(name, SpecifierSet()) & requirement.specifier
    return bounds


def check_libraries(
    versions: Mapping[str, str], bounds: Mapping[str, SpecifierSet], *, uses_prefect: bool
) -> Iterator[Finding]:
    """What is known to fail, and what nobody has tried.

    Args:
        versions: What is installed.
        bounds: What is declared.
        uses_prefect: Whether Prefect is to start the syncs, so that its failures are ours.
    """

    def has(name: str, bound: SpecifierSet) -> bool:
        return name in versions and bound.contains(versions[name], prereleases=True)

    named: set[str] = set()
    for together, failure in BAD_COMBINATIONS:
        if not all(has(name, SpecifierSet(bound)) for name, bound in together.items()):
            continue
        named |= together.keys()
        text = f"{' with '.join(f'{name} {versions[name]}' for name in together)}: {failure}"
        if uses_prefect or _PREFECT not in together:
            yield red(_CHECK, SettingsError(f"{text}; {_PIN}"))
        else:
            yield yellow(_CHECK, f"{text} (a sync without Prefect does not need it); {_PIN}")
    untried = [name for name, bound in bounds.items() if name in versions.keys() - named and not has(name, bound)]
    facts = {"versions": {"spsetl": __version__, "python": platform.python_version(), **versions}}
    if untried:
        shown = ", ".join(f"{name} {versions[name]} (tried: {bounds[name]})" for name in untried)
        yield yellow(_CHECK, f"not tried with spsetl: {shown}; {_PIN}", **facts)
    elif not named:
        shown = ", ".join(f"{name} {versions[name]}" for name in _SHOWN if name in versions)
        yield green(_CHECK, f"spsetl {__version__}, Python {platform.python_version()}, {shown}", **facts)
