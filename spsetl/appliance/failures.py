"""What has gone wrong, as an error that says what to do next: what an answer stands for, what the network did. No I/O.

Sources: SPS REST API Reference Guide, "Application level error codes" and "Message format" (the object `error`).
Nothing of an answer's body gets into a message but `error.type` and, where the query itself is wrong, `error.message`.
The words of requests and urllib3 name paths: none are used.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import requests
import urllib3

from spsetl.appliance.limits import TooLarge, TooSlow
from spsetl.errors import (
    ApplianceError,
    BadAnswerError,
    ConnectError,
    LoginError,
    NotFoundError,
    QueryError,
    RateLimitError,
    RightsError,
    SpsetlError,
    TooManyBinsError,
    UnavailableError,
)

LOGIN: Final = "login"  # the one kind of request that is not for data
LONGEST_WAIT: Final = 300.0  # seconds; what a Retry-After may ask for
# An appliance that restarts is away for minutes: waits of 0.5, 1, 2, … 60 s, and jitter, ten minutes in all.
MOST_TRIES: Final = 14
FEW_TRIES: Final = 3

_LONGEST_MESSAGE: Final = 300
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_BUSY: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


class UnknownHostError(ConnectError):
    """The host's name does not resolve: a wrong name at first, a failing DNS server later."""


class EndlessAnswerError(UnavailableError):
    """An answer that is not whole within its limit. Each try costs all of that time."""


class StrangeAnswerError(BadAnswerError):
    """An answer that claims to be right and is no JSON: a proxy's page, which may be gone in a minute."""


class HopelessConnectError(ConnectError):
    """No connection, and trying again will not change it: an untrusted certificate, no TLS at that port."""


def most_tries(error: Exception, *, answered: bool) -> int:
    """How often a request is sent at most that fails like this; `answered` if the appliance has ever answered."""
    if isinstance(error, RateLimitError | HopelessConnectError):
        return 1
    if isinstance(error, UnknownHostError) and not answered:
        return 1
    if isinstance(error, EndlessAnswerError | StrangeAnswerError):
        return FEW_TRIES
    if isinstance(error, UnavailableError | ConnectError):
        # Until something has answered, the address is probably wrong.
        return MOST_TRIES if answered else FEW_TRIES
    return 1


def decode_retry_after(text: str | None, *, now: datetime) -> float | None:
    """The seconds to wait, at most `LONGEST_WAIT`, from a Retry-After header: seconds or a date (RFC 9110, 10.2.3)."""
    if not text:
        return None
    if text.strip().isdecimal():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)


def decode_error(
    status: int, content_type: str, body: bytes, *, kind: str, retry_after: float | None = None
) -> SpsetlError:
    """The error that an answer other than 200 stands for: by its `error.type` first, by its status second.

    Without the appliance's own `error`, a status may be a proxy's: its 404 must not make a session look gone.

    Args:
        status: HTTP status.
        content_type: As the header has it.
        body: The answer's body.
        kind: What was asked for; `login` for the login itself.
        retry_after: Seconds that the answer asked to wait, or None.
    """
    error_type, message = _decode_body(body)
    reason = f"{status} {error_type}".rstrip()
    if kind == LOGIN and status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
        return _login_error(reason)
    describe = _BY_TYPE.get(error_type) or (_BY_STATUS.get(status) if error_type else None)
    if describe:
        return describe(kind, reason, message)
    return _status_error(status, error_type, kind, retry_after) or not_json(status, content_type, kind=kind)


def _status_error(status: int, error_type: str, kind: str, retry_after: float | None) -> SpsetlError | None:
    """The error for what a proxy may say in the appliance's stead as well."""
    reason = f"{status} {error_type}".rstrip()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitError(f"another user, program or host holds the snapshot ({reason}); wait 300 s", retry_after)
    if status in _BUSY or error_type == "SearchUnavailable":
        return UnavailableError(f"the appliance is busy or restarting ({reason}, {kind}); try later", retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        return _logged_out(kind, reason, "")
    if error_type:
        return ApplianceError(f"the appliance failed ({reason}, {kind}); look into its system log")
    return None


def _login_error(reason: str) -> LoginError:
    return LoginError(
        f"the appliance refused the login ({reason}); check the user name, the password or certificate, and "
        "SPSETL_LOGIN_METHOD before you try again: 20 failures block the user for 10 minutes"
    )


def not_json(status: int, content_type: str, *, kind: str, is_final: bool = False) -> BadAnswerError:
    """An answer that the appliance would not give; whether it is not worth another try."""
    came = re.sub(r"[^\w/.+-].*", "", content_type, flags=re.DOTALL)[:64] or "no content type"
    describe = StrangeAnswerError if status == HTTPStatus.OK and not is_final else BadAnswerError
    return describe(
        f"the answer to a request for {kind} is not the JSON it should be ({status}, {came}); a proxy may stand "
        "before the appliance: check SPSETL_URL, HTTPS_PROXY and NO_PROXY"
    )


def redirected(status: int, location: str | None, *, kind: str) -> BadAnswerError:
    """A redirect: it is never followed, since the login would go along."""
    try:
        host = urlsplit(location or "").netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    to = f" to {host}" if host and host.isprintable() else ""
    return BadAnswerError(
        f"a request for {kind} is redirected{to} ({status}); set SPSETL_URL to the appliance's own address"
    )


def _decode_body(body: bytes) -> tuple[str, str]:
    """`error.type` and `error.message`, both empty where the body is not the appliance's."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or not _TYPE.fullmatch(str(error.get("type"))):
        return "", ""
    words = "".join(letter if letter.isprintable() else " " for letter in str(error.get("message", ""))).split()
    return str(error["type"]), " ".join(words)[:_LONGEST_MESSAGE]


def _query_error(_kind: str, reason: str, message: str) -> SpsetlError:
    return QueryError(f"the appliance does not accept the query ({reason}): {message}")


def _too_many_bins(_kind: str, reason: str, _message: str) -> SpsetlError:
    return TooManyBinsError(f"too many bins for the appliance ({reason}); take a larger bin size or a shorter range")


def _rights_error(kind: str, reason: str, _message: str) -> SpsetlError:
    return RightsError(
        f'the user may not read {kind} ({reason}); an administrator must grant the "Search" privilege, '
        'with "Search > Access all sessions", or only a part of the sessions is seen'
    )


def _not_found(kind: str, reason: str, _message: str) -> SpsetlError:
    return NotFoundError(f"the appliance no longer has what was asked for, or never had it ({reason}, {kind})")


def _logged_out(kind: str, reason: str, _message: str) -> SpsetlError:
    return LoginError(f"the appliance does not accept the login it gave ({reason}, {kind}); does a proxy drop cookies?")


_BY_TYPE: Final[dict[str, Callable[[str, str, str], SpsetlError]]] = {
    "InvalidQuery": _query_error,
    "InvalidQueryValue": _query_error,
    "TooMuchBucketsInResult": _too_many_bins,
    "Unauthenticated": _logged_out,
    "AuthenticationFailure": _logged_out,
    "Unauthorized": _rights_error,
    "NotFound": _not_found,
}
_BY_STATUS: Final[dict[int, Callable[[str, str, str], SpsetlError]]] = {
    HTTPStatus.BAD_REQUEST: _query_error,
    HTTPStatus.UNAUTHORIZED: _logged_out,
    HTTPStatus.FORBIDDEN: _rights_error,
    HTTPStatus.NOT_FOUND: _not_found,
}


# The first that fits counts. Braces: the host, the time-outs for connecting and reading.
_TROUBLES: Final[tuple[tuple[tuple[type[BaseException], ...], type[SpsetlError], str], ...]] = (
    (
        (requests.exceptions.ProxyError,),
        ConnectError,
        "the proxy does not let us through to {host}; check HTTPS_PROXY, or name the host in NO_PROXY",
    ),
    (
        (socket.gaierror, urllib3.exceptions.LocationParseError),
        UnknownHostError,
        "the host name in {host} is unknown; check SPSETL_URL and the name server",
    ),
    (
        (requests.exceptions.ConnectTimeout,),
        ConnectError,
        "{host} does not answer within {connect:g} s; check SPSETL_URL, the network and firewalls",
    ),
    (
        (ConnectionRefusedError,),
        ConnectError,
        "{host} refuses connections; check the port in SPSETL_URL, and that the appliance is up",
    ),
    (
        (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError),
        UnavailableError,
        "{host} was silent for {read:g} s; try later, or raise SPSETL_TIMEOUT",
    ),
    (
        (urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError, HTTPException, ConnectionError),
        UnavailableError,
        "{host} broke off in the middle of an answer; try later, it may be restarting",
    ),
)

# What to do about a certificate, by OpenSSL's X509_V_ERR_…
_UNKNOWN_CA: Final = "set SPSETL_CA_FILE to the PEM file of the CA that signed it"
_WRONG_NAME: Final = "set SPSETL_URL to a name that it is made out for"
_REMEDIES: Final = {
    9: "compare this machine's clock with the appliance's",
    10: "renew the appliance's certificate, or correct this machine's clock",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}


def describe_trouble(error: Exception, *, host: str, timeout: tuple[float, float]) -> SpsetlError:
    """The error for a request that got no whole answer; `timeout` is what was allowed, connect and read, in seconds."""
    causes = list(_causes(error))
    if described := _describe_endless(causes, host, timeout[1]) or _describe_tls(causes, host):
        return described
    for kinds, describe, template in _TROUBLES:
        if _find(causes, *kinds):
            return describe(template.format(host=host, connect=timeout[0], read=timeout[1]))
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "no route")
    return ConnectError(f"{host} cannot be reached: {reason}; check SPSETL_URL and the network")


def _describe_endless(causes: list[BaseException], host: str, timeout: float) -> SpsetlError | None:
    endless = _find(causes, TooSlow, TooLarge)
    if endless is None:
        return None
    limits = endless.args[0]
    if isinstance(endless, TooSlow):
        # Who is in a hurry, as doctor is, waits for a whole answer no longer than for a silent one.
        setting = "TIMEOUT" if limits.seconds == timeout else f"{limits.setting}_SECONDS"
        return EndlessAnswerError(
            f"{host} gave no whole answer within {limits.seconds:g} s; try later, or raise SPSETL_{setting}"
        )
    return BadAnswerError(
        f"{host} gave an answer of more than {limits.size / 1e6:g} MB, as sent or unpacked: see whether that is the "
        f"appliance, and if so raise SPSETL_{limits.setting}_MEGABYTES"
    )


def _describe_tls(causes: list[BaseException], host: str) -> SpsetlError | None:
    untrusted = _find(causes, ssl.SSLCertVerificationError)
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        code = getattr(untrusted, "verify_code", 0)
        return HopelessConnectError(
            f"the certificate of {host} is not trusted ({untrusted.verify_message.rstrip('.')}); "
            f"{_REMEDIES.get(code, _UNKNOWN_CA)}"
        )
    if _find(causes, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return UnavailableError(f"{host} broke off the TLS connection; try later, it may be restarting")
    if failed := _find(causes, ssl.SSLError):
        reason = str(getattr(failed, "reason", None) or "handshake failed").replace("_", " ").lower()
        return HopelessConnectError(
            f"no TLS connection with {host} ({reason}); check the port in SPSETL_URL, and SPSETL_CLIENT_CERT"
        )
    return None


def _find(causes: list[BaseException], *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in causes if isinstance(cause, kinds)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was made from: as its argument, its `reason`, its cause or its context."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
