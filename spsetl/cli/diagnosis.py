"""What doctor found, for a person: a line a check, the next step below it, and a word at the end."""

import shutil
import textwrap
from collections import Counter
from typing import Final, TextIO

from spsetl.cli.screen import printable
from spsetl.doctor import Finding, State

_STYLES: Final[dict[State, str]] = {"green": "\033[32m", "yellow": "\033[33m", "red": "\033[1;31m"}
_DIM: Final = "\033[2m"
_BOLD: Final = "\033[1m"
_PLAIN: Final = "\033[0m"
_STATE_WIDTH: Final = 6
_CHECK_WIDTH: Final = 18
_INDENT: Final = 2 + _STATE_WIDTH + 2 + _CHECK_WIDTH + 1
_NARROWEST: Final = 60
_WIDE: Final = 100_000  # a pipe has no width: a line a check


class Diagnosis:
    """Shows findings as they come.

    Args:
        stream: Where to; coloured and folded to its width if it is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._width = max(shutil.get_terminal_size().columns, _NARROWEST) if self._is_terminal else _WIDE
        self._appliance = ""
        self._states: Counter[State] = Counter()
        self._exit_code = 0

    def show(self, appliance: str, finding: Finding) -> None:
        """One finding, below its appliance's name."""
        if appliance != self._appliance:
            self._write("\n" if self._appliance else "", self._styled(_BOLD, printable(appliance)), "\n")
            self._appliance = appliance
        self._states[finding.state] += 1
        if finding.state == "red" and not self._exit_code:
            self._exit_code = finding.exit_code
        state = self._styled(_STYLES[finding.state], f"{finding.state:<{_STATE_WIDTH}}")
        found = self._folded(finding.found, "")
        self._write(f"  {state}  {finding.check:<{_CHECK_WIDTH}} {found.lstrip()}\n")
        for line in finding.lines:
            self._write(self._styled(_DIM, self._folded(line, "")), "\n")
        if finding.next_step:
            self._write(self._folded(finding.next_step, "→ "), "\n")

    def finish(self) -> int:
        """The sum of it; the exit code."""
        counts = [f"{self._states[state]} {state}" for state in ("green", "yellow", "red") if self._states[state]]
        if self._states["red"]:
            verdict = "this will not work before the red ones are mended, the first of them first"
        elif self._states["yellow"]:
            verdict = "this can work; look at the yellow ones"
        else:
            verdict = "this can work"
        self._write("\n", f"{', '.join(counts)}: {verdict}", "\n")
        return self._exit_code

    def _folded(self, text: str, mark: str) -> str:
        """Indented to below what was found; further lines below the first."""
        indent = " " * _INDENT
        return textwrap.fill(
            printable(text),
            self._width,
            initial_indent=indent + mark,
            subsequent_indent=indent + " " * len(mark),
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._is_terminal else text

    def _write(self, *texts: str) -> None:
        self._stream.write("".join(texts))
        self._stream.flush()
