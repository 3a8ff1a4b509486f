"""Logins and how long they live ("Authenticate to the SPS REST API")."""

import base64
import binascii
import secrets

from spsetl.simulator.messages import AUTHENTICATION_PATH, Answer, ApiError, Request, unauthenticated
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.times import Clock

_BLOCK_SECONDS = 600
_METHODS = ("", "local", "ldap", "radius", "x509")


class Logins:
    """The live logins of the one user. Every request keeps its login alive; nobody logs out."""

    def __init__(self, username: str, password: str, quirks: Quirks, clock: Clock, *, secure: bool) -> None:
        self._username, self._password = username, password
        self._quirks, self._clock, self._secure = quirks, clock, secure
        self._last_use: dict[str, float] = {}
        # By user: how many logins have failed, and when the last one did.
        self._failures: dict[str, tuple[int, float]] = {}

    def log_in(self, request: Request) -> Answer:
        """Checks Basic credentials or a client certificate and sets the cookies; 401 AuthenticationFailure."""
        by_certificate = request.params.get("type") == "x509"
        user, password = _basic(request.headers.get(b"authorization", b""))
        user = request.certificate or "" if by_certificate else user
        count, last = self._failures.get(user, (0, 0.0))
        if count >= self._quirks.failed_logins:
            if self._clock.now() < last + _BLOCK_SECONDS:
                raise _refused()
            count = 0
        proved = by_certificate or secrets.compare_digest(password.encode(), self._password.encode())
        if user != self._username or not proved or request.params.get("login_method", "") not in _METHODS:
            self._failures[user] = count + 1, self._clock.now()
            raise _refused()
        self._failures.pop(user, None)
        return self._welcome()

    def renew(self, request: Request) -> None:
        """Lets a request in whose login is alive; else 401 Unauthenticated."""
        if not self.is_alive(request):
            raise unauthenticated(request.path)

    def is_alive(self, request: Request) -> bool:
        """True if the request comes with a live login; renews it."""
        token = _session_id(request.headers.get(b"cookie", b""))
        last_use = self._last_use.get(token)
        if last_use is None or self._clock.now() - last_use >= self._quirks.login_seconds:
            self._last_use.pop(token, None)
            return False
        self._last_use[token] = self._clock.now()
        return True

    def end_all(self) -> None:
        """Ends every login, as a restart does."""
        self._last_use.clear()

    def _welcome(self) -> Answer:
        token = secrets.token_hex(20)
        self._last_use[token] = self._clock.now()
        attributes = "; Path=/; HttpOnly" + ("; Secure" if self._secure else "")
        body = b'{"meta":{"href":"/api/authentication","parent":"/api","remaining_seconds":%d}}'
        cookies = (
            ("set-cookie", f"session_id={token}{attributes}"),
            ("set-cookie", f"ticket={secrets.token_hex(8)}{attributes}"),
        )
        return Answer(body % self._quirks.login_seconds, headers=cookies)


def _refused() -> ApiError:
    return ApiError(401, "AuthenticationFailure", "Authentication failed.", {"resource": AUTHENTICATION_PATH})


def _basic(header: bytes) -> tuple[str, str]:
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    user, _, password = text.partition(":")
    return user, password


def _session_id(header: bytes) -> str:
    for part in header.split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == b"session_id":
            return value.decode("latin-1")
    return ""
