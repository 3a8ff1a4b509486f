"""The wheel away from the checkout: what is in it, and that the command works where only the wheel is."""

import hashlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def away(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment, outside the checkout, with the wheel in it.

    The wheel's dependencies are borrowed from the environment that runs the tests: a path in a .pth file lends its
    packages, and not the .pth files in it, so the checkout that is installed there stays invisible. What this cannot
    see, a dependency that is used and not declared, is checked in test_pins.py, and by `make wheel-check`, which
    installs everything anew.
    """
    folder = tmp_path_factory.mktemp("away")
    requirement = folder / "requirements.txt"
    requirement.write_text(f"{wheel.as_uri()} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    venv = folder / "venv"
    maker = ROOT / "deployments" / "make-venv.sh"
    subprocess.run([str(maker), sys.executable, str(venv), str(requirement)], check=True, capture_output=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


@pytest.fixture
def run(away: Path, tmp_path: Path) -> Run:
    """Runs a program of the new environment in an empty folder, with nothing set that the tests have set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPSETL_"))}

    def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(away / "venv" / "bin" / program), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run_program


def test_wheel_holds_the_sql_the_types_and_the_licence(wheel: Path) -> None:
    """Every SQL file of the checkout is inside the package, byte by byte, with py.typed and the licence."""
    expected = {
        f"spsetl/{path.relative_to(ROOT).as_posix()}": path.read_bytes()
        for path in [*ROOT.glob("sql/**/*.sql"), *ROOT.glob("sql/**/*.md")]
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        inside = {name: archive.read(name) for name in expected if name in names}
        (licence,) = (archive.read(name) for name in names if name.endswith("dist-info/licenses/LICENSE"))

    assert expected
    assert inside == expected
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert "spsetl/py.typed" in names


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    """Neither tests nor flows nor anything that `make` makes gets into the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        strangers = [n for n in archive.namelist() if not n.startswith("spsetl/") and ".dist-info/" not in n]
        endings = {Path(name).suffix for name in archive.namelist() if name.startswith("spsetl/")}

    assert strangers == []
    assert endings <= {".py", ".sql", ".toml", ".typed", ".md", ".j2", ".css"}


def test_installed_package_is_the_wheels(run: Run, away: Path) -> None:
    """In the new environment the package comes from the wheel and not from this checkout."""
    where = run("python", "-c", "import spsetl, spsetl.schema as s; print(spsetl.__file__, s.__file__, sep='\\n')")

    assert [Path(line).is_relative_to(away / "venv") for line in where.stdout.splitlines()] == [True, True]


def test_installed_command_knows_its_version(run: Run, wheel: Path) -> None:
    """`spsetl --version` says the version of the wheel."""
    assert run("spsetl", "--version").stdout.strip() == wheel.name.split("-")[1]


def test_installed_command_has_help(run: Run) -> None:
    """`spsetl stats --help` works away from the checkout."""
    assert "--sub-field" in run("spsetl", "stats", "--help").stdout


def test_installed_command_runs_the_demo(run: Run, tmp_path: Path) -> None:
    """`spsetl demo` finds its SQL inside the wheel, and publishes a warehouse."""
    run("spsetl", "demo", "--sessions", "300")

    assert list(tmp_path.rglob("warehouse.duckdb"))
