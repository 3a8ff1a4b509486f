"""What keeps the process of a command small; for the command alone, not for programs that use the library."""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Final

_FETCHING: Final = frozenset({"sync", "backfill", "rebuild", "demo"})


def spare_memory(command: str) -> None:
    """Have Arrow give back what was freed, and keep pandas out of a command that fetches.

    Of a first sync of 50,000 sessions both take a third of the memory.

    Args:
        command: What is going to run, by its name.
    """
    # Read when Arrow is loaded: its own allocator keeps what many threads have freed.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if command in _FETCHING:
        _show_arrow_no_pandas()


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)
        return None


def _show_arrow_no_pandas() -> None:
    """Arrow looks for pandas at its first array, once, and would load it: a quarter of a second, and 40 MB."""
    hidden = _NoPandas()
    sys.meta_path.insert(0, hidden)
    try:
        import pyarrow as pa  # noqa: PLC0415 after the choice of its allocator, and not for every command

        pa.array([])
    finally:
        sys.meta_path.remove(hidden)
