"""The client of one appliance: logs in, asks, repeats what is worth repeating, and counts.

One login is shared by all threads: made at the first request, and anew when it has ended (SPS REST API Reference Guide,
"Authenticate to the SPS REST API").
"""

import base64
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, BinaryIO, Final, Self, TypeVar

import orjson
import stamina

from spsetl.appliance.answers import check_status, decode_answer
from spsetl.appliance.download import Advance, Download
from spsetl.appliance.failures import LOGIN, MOST_TRIES, EndlessAnswerError, most_tries, not_json
from spsetl.appliance.limits import ANSWER, Limits
from spsetl.appliance.protocol import AUTHENTICATION_PATH
from spsetl.appliance.throttle import QuietHoursBegan, QuietPauses, Throttle
from spsetl.appliance.transport import Headers, Transport, make_headers
from spsetl.errors import LoginError, SpsetlError, UnavailableError
from spsetl.events import SILENT, Teller
from spsetl.hours import QuietHours
from spsetl.settings.access import Access

SESSION_COOKIE = "session_id"
# A login that dies takes all requests under way with it, and the next one can die before it has served any; with many
# threads, before the first of them has seen that it was accepted.
_MOST_UNACCEPTED: Final = 10


@dataclass(eq=False)
class Login:
    """One login: the headers that carry its cookies, and whether the appliance has ever accepted it."""

    headers: Headers
    accepted: bool = False


class SharedLogin:
    """Keeps the threads' common login. However many find it ended, only one makes it anew.

    A refused login is final: 20 failures block the user for 10 minutes. One that failed for want of an appliance fails
    for all who waited for it, and may be tried again.
    """

    def __init__(self, access: Access, transport: Transport) -> None:
        self._access = access
        self._transport = transport
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._failure: SpsetlError | None = None
        self._failures = 0
        self._unaccepted = 0

    def current(self) -> Login:
        """The login, made if there is none.

        Raises:
            SpsetlError: It could not be made.
        """
        login, seen = self._login, self._failures
        if login:
            return login
        with self._lock:
            if self._failure and (seen != self._failures or most_tries(self._failure, answered=True) == 1):
                raise self._failure
            if self._login is None:
                self._login = self._make()
            return self._login

    def forget(self, login: Login) -> None:
        """Do not use that login any more. Another that has taken its place stays.

        One login can end before anything was asked with it. When that happens to several in a row, it is no accident.

        Raises:
            LoginError: The appliance has accepted none of the last few: another one would fare no better.
        """
        with self._lock:
            if self._login is login:
                self._login = None
                self._unaccepted = 0 if login.accepted else self._unaccepted + 1
            if self._unaccepted >= _MOST_UNACCEPTED:
                raise LoginError(
                    "the appliance does not accept the logins that it gives; does a proxy drop or change cookies, or "
                    "is the user logged in elsewhere?"
                )

    def _make(self) -> Login:
        try:
            login = log_in(self._access, self._transport)
        except SpsetlError as error:
            self._failure, self._failures = error, self._failures + 1
            raise
        self._failure = None
        return login


def log_in(access: Access, transport: Transport) -> Login:
    """Log in once: by HTTP Basic in UTF-8, or with the client certificate of the connection.

    All cookies of the answer are kept; a cluster behind a load balancer may add its own to `session_id`.

    Raises:
        LoginError: Refused.
        SpsetlError: No answer, or not the appliance's.
    """
    params = {"type": "x509"} if access.client_cert else {}
    if access.login_method:
        params["login_method"] = access.login_method
    answer = transport.fetch(transport.address(AUTHENTICATION_PATH, params), _credentials(access), kind=LOGIN)
    check_status(answer, kind=LOGIN)
    if SESSION_COOKIE not in answer.cookies:
        # Not tried again: after twenty logins that fail, the appliance blocks the user.
        kind = f"a {LOGIN}, without the cookie {SESSION_COOKIE}"
        raise not_json(answer.status, answer.content_type, kind=kind, is_final=True)
    return Login(make_headers(Cookie="; ".join(f"{name}={value}" for name, value in answer.cookies.items())))


def _credentials(access: Access) -> Headers:
    if access.password is None:
        return make_headers()
    # requests would encode Latin-1, in which most passwords beyond ASCII come out wrong or not at all.
    pair = f"{access.username}:{access.password.get_secret_value()}".encode()
    return make_headers(Authorization=f"Basic {base64.b64encode(pair).decode()}")


_PATIENCE: Final = 600.0  # seconds, after which no further try begins
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 60.0
_JITTER: Final = 1.0
# A login that ends takes all requests under way with it, so one request can be unlucky several times in a row.
_LOGINS_PER_TRY: Final = 20
# What all failed tries of a run may cost together, for each connection: so much patience, and for each request so long.
# An appliance that fails each request for nine minutes and then answers would keep a run going for years.
_OUTAGES: Final = 6
SECONDS_A_REQUEST: Final = 1.0

T = TypeVar("T")

# stamina warns of each retry in words of its own, and through structlog on stdout; ours name the reason.
stamina.instrumentation.set_on_retry_hooks([])


def _now() -> datetime:
    return datetime.now(UTC)


class Client:
    """Asks one appliance. Thread-safe; all threads share its login and its connections.

    Args:
        access: Where the appliance is and how to log in.
        concurrency: At most so many requests are under way at the same time, and fewer while the appliance is busy or
            slow; further threads wait.
        timeout: Seconds that the appliance may stay silent.
        quiet_hours: When nothing is sent; requests wait until they end.
        on_quiet: Called with the end of quiet hours, once for all threads that wait for it.
        clock: The time now, aware, for the quiet hours.
        patience: Seconds after which what keeps failing is not tried again.
        user_agent_suffix: Who asks, for the appliance's log; the User-Agent becomes `spsetl/<version> (<suffix>)`.
        teller: Tells of requests, and of what is wrong with them.
        limits: What an answer may take, but for a download's.

    Raises:
        SettingsError: The suffix is not fit for a header.
    """

    def __init__(
        self,
        access: Access,
        *,
        concurrency: int = 8,
        timeout: float = 60,
        quiet_hours: QuietHours | None = None,
        on_quiet: Callable[[datetime], None] | None = None,
        clock: Callable[[], datetime] = _now,
        patience: float = _PATIENCE,
        user_agent_suffix: str = "",
        teller: Teller = SILENT,
        limits: Limits = ANSWER,
    ) -> None:
        self.limits = limits
        self._seconds_of_patience = patience
        self._most_lost = _OUTAGES * patience * concurrency
        self._lost = 0.0
        self._lock = Lock()
        pauses = QuietPauses(quiet_hours, on_quiet, clock) if quiet_hours else None
        self.teller = teller
        self._throttle = Throttle(concurrency, pauses=pauses, teller=teller)
        self._transport = Transport(
            access,
            concurrency=concurrency,
            timeout=timeout,
            throttle=self._throttle,
            user_agent_suffix=user_agent_suffix,
            on_request=teller.request,
            limits=limits,
        )
        self._login = SharedLogin(access, self._transport)
        self._remaining_seconds: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The login ends by itself: the guide knows no way to end it."""
        self._transport.close()

    def stop(self) -> None:
        """Send nothing more: what waits for its turn or for the end of quiet hours ends at once, with RequestsStopped.

        What is under way gets its answer. What waits for its next try finds out when that begins.
        """
        self._throttle.stop()

    @property
    def throttle_lowered(self) -> int:
        """How often fewer requests at the same time were allowed, because the appliance was busy or slow."""
        return self._throttle.lowered

    @property
    def lowest_concurrency(self) -> int:
        """To how few requests at the same time the client has gone down; `concurrency` if the appliance was calm."""
        return self._throttle.lowest

    @property
    def requests_by_kind(self) -> Counter[str]:
        """How many requests were sent by kind, logins and repeated ones included; a copy."""
        return self._transport.requests_by_kind

    @property
    def remaining_seconds(self) -> int | None:
        """Seconds after which an idle login ends, as the newest answer said (`meta.remaining_seconds`); or None."""
        return self._remaining_seconds

    @property
    def clock_ahead(self) -> float | None:
        """Seconds that the appliance's clock was ahead of ours at the newest answer; None if it did not say."""
        return self._transport.clock_ahead

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        kind: str,
        decode: Callable[[bytes], Any] = orjson.loads,
        tries: int = MOST_TRIES,
    ) -> Any:
        """Ask once, and again as long as the failure is passing; the answer's decoded JSON.

        Args:
            path: Site-relative, as protocol.py makes it, or a link of an answer (`meta.next`).
            params: Query parameters, not encoded.
            kind: What is asked for, in words for counts and messages, for example `sessions`.
            decode: Reads the answer's JSON, as `decode_answer` says.
            tries: How often at most.

        Raises:
            QueryError: The appliance does not understand a filter or a value.
            TooManyBinsError: A histogram's bins are too small.
            LoginError: The login is refused, or has ended and cannot be renewed. Not repeated.
            RightsError: The user lacks a right.
            NotFoundError: No such session or snapshot any more.
            RateLimitError: Another holds the snapshot. Not repeated here.
            UnavailableError: Busy, restarting or broken off, after all tries.
            ConnectError: No connection, after all tries; an unknown host or an untrusted certificate at once.
            BadAnswerError: No JSON, a redirect, or a link to another host.
            RequestsStopped: `stop` was called.
        """
        address = self._transport.address(path, params)
        while True:
            # Not among the tries: quiet hours outlast their patience, and the login must not be held up meanwhile.
            self._throttle.wait_while_quiet()
            with suppress(QuietHoursBegan):
                return self._patiently(kind, lambda: self._ask(address, kind, decode), tries)

    def download(
        self,
        path: str,
        params: Mapping[str, str | int] | None,
        file: BinaryIO,
        *,
        kind: str,
        limits: Limits,
        advance: Advance = lambda _received, _size: None,
    ) -> Download:
        """Fetch a file of any size piece by piece; a break is waited out, and goes on where it was if that can be.

        Args:
            path: Site-relative.
            params: Query parameters, not encoded.
            file: Open for writing, empty; holds a part after an error.
            kind: What is asked for, in words.
            limits: What all of it may take, breaks included.
            advance: Is told how many bytes have come, and of how many, if known.

        Raises:
            SpsetlError: As `get`.
        """
        address = self._transport.address(path, params)
        download = Download(file, advance, limits.size)
        end = time.monotonic() + limits.seconds
        while not download.is_whole:
            before = download.received
            self._throttle.wait_while_quiet()
            try:
                self._patiently(kind, lambda: self._read_on(address, download, kind, limits, end))
            except QuietHoursBegan:
                continue
            except EndlessAnswerError:
                raise
            except UnavailableError:
                # Hours of download outlast the patience for one request: what gets on may break off often.
                if download.received <= before:
                    raise
        return download

    def _read_on(self, address: str, download: Download, kind: str, limits: Limits, end: float) -> None:
        def read(headers: Headers) -> None:
            left = replace(limits, ends_at=end, size=limits.size - download.received)
            with self._transport.stream(address, download.headers(headers), kind=kind, limits=left) as stream:
                download.read(stream, kind=kind)

        self._with_login(read)

    def _patiently(self, kind: str, once: Callable[[], T], tries: int = MOST_TRIES) -> T:
        for attempt in stamina.retry_context(
            on=_Patience(self, kind, tries),
            attempts=MOST_TRIES,
            timeout=self._seconds_of_patience,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_JITTER,
        ):
            with attempt:
                return once()
        raise AssertionError  # stamina raises what the last try raised

    @property
    def has_answered(self) -> bool:
        """Whether anything has come from the appliance so far."""
        return self._transport.answered

    def bears_loss(self, seconds: float) -> bool:
        """Note what a failed try has cost; whether the run may bear more of them."""
        most = self._most_lost + SECONDS_A_REQUEST * self.requests_by_kind.total()
        with self._lock:
            had_left, self._lost = self._lost <= most, self._lost + seconds
            has_left = self._lost <= most
        if had_left and not has_left:
            self.teller.warn(f"failed requests have cost {self._lost:,.0f} s: from now on none is sent again")
        return has_left

    def _ask(self, address: str, kind: str, decode: Callable[[bytes], Any]) -> Any:
        """One try."""

        def ask(headers: Headers) -> Any:
            return decode_answer(self._transport.fetch(address, headers, kind=kind), kind=kind, decode=decode)

        content = self._with_login(ask)
        self._note_remaining_seconds(content)
        return content

    def _with_login(self, once: Callable[[Headers], T]) -> T:
        """One try, with a new login if the old one has ended."""
        for _ in range(_LOGINS_PER_TRY):
            login = self._login.current()
            try:
                result = once(login.headers)
            except LoginError:
                self._login.forget(login)
                continue
            login.accepted = True
            return result
        raise LoginError(
            f"the appliance ends each login at once: {_LOGINS_PER_TRY} in a row; is the user logged in elsewhere, "
            "or the time-out of its logins set too short?"
        )

    def _note_remaining_seconds(self, content: Any) -> None:
        meta = content.get("meta") if isinstance(content, dict) else None
        seconds = meta.get("remaining_seconds") if isinstance(meta, dict) else None
        if isinstance(seconds, int):
            self._remaining_seconds = seconds


class _Patience:
    """Says after a failed try whether to try again: no, yes after a usual wait, or after so many seconds."""

    def __init__(self, client: Client, kind: str, most: int) -> None:
        self._client = client
        self._kind = kind
        self._most = most
        self._tries = 0
        self._began = time.monotonic()

    def __call__(self, error: Exception) -> bool | float:
        self._tries += 1
        most = min(most_tries(error, answered=self._client.has_answered), self._most)
        if most < MOST_TRIES and self._tries >= most:
            return False
        self._client.teller.info("request failed", kind=self._kind, tries=self._tries, error=str(error))
        now = time.monotonic()
        lost, self._began = now - self._began, now
        if not self._client.bears_loss(lost):
            return False
        wait = error.retry_after if isinstance(error, UnavailableError) else None
        # All threads got the same Retry-After, and should not come back in the same instant.
        return True if wait is None else wait + random.uniform(0, _JITTER)  # noqa: S311 - no secret
