"""`spsetl shell`: questions one after the other, read-only; in Python where that is asked for."""

import code
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import spsetl
from spsetl.cli.options import DataOptions
from spsetl.cli.output import OutputOptions, write_answer
from spsetl.errors import SpsetlError
from spsetl.events import complain
from spsetl.warehouse.edition import Limits, Parameters
from spsetl.warehouse.reader import Warehouse, open_warehouse

DEFAULTS = DataOptions()
_BANNER: Final = (
    "The copy is open, read-only, and always the newest that was published.\n"
    "A question in SQL ends with ; at the end of a line. Ctrl-D ends."
)
_PYTHON_BANNER: Final = (
    "This is Python, which may do all that you may; the copy is open, read-only, and always the newest.\n"
    'sql("select …") prints a table; warehouse.sql("…") gives a pandas frame; warehouse.search("protocol:ssh"),\n'
    "warehouse.stats(…) and warehouse.histogram(…) as in a notebook. Ctrl-D ends."
)


def shell(*, options: DataOptions = DEFAULTS, python: bool = False) -> None:
    """Ask questions in SQL one after the other, each as `spsetl sql` would answer it, and nothing else.

    Args:
        options: Where the copy is.
        python: Open a Python prompt on the copy instead; only the copy is read-only there.
    """
    settings = options.load()
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415 its import gives the prompt arrow keys, and a history in memory alone
    with open_warehouse(settings.data_dir, limits=Limits.of(settings)) as warehouse:
        if python:
            _ask_in_python(warehouse, settings.data_dir)
            return
        if sys.stdin.isatty():
            print(_BANNER, file=sys.stderr)
        for question in _read_questions():
            _answer(warehouse, question, settings.data_dir)


def _read_questions() -> Iterator[str]:
    """What is typed, up to a semicolon at the end of a line each time; the last needs none."""
    is_terminal = sys.stdin.isatty()
    lines: list[str] = []
    while True:
        try:
            lines.append(input(("   ...> " if lines else "spsetl> ") if is_terminal else ""))
        except KeyboardInterrupt:  # forget what was typed
            print(file=sys.stderr)
            lines = []
        except EOFError:
            if "".join(lines).strip():
                yield "\n".join(lines)
            return
        if lines and lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []
        elif not "".join(lines).strip():
            lines = []


def _answer(warehouse: Warehouse, question: str, data_dir: Path, parameters: Parameters = None) -> None:
    """A table, or a line of complaint; neither ends the shell."""
    try:
        with warehouse.hold() as edition:
            write_answer(edition, question, parameters, OutputOptions(), data_dir)
    except SpsetlError as error:
        complain(str(error))
    except UnicodeError:
        complain("the question is no UTF-8 text; type it anew")
    except KeyboardInterrupt:
        complain("interrupted")


def _ask_in_python(warehouse: Warehouse, data_dir: Path) -> None:
    def sql(query: str, parameters: Parameters = None) -> None:
        """Print the answer to a question in SQL."""
        _answer(warehouse, query, data_dir, parameters)

    names = {"warehouse": warehouse, "sql": sql, "spsetl": spsetl, "__name__": "__console__"}
    code.interact(banner=_PYTHON_BANNER, local=names, exitmsg="")
