"""The pinned packages: what is declared is pinned with its hashes, and what is imported is declared."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
IMPORTERS: Final = [path for folder in ("spsetl", "flows") for path in sorted((ROOT / folder).rglob("*.py"))]
# Where what only an extra brings may be imported.
EXTRAS: Final = {
    ROOT / "spsetl" / "report": "report",
    ROOT / "spsetl" / "telemetry.py": "otel",
    ROOT / "spsetl" / "settings" / "password.py": "keyring",
}
PIN: Final = re.compile(r"[\w.-]+==[\w.]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")


@pytest.mark.parametrize("name", ["constraints.txt", "duckdb-1.2.2.txt", "bi/superset/constraints.txt"])
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    """Each pinned package has one version and a SHA-256 at least, and nothing says where to fetch it."""
    text = (ROOT / "deployments" / name).read_text(encoding="utf-8")
    pins = re.split(r"\n(?=\S)", text.strip())
    malformed = [pin for pin in pins if not PIN.fullmatch(pin)]

    assert malformed == []
    assert "://" not in text


def test_every_dependency_is_pinned() -> None:
    """What pyproject.toml asks for, for running and for developing, is in the constraints."""
    text = (ROOT / "deployments" / "constraints.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    project = read_project()
    groups = [project["project"]["dependencies"], project["dependency-groups"]["dev"]]
    groups += project["project"]["optional-dependencies"].values()
    wanted = {name_of(one) for group in groups for one in group}

    assert wanted - pinned == set()


def test_every_import_is_a_declared_dependency() -> None:
    """Nothing is imported that a bare `pip install` of the wheel would not bring, but where an extra is asked for."""
    project = read_project()["project"]
    declared = {name_of(one) for one in project["dependencies"]}
    distributions = importlib.metadata.packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in IMPORTERS
        for module in imports_of(path) - sys.stdlib_module_names - {"spsetl", "flows"}
        if not (declared | names_of_extra(path, project)) & {normal(one) for one in distributions.get(module, [])}
    }

    assert undeclared == set()


def names_of_extra(path: Path, project: dict[str, Any]) -> set[str]:
    """The packages of the extra that this file may import from."""
    extras = [extra for place, extra in EXTRAS.items() if place in (path, *path.parents)]
    return {name_of(one) for extra in extras for one in project["optional-dependencies"][extra]}


def imports_of(path: Path) -> set[str]:
    """The top-level names of the modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    within = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in plain | within}


def read_project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def name_of(requirement: str) -> str:
    """The package a requirement is about."""
    return normal(re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0])


def normal(name: str) -> str:
    """A package's name as it is compared: case and punctuation do not count."""
    return re.sub(r"[-_.]+", "-", name).lower()
