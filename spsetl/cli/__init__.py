"""The command line: commands, exit codes, and what a person sees. Data goes to stdout, talk to stderr."""

import os
import sys
from collections.abc import Sequence
from typing import cast, get_args

from cyclopts import App, CycloptsError

from spsetl import __version__
from spsetl.cli.lean import spare_memory
from spsetl.cli.screen import Screen, shield_terminal
from spsetl.errors import SpsetlError
from spsetl.events import Form, complain, complain_of_defect, write_to_stderr
from spsetl.interrupts import INTERRUPTS, exit_code_of_signal, obey_signals, unmasked

INTERRUPTED, TERMINATED = 130, 143

app = App(
    name="spsetl",
    help="Copies the session audit of One Identity SPS appliances into Parquet and DuckDB, completely.",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` says what it means
)
_COMMANDS = {
    "init": "Asks for what a sync needs, checks it, and writes a spsetl.toml.",
    "demo": "Two nights of a simulated appliance, and what can be asked then.",
    "sync": "Fetch everything new or changed; the first time, everything.",
    "backfill": "Fetch one range of start_time, the newest sessions first.",
    "reconcile": "The appliance's counts beside the copy's, day by day.",
    "status": "How far the copy is.",
    "stats": "Sessions by the values of a field.",
    "histogram": "Sessions by bins of time.",
    "sql": "Any question in SQL, read-only.",
    "search": "Sessions by an expression of the appliance's q.",
    "shell": "Questions in SQL, one after the other, read-only.",
    "report": "One HTML page: whether the copy is complete, and what happened.",
    "export": "The marts as Parquet or CSV, for tools that read files.",
    "rebuild": "Make the warehouse anew from the lake alone.",
    "compact": "Make one file of each ended month of the lake.",
    "quarantine": "What could not be read; `quarantine replay` tries again.",
    "appliances": "Which the copy has; `rename OLD NEW`, `forget NAME`.",
    "doctor": "Whether this set-up can work, and what the appliance can do.",
    "trail": "Download one recording; the appliance records that, too.",
    "simulate": "The simulated appliance alone.",
}
_ROOMS = {
    **dict.fromkeys(("stats", "histogram", "sql", "search", "shell"), "ask"),
    **dict.fromkeys(("rebuild", "compact", "quarantine", "appliances"), "upkeep"),
    "backfill": "sync",
    "report": "export",
}
# By name, so that `spsetl stats` does not wait for the import of what only `spsetl simulate` needs.
for _place, (_name, _help) in enumerate(_COMMANDS.items()):
    app.command(f"spsetl.cli.{_ROOMS.get(_name, _name)}:{_name}", name=_name, help=_help, sort_key=_place)


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done, 2 wrong usage, 3 incomplete, 4 login or rights, 5 appliance, 6 locked, 130 interrupted,
        143 ended by SIGTERM.
    """
    early = os.environ.get("SPSETL_LOG_FORMAT", "")
    write_to_stderr(cast("Form", early) if early in get_args(Form) else "text", "info")  # until settings are known
    try:
        with unmasked():
            result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        complain(f"{' '.join(str(error).split())} See spsetl --help", exit_code=2)
        return 2
    except SpsetlError as error:
        complain(str(error), exit_code=error.exit_code)
        return error.exit_code
    except INTERRUPTS as error:
        code = exit_code_of_signal(error)
        complain("interrupted; what was fetched is kept, run again to go on", exit_code=code)
        return code
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): no failure, and nothing left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - it is told whole
        complain_of_defect(error, exit_code=SpsetlError.exit_code)
        return SpsetlError.exit_code
    return result if isinstance(result, int) else 0


def main() -> None:
    """The entry point of the command `spsetl`."""
    arguments = sys.argv[1:]
    command = next(iter(arguments), "")
    spare_memory(command)
    obey_signals(command)
    shield_terminal()
    if isinstance(sys.stdout, Screen):
        from rich.console import Console  # noqa: PLC0415 - for a person alone

        app.console = Console(file=sys.stdout.plain)  # help and version
    code = run(arguments)
    if code in {INTERRUPTED, TERMINATED}:
        # Threads that wait for an answer must not keep the user waiting; nothing that they hold is lost by this.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
