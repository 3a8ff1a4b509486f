"""Name and port: whether the appliance, or the proxy before it, can be found and takes connections."""

import socket
import time
from typing import Final

from spsetl.appliance.route import Route
from spsetl.doctor.deadline import within
from spsetl.doctor.finding import Finding

_CONNECT_SECONDS: Final = 10.0  # as the client
_UNREACHABLE: Final = 5


def check_name(route: Route, timeout: float) -> Finding:
    """Which addresses the host's name has; the proxy's where one is in force, as that looks up the other."""
    host, port = _first(route)
    try:
        entries = within(timeout, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        text = f"the name server did not say within {timeout:g} s what {host} is"
        return Finding("name", "red", text, "check the name server in /etc/resolv.conf", _UNREACHABLE)
    except (OSError, UnicodeError) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        where = "HTTPS_PROXY" if route.proxy else "SPSETL_URL"
        text = f"the name {host} is unknown{reason}"
        return Finding("name", "red", text, f"check {where} and the name server", _UNREACHABLE)
    addresses = sorted({str(entry[4][0]) for entry in entries})
    facts = {"host": host, "addresses": addresses, "proxy": route.proxy.address if route.proxy else None}
    text = f"{host} is {', '.join(addresses)}" if addresses != [host] else f"{host} is an address, nothing to look up"
    if route.proxy:
        text = f"the proxy {route.proxy.address} is in force, and looks up {route.host}: {text}"
    return Finding("name", "green", text, facts=facts)


def check_port(route: Route, timeout: float) -> Finding:
    """Whether a connection comes about, through the proxy if there is one."""
    target = f"{route.host}:{route.port}"
    way = f" through the proxy {route.proxy.address}" if route.proxy else ""
    began = time.monotonic()
    try:
        within(timeout, lambda: route.open(min(timeout, _CONNECT_SECONDS))).close()
    except OSError as error:
        return Finding("port", "red", f"{target}{way}: {_reason(error)}", _advice(route, error), _UNREACHABLE)
    milliseconds = round((time.monotonic() - began) * 1000, 1)
    text = f"{target} accepts connections{way} ({milliseconds:g} ms)"
    return Finding("port", "green", text, facts={"milliseconds": milliseconds})


def _first(route: Route) -> tuple[str, int]:
    """What the first connection goes to."""
    return (route.proxy.host, route.proxy.port) if route.proxy else (route.host, route.port)


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no connection within the time"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _advice(route: Route, error: OSError) -> str:
    if route.proxy:
        return "check HTTPS_PROXY and that the proxy lets us through, or name the host in NO_PROXY"
    if isinstance(error, ConnectionRefusedError):
        return "check the port in SPSETL_URL, and that the appliance is up"
    return "check SPSETL_URL, the network and the firewalls on the way"
