"""One HTTP request at a time, over pooled connections and past the throttle; with trouble.py the only user of requests.

The adapter is used without a `requests.Session` around it: it holds the pool, which is thread-safe and shared by all
threads; what a session would add for each request (a cookie jar, netrc, redirects, merging the environment) is either
not wanted here or done once.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from spsetl import __version__
from spsetl.appliance.answers import Answer
from spsetl.appliance.failures import decode_error, describe_trouble
from spsetl.appliance.limits import ALLOWED, ANSWER, LimitedAdapter, Limits, check_values, unpack
from spsetl.appliance.protocol import local_path, seconds_ahead
from spsetl.appliance.throttle import Outcome, Throttle
from spsetl.errors import SettingsError, UnavailableError
from spsetl.settings.access import Access, is_loopback

_CONNECT_TIMEOUT: Final = 10.0  # seconds; a host that is there accepts sooner
_PIECE: Final = 2**18  # bytes

USER_AGENT: Final = f"spsetl/{__version__}"

Headers = CaseInsensitiveDict[str]
# Is told of each request: its kind, the answer's status or None where none came, and how many seconds it took.
OnRequest = Callable[[str, int | None, float], None] | None


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still on its way, and comes in pieces. Reading raises as `Transport.fetch` does."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    cut_unseen: bool


def make_headers(**own: str) -> Headers:
    """The headers of a request but the User-Agent, which is the transport's; made once for many."""
    fixed = {"Accept": "application/json", "Accept-Encoding": "gzip"}
    return CaseInsensitiveDict(fixed | own)


class Transport:
    """Sends requests to one appliance; thread-safe.

    Args:
        access: Where the appliance is.
        concurrency: At most so many requests are under way at the same time.
        timeout: Seconds that the appliance may stay silent.
        throttle: What requests wait for; None for one that starts at `concurrency` and may lower that. Its `most` is
            `concurrency`: there are no more connections.
        user_agent_suffix: Put in parentheses behind the name in the User-Agent, if not empty.
        on_request: Called after each request, if not None.
        limits: What an answer of `fetch` may take.

    Raises:
        SettingsError: The suffix is not fit for a header.
    """

    def __init__(
        self,
        access: Access,
        *,
        concurrency: int,
        timeout: float,
        throttle: Throttle | None = None,
        user_agent_suffix: str = "",
        on_request: OnRequest = None,
        limits: Limits = ANSWER,
    ) -> None:
        self._on_request = on_request
        self._limits = limits
        self._throttle = throttle or Throttle(concurrency)
        # Fixed: the appliance gives the same snapshot again to the same user, address and User-Agent.
        self._user_agent = _user_agent(user_agent_suffix)
        self._url = access.url
        self._host = access.host
        self._adapter = LimitedAdapter(pool_connections=1, pool_maxsize=concurrency, pool_block=True)
        self._settings = connection_settings(access)
        self._timeout = (min(_CONNECT_TIMEOUT, timeout), timeout)
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self.answered = False
        self._dated: tuple[str, float] | None = None

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

    @property
    def clock_ahead(self) -> float | None:
        """Seconds that the appliance's clock was ahead of ours at the newest answer; None if it did not say."""
        return seconds_ahead(*self._dated) if self._dated else None

    def address(self, path: str, params: Mapping[str, str | int] | None) -> str:
        """The whole URL of a request.

        Raises:
            BadAnswerError: The path is a link to another host.
        """
        query = f"?{urlencode(params, quote_via=quote, safe='')}" if params else ""
        return f"{self._url}{local_path(path, self._url)}{query}"

    def fetch(self, address: str, headers: Headers, *, kind: str) -> Answer:
        """One GET request, without retries and redirects, when its turn has come.

        Raises:
            ConnectError: No connection.
            UnavailableError: The connection broke, nothing came for `timeout` seconds, or no end within the limits'.
            BadAnswerError: It is larger than the limits allow.
            RequestsStopped: The throttle was stopped; nothing was sent.
            QuietHoursBegan: Nothing may be sent now; nothing was.
        """
        with self._throttle.turn(kind) as turn:
            with self._lock:
                self._sent[kind] += 1
            began = time.perf_counter()
            try:
                answer = self._exchange(address, headers)
            except (OSError, urllib3.exceptions.HTTPError, HTTPException) as error:  # requests' own errors are OSErrors
                turn.outcome = Outcome.BUSY
                self._tell(kind, None, began)
                raise describe_trouble(error, host=self._host, timeout=self._timeout) from None
            self._tell(kind, answer.status, began)
            turn.outcome = _outcome(answer, kind)
        self.answered = True
        if date := answer.headers.get("Date"):
            self._dated = (date, time.time())
        return answer

    def _tell(self, kind: str, status: int | None, began: float) -> None:
        if self._on_request is not None:
            self._on_request(kind, status, time.perf_counter() - began)

    @contextmanager
    def stream(self, address: str, headers: Headers, *, kind: str, limits: Limits) -> Iterator[Stream]:
        """One GET request as `fetch`, but with limits of its own; its body is read piece by piece within the block.

        Raises:
            SpsetlError: As `fetch`; also while the pieces are read.
        """
        with self._throttle.turn(kind) as turn:
            with self._lock:
                self._sent[kind] += 1
            try:
                response = self._send(address, headers, limits)
            except (OSError, urllib3.exceptions.HTTPError, HTTPException) as error:
                turn.outcome = Outcome.BUSY
                raise describe_trouble(error, host=self._host, timeout=self._timeout) from None
            self.answered = True
            try:
                yield Stream(
                    status=response.status_code,
                    content_type=response.headers.get("Content-Type", ""),
                    headers=response.headers,
                    pieces=self._pieces(response),
                    cut_unseen=_is_cut_unseen(response),
                )
            finally:
                response.close()

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(_PIECE)
        except (OSError, urllib3.exceptions.HTTPError, HTTPException) as error:
            raise describe_trouble(error, host=self._host, timeout=self._timeout) from None

    def _send(self, address: str, headers: Headers, limits: Limits) -> requests.Response:
        ALLOWED.set(limits)
        request = requests.PreparedRequest()
        request.method, request.url = "GET", address
        request.headers = CaseInsensitiveDict(headers, **{"User-Agent": self._user_agent})
        return self._adapter.send(request, timeout=self._timeout, **{**self._settings, "stream": True})

    def _exchange(self, address: str, headers: Headers) -> Answer:
        response = self._send(address, headers, self._limits)
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            body=_read_body(response, self._limits),
            headers=response.headers,
            cookies={cookie.name: cookie.value or "" for cookie in response.cookies},
            cut_unseen=_is_cut_unseen(response),
        )


def _read_body(response: requests.Response, limits: Limits) -> bytes:
    """The whole body, as what it is to be decoded to fits into memory."""
    # Piece by piece: for the length that an answer claims, memory would be taken before anything has come.
    body = b"".join(iter(lambda: response.raw.read(_PIECE, decode_content=False), b""))
    if body and response.headers.get("Content-Encoding", "").lower() in {"gzip", "x-gzip"}:
        body = unpack(body, limits)  # an error may have no body, and say gzip all the same
    check_values(body, limits)
    return body


def _is_cut_unseen(response: requests.Response) -> bool:
    return not {"Content-Length", "Transfer-Encoding"} & response.headers.keys()


def _outcome(answer: Answer, kind: str) -> Outcome:
    """What an answer says of the appliance's load; by the rules that also make errors of answers."""
    if answer.status == HTTPStatus.OK:
        return Outcome.CALM
    error = decode_error(answer.status, answer.content_type, answer.body, kind=kind)
    return Outcome.BUSY if isinstance(error, UnavailableError) else Outcome.NOTHING


def _user_agent(suffix: str) -> str:
    if not suffix:
        return USER_AGENT
    if not (suffix.isascii() and suffix.isprintable()) or set(suffix) & set("()\\"):
        raise SettingsError(
            "what is added to the User-Agent must be printable ASCII, without parentheses and backslashes; shorten it "
            "to a plain name"
        )
    return f"{USER_AGENT} ({suffix})"


def connection_settings(access: Access) -> dict[str, Any]:
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
