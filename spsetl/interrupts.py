"""Ctrl-C and SIGTERM: the first ends what is under way in order, the second at once.

Only the command line obeys signals so; in a notebook or a flow they mean what they mean there.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

# What has begun a long statement of DuckDB may hear of a signal late: who only asks is ended by SIGTERM as ever.
_WORKING: Final = frozenset({"sync", "backfill", "reconcile", "demo"})
_is_held_back = False
_heard: int | None = None
_raised: int = signal.SIGINT


class Terminated(BaseException):
    """SIGTERM; no KeyboardInterrupt, which a prompt takes for the end of a line."""


INTERRUPTS: Final = (KeyboardInterrupt, Terminated)


def exit_code_of_signal(error: BaseException) -> int:
    """What the program ends with, by the custom of shells."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


def ends_process(error: BaseException) -> bool:
    """Whether it stands for a signal after which this process soon is gone: SIGTERM here, or in a flow of Prefect."""
    return isinstance(error, Terminated) or isinstance(getattr(error, "signal", None), int)


def obey_signals(command: str) -> None:
    """Let both end such a command in order. What is ignored, as in the background of a shell, stays so.

    Args:
        command: What is going to run, by its name.
    """
    if command not in _WORKING:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in {signal.default_int_handler, signal.SIG_DFL}:
            signal.signal(number, _hear)


def _hear(number: int, _: FrameType | None) -> None:
    global _heard, _raised  # noqa: PLW0603 - a process has one handler
    if not _is_held_back:
        _raised = number
        raise _as_error(number)
    if _heard is not None:
        os._exit(128 + number)  # the copy is whole at any instant
    _heard = number


def _as_error(number: int) -> BaseException:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextmanager
def unmasked() -> Iterator[None]:
    """Raise an interrupt as what it is: amid a statement, DuckDB makes a RuntimeError of whatever a handler raises.

    Raises:
        KeyboardInterrupt, Terminated: One came.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise _as_error(_raised) from None


def is_asked_to_end() -> bool:
    """Whether a signal came while it was held back."""
    return _heard is not None


@contextmanager
def held_back() -> Iterator[None]:
    """Hold the first signal back until the end of the block, which asks now and then whether one came.

    Raises:
        KeyboardInterrupt, Terminated: One came.
    """
    global _heard, _is_held_back  # noqa: PLW0603
    _is_held_back = True
    try:
        yield
    finally:
        _is_held_back, number, _heard = False, _heard, None
        if number is not None:
            raise _as_error(number)  # whatever else ended the block: most likely that it was told to
