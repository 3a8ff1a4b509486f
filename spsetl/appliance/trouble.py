"""What requests and urllib3 raise, as an error that says what to do next. Their own words name paths: none are used."""

import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException
from typing import Final

import requests
import urllib3

from spsetl.appliance.failures import EndlessAnswerError, HopelessConnectError, UnknownHostError
from spsetl.appliance.limits import TooLarge, TooSlow
from spsetl.errors import BadAnswerError, ConnectError, SpsetlError, UnavailableError

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
        return HopelessConnectError(
            f"the certificate of {host} is not trusted ({untrusted.verify_message.rstrip('.')}); "
            f"{_REMEDIES.get(untrusted.verify_code, _UNKNOWN_CA)}"
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
