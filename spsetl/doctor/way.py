"""The way to the appliance: one request of the client's that needs no login tells whether name, port and TLS are right.

What fails is told in the client's own words. Beside it stands what only a look at the certificates shows.
"""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any, Final, TypeVar

from spsetl.appliance.certificates import Certificate, check_connection, read_file, shake_hands
from spsetl.appliance.failures import HopelessConnectError, UnknownHostError
from spsetl.appliance.route import Route, find_route
from spsetl.doctor.finding import Finding, green, red, yellow_if
from spsetl.errors import ConnectError, SettingsError, SpsetlError, UnavailableError
from spsetl.settings.access import Access

SOON: Final = 30  # days
_TLS: Final = "TLS certificate"
_OWN: Final = "client certificate"
_DAY: Final = timedelta(days=1)

T = TypeVar("T")


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` gives, in a thread that is left behind when the time is over: a name server knows no time-out.

    Raises:
        TimeoutError: The time is over.
        Exception: What `ask` raises.
    """
    future: Future[T] = Future()
    context = copy_context()

    def answer() -> None:
        try:
            future.set_result(context.run(ask))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(error)

    Thread(target=answer, name="doctor", daemon=True).start()
    return future.result(seconds)


def check_way(access: Access, timeout: float, now: datetime) -> Iterator[Finding]:
    """Name, port, TLS, and the certificate that logs us in; nothing behind what is red.

    Args:
        access: The appliance.
        timeout: Seconds for each step.
        now: Aware.
    """
    try:
        route = find_route(access)
    except SettingsError as error:
        yield red("settings", error)
        return
    began = time.monotonic()
    failure = _connect(access, timeout)
    milliseconds = round((time.monotonic() - began) * 1000, 1)
    if isinstance(failure, UnknownHostError):
        yield red("name", failure)
        return
    yield _resolve(route)
    if isinstance(failure, ConnectError) and not isinstance(failure, HopelessConnectError):
        yield red("port", failure)
        return
    through = f" through the proxy {route.proxy.address}" if route.proxy else ""
    yield green("port", f"{route.host}:{route.port} accepts connections{through}", milliseconds=milliseconds)
    yield _check_tls(access, route, failure, timeout, now)
    if access.client_cert is not None:
        yield _check_own(read_file(access.client_cert), now)


def _connect(access: Access, timeout: float) -> SpsetlError | None:
    """Why there is no answer; None if there is one."""
    seconds = 2 * timeout  # the client's own ends come sooner, but a name server has none
    try:
        within(seconds, lambda: check_connection(access, timeout))
    except TimeoutError:
        text = f"{access.host} was not found and asked within {seconds:g} s"
        return UnknownHostError(f"{text}; check the name server in /etc/resolv.conf")
    except SpsetlError as error:
        return error
    return None


def _resolve(route: Route) -> Finding:
    if route.proxy:
        text = f"the proxy {route.proxy.address} is in force, and looks up {route.host}"
        return green("name", text, host=route.proxy.host, addresses=[], proxy=route.proxy.address)
    addresses: list[str] = []
    with suppress(OSError):  # the client has found it, so that it passes
        entries = socket.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
        addresses = sorted({str(entry[4][0]) for entry in entries})
    is_name = addresses != [route.host]
    text = f"{route.host} is {', '.join(addresses) or 'known' if is_name else 'an address, nothing to look up'}"
    return green("name", text, host=route.host, addresses=addresses, proxy=None)


def _check_tls(access: Access, route: Route, failure: SpsetlError | None, timeout: float, now: datetime) -> Finding:
    if not route.is_secure:
        return green(_TLS, "plain http, which never leaves this machine")
    is_checked = route.ca is not None
    try:
        chain, version = within(timeout, lambda: shake_hands(access, timeout))
    except TimeoutError:
        return red(_TLS, failure or UnavailableError(f"{access.host} was silent for {timeout:g} s; try later"))
    except SpsetlError as error:
        return red(_TLS, failure or error)
    facts = _facts(chain, now) | {"version": version, "checked": is_checked}
    shown = _describe(chain, now)
    if isinstance(failure, HopelessConnectError):
        finding = red(_TLS, failure, **facts)
        return replace(finding, found=f"{finding.found}; shown is {shown}")
    text = f"{version}, {'trusted' if is_checked else 'not checked'}, {shown}"
    advice = "renew the appliance's certificate before syncs stop"
    return yellow_if(facts["days_left"] < SOON, _TLS, text, advice, **facts)


def _check_own(chain: Sequence[Certificate], now: datetime) -> Finding:
    facts, text = _facts(chain, now), f"{chain[0].subject}, {_describe(chain, now)}"
    advice = "put a new certificate with its key into the file that SPSETL_CLIENT_CERT names"
    if facts["days_left"] < 0:
        return red(_OWN, SettingsError(f"{text}; {advice}"), **facts)
    return yellow_if(facts["days_left"] < SOON, _OWN, text, advice, **facts)


def _facts(chain: Sequence[Certificate], now: datetime) -> dict[str, Any]:
    """`days_left` are those until the first of them ends, negative when one has."""
    certificates = [{"subject": one.subject, "issuer": one.issuer, "until": one.until.isoformat()} for one in chain]
    return {"days_left": (min(one.until for one in chain) - now) // _DAY, "chain": certificates}


def _describe(chain: Sequence[Certificate], now: datetime) -> str:
    days = _facts(chain, now)["days_left"]
    end = f"expired {-days - 1} days ago" if days < 0 else f"{days} days left"
    names = f"for {', '.join(chain[0].names)} " if chain[0].names else ""
    return f"made out {names}by {chain[0].issuer}, {end}"
