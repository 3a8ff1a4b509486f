"""Where the SQL files are: `sql/` in a checkout, inside the package once it is installed from a wheel."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_FOLDERS = (_PACKAGE / "sql", _PACKAGE.parent / "sql")


@cache
def read_folder(folder: str) -> dict[str, str]:
    """The statements of one folder of `sql/`, by file name without its ending, in the order of the names."""
    root = next(path for path in _FOLDERS if path.is_dir())
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((root / folder).glob("*.sql"))}


def read_statement(folder: str, name: str) -> str:
    """One statement of `sql/`."""
    return read_folder(folder)[name]
