"""What goes wrong, as one line on standard error."""

import sys
import traceback

from spsetl.seeing import is_told_as_events


def complain(message: str, *, exit_code: int | None = None) -> None:
    """Say what went wrong and what to do next; `exit_code` if the program ends with it."""
    if not is_told_as_events():
        print(f"spsetl: {message}", file=sys.stderr, flush=True)
        return
    from spsetl.seeing.logs import log  # noqa: PLC0415 - structlog is not for every command

    if exit_code is None:
        log.warning("complaint", message=message)
    else:
        log.error("command failed", error=message, exit_code=exit_code)


def describe_defect(error: BaseException) -> str:
    """What a traceback tells, in one line: the kind of error, and where it came up; what it says may be content."""
    places = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)]
    return f"a defect of spsetl, please report it: {type(error).__name__} in {' < '.join(reversed(places[-8:]))}"
