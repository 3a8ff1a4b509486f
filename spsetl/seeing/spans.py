"""Spans of the run that is under way: what took how long, within what. Without telemetry, nothing is done.

A span for the run, its phases, each window and each batch of details. Requests are many, three for each session: within
each of those, the first ones and those that failed get a span of their own, without address; metrics count them all.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Any, Final, Protocol

from spsetl.errors import SpsetlError

REQUESTS_WITH_A_SPAN: Final = 10  # within each span
FAILURES_WITH_A_SPAN: Final = 100


class Span(Protocol):
    """An open span of whatever makes spans."""

    def begin(self, name: str, figures: dict[str, Any], *, start_time: int | None = None) -> "Span":
        """A span within this one; `start_time` in nanoseconds since 1970, None for now."""
        ...

    def end(self, *, error: str | None) -> None:
        """It ends now, well or with an error."""
        ...


@dataclass
class _Scope:
    """A span that is open, and how many requests within it were seen."""

    span: Span
    requests: Iterator[int]
    failures: Iterator[int]


_scope: ContextVar[_Scope | None] = ContextVar("spsetl_scope", default=None)


@contextmanager
def span(name: str, **figures: Any) -> Iterator[None]:
    """A span for the time of the block, within the one that is open here."""
    outer = _scope.get()
    if outer is None:
        yield
        return
    with opened(outer.span.begin(name, figures)):
        yield


@contextmanager
def opened(one: Span) -> Iterator[None]:
    """The span is open for the time of the block."""
    token = _scope.set(_Scope(one, count(), count()))
    failure: str | None = None
    try:
        yield
    except BaseException as error:
        failure = describe_error(error)
        raise
    finally:
        _scope.reset(token)
        one.end(error=failure)


def note_request(kind: str, status: int | None, seconds: float) -> None:
    """A request that has just ended within the open span; `status` None where no answer came."""
    scope = _scope.get()
    if scope is None:
        return
    has_failed = status != HTTPStatus.OK
    if has_failed and next(scope.failures) >= FAILURES_WITH_A_SPAN:
        return
    if not has_failed and next(scope.requests) >= REQUESTS_WITH_A_SPAN:
        return
    figures = {"kind": kind} if status is None else {"kind": kind, "http.response.status_code": status}
    began = time.time_ns() - int(seconds * 1e9)
    failure = None if not has_failed else "no answer" if status is None else f"status {status}"
    scope.span.begin("request", figures, start_time=began).end(error=failure)


def describe_error(error: BaseException) -> str:
    """In words where the words are ours; of others the kind alone, for what they say may be content."""
    return str(error) if isinstance(error, SpsetlError) else type(error).__name__
