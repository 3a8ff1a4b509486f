"""The way to an appliance as the client goes it: the proxy in force, and the CAs that are trusted; no request yet."""

import base64
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from urllib3.util.ssl_ import create_urllib3_context

from spsetl.appliance.transport import connection_settings
from spsetl.settings.access import Access

_PORTS: Final = {"http": 80, "https": 443}
_PROXY_PORT: Final = 8080


@dataclass(frozen=True)
class Proxy:
    """A proxy by the environment. `authorization` is the value of its header, where it wants a login."""

    scheme: str
    host: str
    port: int
    authorization: str | None

    @property
    def address(self) -> str:
        """As it may be shown."""
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True)
class Route:
    """How connections to an appliance are made.

    Attributes:
        host: The appliance's, without brackets.
        port: Its port.
        is_secure: Whether TLS is spoken.
        proxy: What connections go through, or None.
        ca: File or folder of the CAs that are trusted; None if certificates are not checked.
        client_cert: The certificate that we show, with its key.
    """

    host: str
    port: int
    is_secure: bool
    proxy: Proxy | None
    ca: Path | None
    client_cert: Path | None

    def context(self, *, checked: bool) -> ssl.SSLContext:
        """TLS as the client speaks it, or without checking the appliance's certificate, to look at that."""
        context = create_urllib3_context()
        context.check_hostname = checked
        context.verify_mode = ssl.CERT_REQUIRED if checked else ssl.CERT_NONE
        if checked and self.ca is not None:
            is_folder = self.ca.is_dir()
            context.load_verify_locations(**{"capath" if is_folder else "cafile": str(self.ca)})
        if self.client_cert is not None:
            context.load_cert_chain(self.client_cert)
        return context

    def open(self, timeout: float) -> socket.socket:
        """A connection to the appliance, through the proxy if there is one, before TLS.

        Raises:
            OSError: There is none; also if the proxy refuses it.
        """
        if self.proxy is None:
            return socket.create_connection((self.host, self.port), timeout)
        connection = HTTPConnection(self.proxy.host, self.proxy.port, timeout=timeout)
        authorization = self.proxy.authorization
        connection.set_tunnel(self.host, self.port, {"Proxy-Authorization": authorization} if authorization else None)
        connection.connect()
        tunnel: socket.socket = connection.sock
        return tunnel


def find_route(access: Access) -> Route:
    """The way to an appliance, with the proxy and the CAs that the environment names.

    Raises:
        SettingsError: The environment names a file of CAs that is not there.
    """
    parts = urlsplit(access.url)
    settings = connection_settings(access)
    proxy = select_proxy(access.url, settings["proxies"])
    verify = settings["verify"]
    ca = Path(DEFAULT_CA_BUNDLE_PATH) if verify is True else Path(verify) if verify else None
    return Route(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        is_secure=parts.scheme == "https",
        proxy=_read_proxy(proxy) if proxy else None,
        ca=ca,
        client_cert=access.client_cert,
    )


def _read_proxy(url: str) -> Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    login = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, _PROXY_PORT), login)
