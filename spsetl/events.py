"""The one teller of a run: stages, lines for a person, events, spans and requests, for all who listen.

An event is a name, and figures by name: names of phases and windows, counts, seconds, the messages of our own errors,
and never content. Events pass through the standard library's logger `spsetl.events`: `write_to_stderr` makes lines of
logfmt or JSON of them, and any other handler, such as Prefect's, gets a line that a person can read.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import copy_context
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, ParamSpec, TypeVar

from spsetl.runs import Run

OURS: Final = "spsetl"
Form = Literal["text", "logfmt", "json"]
_FIRST: Final = ("timestamp", "level", "event", "run_id", "appliance")
_logger: Final = logging.getLogger(f"{OURS}.events")
# Where nobody asked for events, the standard library would print warnings that listeners show in their own way.
_logger.addHandler(logging.NullHandler())

P = ParamSpec("P")
T = TypeVar("T")


class Listener:
    """Hears what a run tells, from any thread; each kind of listener overrides what it has an ear for."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins: windows, sessions, swept, details, days. `total` is how much there is, None if not known."""

    def advance(self, stage: str, amount: int) -> None:
        """So much more of the stage is done."""

    def finish(self, stage: str) -> None:
        """The stage is done: there was no more of it."""

    def line(self, text: str) -> None:
        """One line for a person; beside it an event is told."""

    def span(self, name: str, figures: Mapping[str, Any]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Something that takes its time begins, within what has begun before it in this context; the block is it."""
        return nullcontext()

    def request(self, kind: str, status: int | None, seconds: float) -> None:
        """A request has ended; `status` None where no answer came."""

    def end(self, run: Run) -> None:
        """The run has ended, as it says."""


class Teller:
    """Tells listeners what happens. Thread-safe as far as they are; without any, it tells events alone.

    Args:
        listeners: Who hears all of it.
        figures: What each event says beside its own figures: `run_id`, `appliance`.
    """

    def __init__(self, *listeners: Listener, **figures: str) -> None:
        self.listeners = listeners
        self._figures = figures

    def event(self, level: int, name: str, **figures: Any) -> None:
        """Tell an event."""
        if _logger.isEnabledFor(level):
            told = {"event": name, **self._figures, **figures}
            _logger.log(level, "%s", as_text(told), extra={"figures": told})

    def info(self, name: str, **figures: Any) -> None:
        """Tell an event that is as it should be."""
        self.event(logging.INFO, name, **figures)

    def say(self, line: str, *, event: str, **figures: Any) -> None:
        """One line for a person, and the event in its place."""
        self.info(event, **figures)
        for listener in self.listeners:
            listener.line(line)

    def warn(self, line: str) -> None:
        """A warning, as a line and as an event."""
        self.event(logging.WARNING, "warning", message=line)
        for listener in self.listeners:
            listener.line(f"warning: {line}")

    def begin(self, stage: str, total: int | None) -> None:
        """See Listener."""
        for listener in self.listeners:
            listener.begin(stage, total)

    def advance(self, stage: str, amount: int) -> None:
        """See Listener."""
        for listener in self.listeners:
            listener.advance(stage, amount)

    def finish(self, stage: str) -> None:
        """See Listener."""
        for listener in self.listeners:
            listener.finish(stage)

    @contextmanager
    def span(self, name: str, **figures: Any) -> Iterator[None]:
        """The block is a span; see Listener."""
        with ExitStack() as stack:
            for listener in self.listeners:
                stack.enter_context(listener.span(name, figures))
            yield

    def request(self, kind: str, status: int | None, seconds: float) -> None:
        """See Listener."""
        self.event(logging.DEBUG, "request", kind=kind, status=status, seconds=seconds)
        for listener in self.listeners:
            listener.request(kind, status, seconds)

    def end(self, run: Run) -> None:
        """Tell how a run ended; its warnings are told before, but where an error says all."""
        figures = {name: value for name, value in run.as_json().items() if name not in {"run_id", "appliance"}}
        figures |= {"kind": run.kind, "status": run.status, "exit_code": run.exit_code, "warnings": len(run.warnings)}
        for message in run.warnings:
            self.event(logging.WARNING, "warning", message=message)
        if run.error is not None:
            self.event(logging.ERROR, "run failed", error=run.error, **figures)
        else:
            self.event(logging.WARNING if run.exit_code else logging.INFO, "run ended", **figures)
        for listener in self.listeners:
            listener.end(run)


SILENT: Final = Teller()


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """The function as it is to run in a thread: there, too, spans belong to what is under way here and now."""
    here = copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(function, *args, **kwargs)

    return run


def complain(message: str, *, exit_code: int | None = None) -> None:
    """Say what went wrong and what to do next; `exit_code` if the program ends with it."""
    if exit_code is None:
        figures: dict[str, Any] = {"event": "complaint", "message": message}
    else:
        figures = {"event": "command failed", "error": message, "exit_code": exit_code}
    level = logging.WARNING if exit_code is None else logging.ERROR
    _logger.log(level, "%s", message, extra={"figures": figures, "complaint": message})


def complain_of_defect(error: BaseException, *, exit_code: int) -> None:
    """As `complain`, of an error that nobody thought of: all of it to a person, its place alone as an event.

    What the error says may be content.
    """
    places = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)]
    where = " < ".join(reversed(places[-8:]))
    line = f"a defect of spsetl, please report it: {type(error).__name__} in {where}"
    figures = {"event": "command failed", "error": line, "exit_code": exit_code}
    whole = "".join(traceback.format_exception(error))
    _logger.error("%s", line, extra={"figures": figures, "complaint": f"{line}\n{whole.rstrip()}"})


def as_text(figures: Mapping[str, Any]) -> str:
    """An event as a line for a person, without the run's ID."""
    rest = {name: value for name, value in figures.items() if name not in {"event", "run_id"}}
    words = _renderer("logfmt")(None, "", _flat(rest))
    return f"{_clean(figures['event'])}: {words}" if words else str(_clean(figures["event"]))


class EventFormatter(logging.Formatter):
    """A record as one line: `timestamp` (UTC), `level`, `event`, `run_id`, `appliance`, then the figures."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line, of printable characters only; of a defect, to a person, all that Python says of it."""
        if self._form == "text":
            complaint = getattr(record, "complaint", None)
            return f"{OURS}: {complaint}" if complaint is not None else record.getMessage()
        moment = datetime.fromtimestamp(record.created, UTC)
        figures: dict[str, Any] = {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
        } | (getattr(record, "figures", None) or _foreign(record))
        ordered = {name: figures[name] for name in _FIRST if name in figures} | figures
        return str(_renderer(self._form)(None, "", (_clean if self._form == "json" else _flat)(ordered)))


class _Handler(logging.Handler):
    """Writes to stderr, whatever that is now."""

    form: Form = "text"

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event, if it is ours or at least a warning; as text only what no listener has shown."""
        is_event = record.name == _logger.name
        is_shown = hasattr(record, "complaint") or not is_event if self.form == "text" else True
        is_ours = record.name.partition(".")[0] == OURS and self.form != "text"
        if not is_shown or not (is_ours or record.levelno >= logging.WARNING):
            return
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - as the standard library's handlers do
            self.handleError(record)


_handler: Final = _Handler()


def write_to_stderr(form: Form, level: str) -> None:
    """From now on write events, or for a person complaints alone, to stderr. What a program does, and no library."""
    root = logging.getLogger()
    if form == "text" == _handler.form and _handler in root.handlers:
        return
    logging.captureWarnings(form != "text")
    logging.getLogger(OURS).setLevel(logging.NOTSET if form == "text" else level.upper())
    _handler.form = form
    _handler.setFormatter(EventFormatter(form))
    _handler.setLevel(logging.NOTSET if form == "text" else level.upper())
    if _handler not in root.handlers:
        root.addHandler(_handler)


def _foreign(record: logging.LogRecord) -> dict[str, Any]:
    """What another logger says. Of other libraries the wording alone: what they put into it may be an address."""
    is_ours = record.name.partition(".")[0] == OURS
    text = record.getMessage() if is_ours or not record.args else str(record.msg)
    figures = {"event": text.splitlines()[0] if text else "", "logger": record.name}
    if record.exc_info and record.exc_info[0]:
        figures["error_type"] = record.exc_info[0].__name__
    return figures


def _clean(value: Any) -> Any:
    """Of printable characters only: an event is one line, whatever is in it."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    if isinstance(value, Mapping):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return round(value, 3) if isinstance(value, float) else value


def _flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures within figures as `outer.inner`; logfmt has no other way."""
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": one for inner, one in _flat(value).items()}
        else:
            flat[name] = _clean(value)
    return flat


@cache
def _renderer(form: Form) -> Callable[..., Any]:
    from structlog.processors import JSONRenderer, LogfmtRenderer  # noqa: PLC0415 - takes a while to import

    return JSONRenderer(default=str, ensure_ascii=False) if form == "json" else LogfmtRenderer(bool_as_flag=False)
