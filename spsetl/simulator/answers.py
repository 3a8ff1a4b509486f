"""What the simulated appliance answers, and its errors ("Application level error codes")."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"


class Asking(NamedTuple):
    """Details that are asked for from their beginning: of which kind, of which session, at which revision of it."""

    kind: str
    key: str
    revision: int


@dataclass(frozen=True)
class Answer:
    """One answer, ready to be sent; `asking` is what it answers, if it is about details.

    Without `has_length` it comes in chunks.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    asking: Asking | None = None
    has_length: bool = True


@dataclass(eq=False)
class ApiError(Exception):
    """An error as the appliance words it."""

    status: int
    type: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def answer(self) -> Answer:
        """`{"error": {"type", "message", "details"}}` with the error's status."""
        error = {"type": self.type, "message": self.message, "details": self.details}
        return Answer(orjson.dumps({"error": error}), self.status, headers=self.headers)


def as_json(value: Any, asking: Asking | None = None) -> Answer:
    """A value as a JSON answer."""
    return Answer(orjson.dumps(value), asking=asking)


def html(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """The page that a proxy before the appliance shows."""
    title = {200: "Please sign in", 502: "502 Bad Gateway", 503: "503 Service Unavailable"}[status]
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(page.encode(), status, HTML_TYPE, headers)


def invalid_value(name: str, value: object) -> ApiError:
    """400: a parameter's value does not parse."""
    return ApiError(400, "InvalidQueryValue", "The query is invalid.", {"parameter": name, "value": str(value)})


def not_found(path: str) -> ApiError:
    """404."""
    return ApiError(404, "NotFound", "The requested object does not exist.", {"resource": path})


def unauthorized(path: str) -> ApiError:
    """403: the user lacks a right."""
    return ApiError(403, "Unauthorized", "You are not authorized to access this resource.", {"resource": path})


def unauthenticated(path: str) -> ApiError:
    """401: no login, or it has ended."""
    return ApiError(401, "Unauthenticated", "Authentication is required.", {"resource": path})
