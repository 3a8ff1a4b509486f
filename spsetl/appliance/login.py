"""The one login that all threads share: made at the first request, and made anew when it has ended.

Source: SPS REST API Reference Guide, "Authenticate to the SPS REST API".
"""

import base64
import threading
from dataclasses import dataclass
from typing import Final

from spsetl.appliance.answers import check_status
from spsetl.appliance.failures import LOGIN, most_tries, not_json
from spsetl.appliance.protocol import AUTHENTICATION_PATH
from spsetl.appliance.transport import Headers, Transport, make_headers
from spsetl.errors import LoginError, SpsetlError
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
