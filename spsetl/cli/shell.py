"""`spsetl shell`: questions one after the other, read-only, in DuckDB's own shell or in Python."""

import code
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import spsetl
from spsetl.cli.complaint import complain
from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_table
from spsetl.errors import SpsetlError
from spsetl.warehouse.reader import Warehouse, open_warehouse

DEFAULTS = DataOptions()
# The safest that this version of DuckDB's shell understands. Safe mode locks the settings as well.
_FENCES: Final = (
    ("-safe",),
    ("-cmd", "set enable_external_access = false; set lock_configuration = true;"),
)
_SECONDS_TO_TRY: Final = 30
_BANNER: Final = (
    "The copy is open, read-only, and always the newest that was published.\n"
    'sql("select …") prints a table; warehouse.sql("…") gives a pandas frame; warehouse.search("protocol:ssh"),\n'
    "warehouse.stats(…) and warehouse.histogram(…) as in a notebook. Ctrl-D ends."
)


def shell(*, options: DataOptions = DEFAULTS) -> None:
    """Open DuckDB's own shell on the copy, read-only, where it is installed; else a Python prompt.

    DuckDB's shell keeps the state that was published when it was opened.

    Args:
        options: Where the copy is.
    """
    with open_warehouse(options.load().data_dir) as warehouse:
        command = _find_duckdb(warehouse.path)
        if command is None:
            _ask_in_python(warehouse)
            return
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 the user's own program, without a shell


def _find_duckdb(path: Path) -> list[str] | None:
    """The command of DuckDB's shell, if it is installed, can be fenced in and can open the file."""
    program = shutil.which("duckdb")
    if program is None:
        _say("duckdb is not on the PATH: this is Python instead.")
        return None
    for fence in _FENCES:
        command = [program, "-readonly", *fence, str(path)]
        if _answers(command):
            return command
    _say(f"{program} cannot open {path} (it may be too old): this is Python instead.")
    return None


def _answers(command: list[str]) -> bool:
    """True if the program knows these options and can read the file."""
    try:
        done = subprocess.run(  # noqa: S603 the user's own program, without a shell
            [*command, "-c", "select count(*) from sessions"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS_TO_TRY,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _ask_in_python(warehouse: Warehouse) -> None:
    def sql(query: str, parameters: Any = None) -> None:
        """Print the answer to a question in SQL."""
        try:
            print_table(*warehouse.rows(query, parameters))
        except SpsetlError as error:
            complain(str(error))

    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415 its import gives the prompt arrow keys, and a history in memory alone
    names = {"warehouse": warehouse, "sql": sql, "spsetl": spsetl, "__name__": "__console__"}
    code.interact(banner=_BANNER, local=names, exitmsg="")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
