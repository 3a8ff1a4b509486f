"""From an answer to its JSON, or to the error that it stands for; no I/O."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson

from spsetl.appliance.failures import decode_error, decode_retry_after, not_json, redirected
from spsetl.appliance.transport import Answer
from spsetl.errors import UnavailableError


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
        text = answer.body.decode(errors="surrogateescape")
        return _printable(json.loads(text, strict=False, parse_constant=str))
    except (ValueError, RecursionError):
        if answer.cut_unseen and answer.body.lstrip()[:1] in (b"", b"{", b"["):
            raise UnavailableError(f"the answer to a request for {kind} ends in the middle; try later") from None
        raise not_json(answer.status, answer.content_type, kind=kind) from None


def _printable(value: Any) -> Any:
    """The same with lone surrogates spelled out as escapes: no encoder takes them as they are, and none is lost."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(name): _printable(item) for name, item in value.items()}
    return value
