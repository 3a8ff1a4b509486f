"""Events: a name, and figures by name. They pass through the standard library's logger `spsetl.events`.

Where a line on stderr is an event, a handler writes it as logfmt or JSON; what other libraries warn of becomes an
event, too. Any other handler of that logger, such as Prefect's, gets a line that a person can read.
"""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from structlog.contextvars import get_contextvars, merge_contextvars

from spsetl.seeing.form import Form

OURS: Final = "spsetl"
_FIRST: Final = ("timestamp", "level", "event", "run_id", "appliance")
_logger: Final = logging.getLogger(f"{OURS}.events")
# Where nobody asked for events, the standard library would print warnings that the command line prints in its own way.
_logger.addHandler(logging.NullHandler())

P = ParamSpec("P")
T = TypeVar("T")


def _to_record(_: Any, __: str, figures: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """The arguments of the standard library's logger: a text, and beside it the figures."""
    return (as_text(figures),), {"extra": {"figures": dict(figures)}}


log: Final[structlog.stdlib.BoundLogger] = structlog.wrap_logger(
    _logger,
    processors=[structlog.stdlib.filter_by_level, merge_contextvars, _to_record],
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """The function as it is to run in a thread: there, too, events and spans belong to the run of here and now."""
    here = copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return here.copy().run(function, *args, **kwargs)

    return run


def as_text(figures: Mapping[str, Any]) -> str:
    """An event as a line for a person, without the run's ID."""
    rest = {name: value for name, value in figures.items() if name not in {"event", "run_id"}}
    words = _LOGFMT(None, "", _flat(rest))
    return f"{_clean(figures['event'])}: {words}" if words else str(_clean(figures["event"]))


class EventFormatter(logging.Formatter):
    """A record as one line: `timestamp` (UTC), `level`, `event`, `run_id`, `appliance`, then the figures."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line, of printable characters only."""
        moment = datetime.fromtimestamp(record.created, UTC)
        figures: dict[str, Any] = {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
        } | (getattr(record, "figures", None) or _foreign(record))
        ordered = {name: figures[name] for name in _FIRST if name in figures} | figures
        if self._form == "json":
            return str(_JSON(None, "", _clean(ordered)))
        return str(_LOGFMT(None, "", _flat(ordered)))


class _Handler(logging.Handler):
    """Writes to stderr, whatever that is now."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event, if it is ours or at least a warning."""
        if record.levelno < logging.WARNING and record.name.partition(".")[0] != OURS:
            return
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - as the standard library's handlers do
            self.handleError(record)


_handler: Final = _Handler()


def tell_as(form: Form, level: str) -> None:
    """Write events to stderr, or no more."""
    root = logging.getLogger()
    root.removeHandler(_handler)
    logging.captureWarnings(form != "text")
    logging.getLogger(OURS).setLevel(logging.NOTSET if form == "text" else level.upper())
    if form != "text":
        _handler.setFormatter(EventFormatter(form))
        _handler.setLevel(level.upper())
        root.addHandler(_handler)


def listen(level: str) -> None:
    """Let a handler that somebody else gave to our logger, as Prefect does, get what the settings ask for."""
    ours = logging.getLogger(OURS)
    if ours.handlers and ours.level == logging.NOTSET:
        ours.setLevel(level.upper())


def is_debugging() -> bool:
    """Whether anybody wants to see each request."""
    return _logger.isEnabledFor(logging.DEBUG)


def _foreign(record: logging.LogRecord) -> dict[str, Any]:
    """What another logger says. Of other libraries the wording alone: what they put into it may be an address."""
    is_ours = record.name.partition(".")[0] == OURS
    text = record.getMessage() if is_ours or not record.args else str(record.msg)
    figures = {"event": text.splitlines()[0] if text else "", "logger": record.name}
    if is_ours:
        figures |= get_contextvars()
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


_JSON: Final = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
_LOGFMT: Final = structlog.processors.LogfmtRenderer(bool_as_flag=False)
