"""One HTTP request at a time, over pooled connections; with trouble.py the only user of requests.

The adapter is used without a `requests.Session` around it: it holds the pool, which is thread-safe and shared by all
threads; what a session would add for each request (a cookie jar, netrc, redirects, merging the environment) is either
not wanted here or done once.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from spsetl import __version__
from spsetl.access import Access, is_loopback
from spsetl.appliance.protocol import local_path
from spsetl.appliance.trouble import describe_trouble
from spsetl.errors import SettingsError

_CONNECT_TIMEOUT: Final = 10.0  # seconds; a host that is there accepts sooner

# Fixed: the appliance gives the same snapshot again to the same user, address and User-Agent.
USER_AGENT: Final = f"spsetl/{__version__}"

Headers = CaseInsensitiveDict[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of whatever status. `cut_unseen` if nothing in it would have told that its end is missing."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    cut_unseen: bool


def make_headers(**own: str) -> Headers:
    """The headers of a request; made once for many."""
    fixed = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
    return CaseInsensitiveDict(fixed | own)


class Transport:
    """Sends requests to one appliance; thread-safe. At most `concurrency` are under way at the same time."""

    def __init__(self, access: Access, *, concurrency: int, timeout: float) -> None:
        self._url = access.url
        self._host = access.host
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=concurrency, pool_block=True)
        self._settings = _connection_settings(access)
        self._timeout = (min(_CONNECT_TIMEOUT, timeout), timeout)
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self.answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    @property
    def requests_by_kind(self) -> Counter[str]:
        """How many requests were sent, repeated ones included; a copy."""
        with self._lock:
            return self._sent.copy()

    def address(self, path: str, params: Mapping[str, str | int] | None) -> str:
        """The whole URL of a request.

        Raises:
            BadAnswerError: The path is a link to another host.
        """
        query = f"?{urlencode(params, quote_via=quote, safe='')}" if params else ""
        return f"{self._url}{local_path(path, self._url)}{query}"

    def fetch(self, address: str, headers: Headers, *, kind: str) -> Answer:
        """One GET request, without retries and redirects.

        Raises:
            ConnectError: No connection.
            UnavailableError: The connection broke, or nothing came for `timeout` seconds.
        """
        request = requests.PreparedRequest()
        request.method, request.url = "GET", address
        request.headers = headers
        with self._lock:
            self._sent[kind] += 1
        try:
            response = self._adapter.send(request, timeout=self._timeout, **self._settings)
            body = response.content
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' own errors are OSErrors
            raise describe_trouble(error, host=self._host, timeout=self._timeout) from None
        self.answered = True
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            body=body,
            headers=response.headers,
            cookies={cookie.name: cookie.value or "" for cookie in response.cookies},
            cut_unseen=not {"Content-Length", "Transfer-Encoding"} & response.headers.keys(),
        )


def _connection_settings(access: Access) -> dict[str, Any]:
    """Proxies, CA and client certificate, as a `requests.Session` would take them from the environment, looked up once.

    A loopback address never goes through a proxy: its plain http would show the password there.
    """
    verify: bool | str = str(access.ca_file) if access.ca_file else access.verify_tls
    cert = str(access.client_cert) if access.client_cert else None
    if not access.verify_tls:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # said once, by Settings.remarks
    with requests.Session() as session:
        settings = dict(session.merge_environment_settings(access.url, {}, False, verify, cert))
    bundle = settings["verify"]
    if isinstance(bundle, str) and not Path(bundle).exists():
        raise SettingsError("REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file; correct it, or set SPSETL_CA_FILE")
    if is_loopback(urlsplit(access.url).hostname or ""):
        settings["proxies"] = {}
    return settings
