"""Versions of the libraries: outside of the declared bounds, or known to fail together."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from spsetl import __version__
from spsetl.doctor.finding import Finding

_CHECK: Final = "libraries"
_WRONG_SETTINGS: Final = 2
_PIN: Final = "install with the constraints: pip install -c deployments/constraints.txt"
_SHOWN: Final = ("duckdb", "pyarrow", "requests", "prefect")


@dataclass(frozen=True)
class BadCombination:
    """Versions that fail together, and how it shows. `only_prefect`: a sync without Prefect does not notice."""

    versions: Mapping[str, str]
    failure: str
    only_prefect: bool = True


BAD_COMBINATIONS: Final = (
    BadCombination({"prefect": ">=3.8,<3.9", "fastapi": ">=0.155"}, "each flow run fails as it begins"),
    BadCombination(
        {"prefect": ">=3.8,<3.9", "sqlalchemy": ">=2.1"},
        "the Prefect server looks healthy, but its scheduler creates no run: no night is ever started",
    ),
    BadCombination(
        {"duckdb": "<2"},
        "a merge and the published file's storage version need DuckDB 2",
        only_prefect=False,
    ),
    BadCombination(
        {"duckdb": ">=3"},
        "published files and the private database were tried with DuckDB 2 alone",
        only_prefect=False,
    ),
)


@cache
def installed_versions() -> Mapping[str, str]:
    """By their names, the versions of what spsetl declares, as far as it is installed."""
    return {name: found for name in declared_bounds() if (found := _version(name)) is not None}


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
    facts: dict[str, Any] = {"versions": {"spsetl": __version__, "python": platform.python_version(), **versions}}
    bad = [one for one in BAD_COMBINATIONS if _is_met(one, versions)]
    for one in bad:
        which = " with ".join(f"{name} {versions[name]}" for name in one.versions)
        is_fatal = uses_prefect or not one.only_prefect
        text = f"{which}: {one.failure}" + ("" if is_fatal else " (a sync without Prefect does not need it)")
        yield Finding(_CHECK, "red" if is_fatal else "yellow", text, _PIN, _WRONG_SETTINGS if is_fatal else 0)
    named = {name for one in bad for name in one.versions}
    untried = [
        f"{name} {versions[name]} (tried: {bound})"
        for name, bound in bounds.items()
        if name in versions and name not in named and not bound.contains(versions[name], prereleases=True)
    ]
    if untried:
        yield Finding(_CHECK, "yellow", f"not tried with spsetl: {', '.join(untried)}", _PIN, facts=facts)
    if not bad and not untried:
        shown = ", ".join(f"{name} {versions[name]}" for name in _SHOWN if name in versions)
        text = f"spsetl {__version__}, Python {platform.python_version()}, {shown}"
        yield Finding(_CHECK, "green", text, facts=facts)


def _is_met(bad: BadCombination, versions: Mapping[str, str]) -> bool:
    return all(
        name in versions and SpecifierSet(bound).contains(versions[name], prereleases=True)
        for name, bound in bad.versions.items()
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
