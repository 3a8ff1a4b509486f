"""Logins and how long they live ("Authenticate to the SPS REST API")."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from spsetl.simulator.answers import Answer, ApiError, unauthenticated
from spsetl.simulator.clock import Clock
from spsetl.simulator.quirks import Quirks

AUTHENTICATION_PATH = "/api/authentication"
_BLOCK_SECONDS = 600
_METHODS = ("", "local", "ldap", "radius", "x509")


@dataclass(frozen=True)
class Credentials:
    """Who may log in, and with which login methods besides the default one."""

    username: str
    password: str
    methods: tuple[str, ...] = _METHODS


@dataclass
class _Failures:
    count: int = 0
    until: float = 0.0


@dataclass
class Logins:
    """The live logins. `renew` keeps a login alive; nobody logs out."""

    credentials: Credentials
    quirks: Quirks
    clock: Clock
    secure: bool = False
    _last_use: dict[str, float] = field(default_factory=dict)
    _failures: dict[str, _Failures] = field(default_factory=dict)

    def log_in(self, headers: Mapping[bytes, bytes], params: Mapping[str, str], certificate: str | None) -> Answer:
        """Checks Basic credentials or a client certificate and sets the cookies.

        Raises:
            ApiError: 401 AuthenticationFailure.
        """
        by_certificate = params.get("type") == "x509"
        user, password = _basic(headers.get(b"authorization", b""))
        user = certificate or "" if by_certificate else user
        self._check_block(user)
        method = params.get("login_method", "")
        right = by_certificate or secrets.compare_digest(password.encode(), self.credentials.password.encode())
        if user != self.credentials.username or not right or method not in self.credentials.methods:
            self._fail(user)
        self._failures.pop(user, None)
        return self._welcome()

    def renew(self, headers: Mapping[bytes, bytes], path: str) -> None:
        """Lets a request in whose login is alive.

        Raises:
            ApiError: 401 Unauthenticated.
        """
        token = _session_id(headers.get(b"cookie", b""))
        last_use = self._last_use.get(token)
        if last_use is None or self.clock.now() - last_use >= self.quirks.login_seconds:
            self._last_use.pop(token, None)
            raise unauthenticated(path)
        self._last_use[token] = self.clock.now()

    def is_alive(self, headers: Mapping[bytes, bytes]) -> bool:
        """True if the request comes with a live login; renews it."""
        try:
            self.renew(headers, "")
        except ApiError:
            return False
        return True

    def end_all(self) -> None:
        """Ends every login, as a restart does."""
        self._last_use.clear()

    def _welcome(self) -> Answer:
        token = secrets.token_hex(20)
        self._last_use[token] = self.clock.now()
        attributes = "; Path=/; HttpOnly" + ("; Secure" if self.secure else "")
        body = b'{"meta":{"href":"/api/authentication","parent":"/api","remaining_seconds":%d}}'
        cookies = (
            ("set-cookie", f"session_id={token}{attributes}"),
            ("set-cookie", f"ticket={secrets.token_hex(8)}{attributes}"),
        )
        return Answer(body % self.quirks.login_seconds, headers=cookies)

    def _check_block(self, user: str) -> None:
        failures = self._failures.get(user)
        if failures and failures.count >= self.quirks.failed_logins:
            if self.clock.now() < failures.until:
                raise _refused()
            del self._failures[user]

    def _fail(self, user: str) -> None:
        failures = self._failures.setdefault(user, _Failures())
        failures.count += 1
        failures.until = self.clock.now() + _BLOCK_SECONDS
        raise _refused()


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
