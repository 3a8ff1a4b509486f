"""From an answer to its JSON, or to the error that it stands for; no I/O."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from math import isfinite
from typing import Any, Final

import orjson

from spsetl.appliance.failures import decode_error, decode_retry_after, not_json, redirected
from spsetl.errors import UnavailableError

_MOST_DIGITS: Final = 4_000  # Python reads no integer of more than 4,300
_MOST_LEVELS: Final = 100
_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of whatever status. `cut_unseen` if nothing in it would have told that its end is missing."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    cut_unseen: bool


def decode_answer(answer: Answer, *, kind: str, decode: Callable[[bytes], Any] = orjson.loads) -> Any:
    """The answer's JSON.

    Args:
        answer: Of any status.
        kind: What was asked for, in words.
        decode: Reads JSON; raises orjson.JSONDecodeError for what is none, and for what only a lenient reader takes.

    Raises:
        SpsetlError: What the status, or a body that is no JSON, stands for.
    """
    check_status(answer, kind=kind)
    try:
        return decode(answer.body)
    except orjson.JSONDecodeError:
        return _decode_strange(answer, kind)


def check_status(answer: Answer, *, kind: str) -> None:
    """Let through what has status 200.

    Raises:
        SpsetlError: What another status stands for.
    """
    if answer.status == HTTPStatus.OK:
        return
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        raise redirected(answer.status, answer.headers.get("Location"), kind=kind)
    wait = decode_retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC))
    raise decode_error(answer.status, answer.content_type, answer.body, kind=kind, retry_after=wait)


def _decode_strange(answer: Answer, kind: str) -> Any:
    """JSON that only a lenient reader takes: text with broken UTF-8, lone surrogates, control characters, NaN.

    A recorded terminal can hold any bytes, and one such session must not hide the rest of its page.
    """
    try:
        return decode_leniently(answer.body.decode(errors="surrogateescape"))
    except ValueError:
        if answer.cut_unseen and answer.body.lstrip()[:1] in (b"", b"{", b"["):
            raise UnavailableError(f"the answer to a request for {kind} ends in the middle; try later") from None
        raise not_json(answer.status, answer.content_type, kind=kind) from None


def decode_leniently(text: str) -> Any:
    """JSON of any depth, with numbers of any size; what cannot be had otherwise is text.

    Raises:
        ValueError: It is none.
    """
    try:
        return _printable(_STRANGE.decode(text))
    except RecursionError:
        return _printable(_STRANGE.decode(_cut_depths(text)))


def _read_float(digits: str) -> float | str:
    number = float(digits)
    return number if isfinite(number) else digits


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


_STRANGE: Final = json.JSONDecoder(strict=False, parse_constant=str, parse_float=_read_float, parse_int=_read_integer)


def _cut_depths(text: str) -> str:
    """The same, with what is nested too deeply for any reader as the text of its JSON."""
    depth = begin = end = 0
    pieces = []
    for mark in _MARKS.finditer(text):
        if mark[0] in ("{", "["):
            depth += 1
            if depth == _MOST_LEVELS:
                begin = mark.start()
                pieces.append(text[end:begin])
        elif mark[0] in ("}", "]"):
            if depth == _MOST_LEVELS:
                end = mark.end()
                pieces.append(json.dumps(text[begin:end]))
            depth -= 1
    if depth:
        raise ValueError
    return "".join((*pieces, text[end:]))


def _printable(value: Any) -> Any:
    """The same with lone surrogates spelled out as escapes: no encoder takes them as they are, and none is lost."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(item) for name, item in value.items()}
    return value
