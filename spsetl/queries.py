"""Where the SQL files are: `sql/` in a checkout, inside the package once it is installed from a wheel."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent
_FOLDERS = (_PACKAGE / "sql", _PACKAGE.parent / "sql")


@cache
def read_folder(folder: str) -> dict[str, str]:
    """The statements of one folder of `sql/`, by file name without its ending, in the order of the names."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((_root() / folder).glob("*.sql"))}


@cache
def read_descriptions(folder: str) -> dict[str, dict[str, Any]]:
    """What the description of a folder of `sql/`, the TOML file of its name, says of each of its statements."""
    return tomllib.loads((_root() / folder / f"{folder}.toml").read_text(encoding="utf-8"))


def _root() -> Path:
    return next(path for path in _FOLDERS if path.is_dir())


def read_statement(folder: str, name: str) -> str:
    """One statement of `sql/`."""
    return read_folder(folder)[name]
