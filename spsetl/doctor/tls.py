"""TLS: whether the appliance's certificate is trusted, and for how long still; and ours, where it logs us in."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from spsetl.appliance.certificates import Certificate, read_chain, read_file
from spsetl.appliance.route import Route
from spsetl.doctor.deadline import within
from spsetl.doctor.finding import Finding

SOON: Final = 30  # days

_CHECK: Final = "TLS certificate"
_CLIENT_CHECK: Final = "client certificate"
_UNREACHABLE: Final = 5
_WRONG_SETTINGS: Final = 2
# OpenSSL's X509_V_ERR_…
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_WRONG_HOST: Final = (62, 64)
_DAY: Final = timedelta(days=1)


def check_tls(route: Route, timeout: float, now: datetime) -> Iterator[Finding]:
    """The handshake as the client makes it, and the chain that the appliance shows.

    Args:
        route: The way there.
        timeout: Seconds for each handshake.
        now: Aware.
    """
    if not route.is_secure:
        yield Finding(_CHECK, "green", "plain http, which never leaves this machine")
        return
    try:
        chain, version = within(timeout, lambda: _shake_hands(route, timeout, checked=route.ca is not None))
    except ssl.SSLCertVerificationError as error:
        yield _untrusted(route, timeout, error, now)
    except ssl.SSLError as error:
        reason = str(error.reason or "handshake failed").replace("_", " ").lower()
        advice = "check the port in SPSETL_URL" + (", and SPSETL_CLIENT_CERT" if route.client_cert else "")
        yield Finding(_CHECK, "red", f"no TLS connection ({reason})", advice, _UNREACHABLE)
    except TimeoutError:
        text = f"no TLS connection within {timeout:g} s, though the port accepts connections"
        yield Finding(_CHECK, "red", text, "try later; is it TLS that listens there?", _UNREACHABLE)
    except OSError as error:
        text = f"the connection broke off before TLS ({error.strerror or type(error).__name__})"
        yield Finding(
            _CHECK, "red", text, "check the port in SPSETL_URL; the appliance may be restarting", _UNREACHABLE
        )
    else:
        yield _judge(chain, version, now, is_checked=route.ca is not None)
    if route.client_cert is not None:
        yield _check_client(read_file(route.client_cert), now)


def _shake_hands(route: Route, timeout: float, *, checked: bool) -> tuple[Sequence[Certificate], str]:
    """The chain, and the version of TLS."""
    context = route.context(checked=checked)
    with route.open(timeout) as plain:
        plain.settimeout(timeout)
        with context.wrap_socket(plain, server_hostname=route.host) as secure:
            return read_chain(secure), secure.version() or ""


def _judge(chain: Sequence[Certificate], version: str, now: datetime, *, is_checked: bool) -> Finding:
    left = days_left(chain, now)
    facts = _facts(chain, left) | {"version": version, "checked": is_checked}
    if left is None:
        return Finding(_CHECK, "yellow", "the appliance shows no certificate", "is SPSETL_URL right?", facts=facts)
    how = "trusted" if is_checked else "not checked"
    text = f"{version}, {how}, made out by {chain[0].issuer}, {_left(left)}"
    if left < SOON:
        return Finding(_CHECK, "yellow", text, "renew the appliance's certificate before syncs stop", facts=facts)
    return Finding(_CHECK, "green", text, facts=facts)


def _untrusted(route: Route, timeout: float, error: ssl.SSLCertVerificationError, now: datetime) -> Finding:
    """Why not, looked at over a second connection that sends nothing."""
    try:
        chain, _ = within(timeout, lambda: _shake_hands(route, timeout, checked=False))
    except OSError:
        chain = ()
    left = days_left(chain[:1], now)
    text = f"not trusted: {error.verify_message.rstrip('.')}"
    if chain:
        text += f"; made out by {chain[0].issuer}, {_left(left)}"
    return Finding(_CHECK, "red", text, _remedy(error.verify_code, chain), _UNREACHABLE, facts=_facts(chain, left))


def _remedy(code: int, chain: Sequence[Certificate]) -> str:
    if code == _EXPIRED:
        return "renew the appliance's certificate; if it is new already, is SPSETL_CA_FILE the present CA?"
    if code == _NOT_YET_VALID:
        return "compare this machine's clock with the appliance's"
    if code in _WRONG_HOST:
        names = ", ".join(chain[0].names) if chain else ""
        return f"set SPSETL_URL to a name that it is made out for{': ' + names if names else ''}"
    whose = f", {chain[-1].issuer}" if chain else ""
    return f"set SPSETL_CA_FILE to the PEM file of the CA that signed it{whose}"


def _check_client(chain: Sequence[Certificate], now: datetime) -> Finding:
    left = days_left(chain, now)
    text = f"{chain[0].subject}, made out by {chain[0].issuer}, {_left(left)}"
    advice = "put a new certificate with its key into the file that SPSETL_CLIENT_CERT names"
    facts = _facts(chain, left)
    if left is not None and left < 0:
        return Finding(_CLIENT_CHECK, "red", text, advice, _WRONG_SETTINGS, facts=facts)
    if left is not None and left < SOON:
        return Finding(_CLIENT_CHECK, "yellow", text, advice, facts=facts)
    return Finding(_CLIENT_CHECK, "green", text, facts=facts)


def days_left(chain: Sequence[Certificate], now: datetime) -> int | None:
    """Whole days until the first of them ends, negative when one has; None without certificates."""
    return (min(one.until for one in chain) - now) // _DAY if chain else None


def _left(days: int | None) -> str:
    if days is None:
        return "end unknown"
    return f"expired {-days - 1} days ago" if days < 0 else f"{days} days left"


def _facts(chain: Sequence[Certificate], left: int | None) -> dict[str, Any]:
    certificates = [{"subject": one.subject, "issuer": one.issuer, "until": one.until.isoformat()} for one in chain]
    return {"days_left": left, "chain": certificates}
