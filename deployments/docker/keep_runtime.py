"""Removes from this environment what spsetl does not need to run: `keep_runtime.py [EXTRA…]`.

The pinned packages are those for developing, too; the linters and the tests have no place in an image.
"""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "spsetl"
TOOLS = {"pip"}  # removes the others, and itself last


def find_needed(project: str, extras: set[str]) -> set[str]:
    """The names of all packages that the project and these extras of it need on this machine."""
    needed: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(project, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        needed.add(name)
        waiting += [
            (canonicalize_name(one.name), frozenset(one.extras))
            for one in requirements_of(name)
            if applies(one, wanted)
        ]
    return needed


def check_extras(project: str, extras: set[str]) -> None:
    """End this program if one of them is none of the project's: its packages would be removed without a word."""
    known = importlib.metadata.metadata(project).get_all("Provides-Extra") or []
    if unknown := extras - set(known):
        raise SystemExit(f"no extra of {project}: {', '.join(sorted(unknown))}")


def requirements_of(name: str) -> Iterator[Requirement]:
    """What an installed package says that it needs."""
    return map(Requirement, importlib.metadata.requires(name) or [])


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether it is needed on this machine, with these extras of the package that names it."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def find_installed() -> set[str]:
    """The names of all packages of this environment."""
    return {canonicalize_name(one.metadata["Name"]) for one in importlib.metadata.distributions()}


def main() -> None:
    """Remove the rest, then pip itself."""
    extras = set(sys.argv[1:])
    check_extras(PROJECT, extras)
    rest = sorted(find_installed() - find_needed(PROJECT, extras) - TOOLS)
    for names in (rest, sorted(TOOLS)):
        subprocess.run([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", *names], check=True)  # noqa: S603
    print(f"kept {len(find_installed())} packages, removed {', '.join(rest)}")


if __name__ == "__main__":
    main()
