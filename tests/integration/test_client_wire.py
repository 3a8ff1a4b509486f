import base64
import gzip
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from spsetl import __version__
from spsetl.appliance.client import Client
from spsetl.appliance.transport import Transport
from spsetl.errors import BadAnswerError, LoginError, RateLimitError, SettingsError, UnavailableError
from spsetl.settings.access import Access

pytestmark = pytest.mark.usefixtures("without_sleeps")

PAGE: Final = b'{"items": [], "meta": {}}'
PATH: Final = "/api/audit/sessions"
SECRET: Final = "secret"


def answer(body: bytes = PAGE, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """An answer with its length, or with another one."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


WELCOME: Final = answer(
    b"{}", "200 OK", "Set-Cookie: session_id=abc; Path=/; HttpOnly", "Set-Cookie: ticket=t=1; Secure"
)


class Wire(socketserver.ThreadingTCPServer):
    """Answers requests with given bytes, and keeps what was sent. None ends the connection after the bytes."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heads: list[str] = []
        self.connections = 0
        self.login: bytes = WELCOME
        self.answers: list[bytes | tuple[bytes, None]] = []
        self.before_answer: Callable[[], object] = lambda: None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_answer(self, head: str) -> bytes | tuple[bytes, None]:
        """What this request gets: in turn, then pages for ever."""
        with self.lock:
            self.heads.append(head)
            if head.startswith("GET /api/authentication"):
                return self.login
            return self.answers.pop(0) if self.answers else answer()


def _is_of_head(line: bytes) -> bool:
    """Whether the head goes on; it ends with an empty line, or with the connection."""
    return line not in {b"\r\n", b""}


class _Handler(socketserver.StreamRequestHandler):
    server: Wire

    def handle(self) -> None:
        """Answer the requests of one connection."""
        with self.server.lock:
            self.server.connections += 1
        while head := b"".join(takewhile(_is_of_head, iter(self.rfile.readline, None))).decode("latin-1"):
            reply = self.server.next_answer(head)
            self.server.before_answer()
            self.wfile.write(reply if isinstance(reply, bytes) else reply[0])
            if not isinstance(reply, bytes):
                return


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A server that says whatever a test wants."""
    with Wire() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connect(wire: Wire) -> Iterator[Callable[..., Client]]:
    """Makes clients of that server and closes them."""
    clients = []

    def make(password: str = SECRET, concurrency: int = 4, **access: Any) -> Client:
        whole = Access(url=wire.url, appliance="x", username="user", password=SecretStr(password), **access)
        clients.append(Client(whole, concurrency=concurrency, timeout=10))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


Connect = Callable[..., Client]


def headers_of(head: str) -> dict[str, str]:
    """The headers of a request."""
    return dict(line.split(": ", 1) for line in head.splitlines()[1:])


@pytest.mark.parametrize("password", ["Grüße", "пароль", "a:b", " x ", "密码"])
def test_password_goes_out_in_utf8(wire: Wire, connect: Connect, password: str) -> None:
    """Basic has the password in UTF-8, colons and spaces included; only the login carries it."""
    connect(password).get(PATH, kind="sessions")

    sent = headers_of(wire.heads[0])["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"user:{password}"
    assert "Authorization" not in headers_of(wire.heads[1])


def test_all_cookies_and_one_user_agent_go_out(wire: Wire, connect: Connect) -> None:
    """Every cookie of the login is sent on, and each request has the same User-Agent."""
    client = connect()
    wire.answers = [answer(PAGE, "200 OK", "Set-Cookie: session_id=other"), answer()]
    client.get(PATH, kind="sessions")
    client.get(PATH, kind="sessions")

    cookies = [headers_of(head)["Cookie"] for head in wire.heads[1:]]
    assert [set(cookie.split("; ")) for cookie in cookies] == [{"session_id=abc", "ticket=t=1"}] * 2
    assert {headers_of(head)["User-Agent"] for head in wire.heads} == {f"spsetl/{__version__}"}


def test_parameters_go_out_quoted(wire: Wire, connect: Connect) -> None:
    """A plus in a time and a filter's signs arrive as they were meant."""
    connect().get(PATH, {"start": "2026-11-01T00:00:00.000+00:00", "q": "a:(b c) AND d:e&f"}, kind="sessions")

    target = wire.heads[1].split(" ")[1]
    assert target == f"{PATH}?start=2026-11-01T00%3A00%3A00.000%2B00%3A00&q=a%3A%28b%20c%29%20AND%20d%3Ae%26f"


def test_netrc_is_not_asked(wire: Wire, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of the user's .netrc do not take the place of the configured ones."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    connect().get(PATH, kind="sessions")

    assert [headers_of(head).get("Authorization") for head in wire.heads] == ["Basic dXNlcjpzZWNyZXQ=", None]


@pytest.mark.parametrize(
    "broken",
    [
        (answer(PAGE, length=100), None),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"items\r\n', None),
        (b"HTTP/1.1 200 OK\r\n\r\n" + PAGE[:10], None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(PAGE)[:-12], None),
        answer(b"no gzip", "200 OK", "Content-Encoding: gzip"),
    ],
)
def test_half_an_answer_is_asked_for_again(wire: Wire, connect: Connect, broken: bytes | tuple[bytes, None]) -> None:
    """However an answer breaks off, it is never taken for a whole one, and is asked for again."""
    client = connect()
    client.get(PATH, kind="sessions")
    wire.answers = [broken]

    assert client.get(PATH, kind="sessions") == {"items": [], "meta": {}}
    assert client.requests_by_kind == {"login": 1, "sessions": 3}


def test_an_error_without_a_body_is_no_broken_answer(wire: Wire, connect: Connect) -> None:
    """Also where its headers speak of gzip: it is not asked for again."""
    client = connect()
    wire.answers = [answer(b"", "404 Not Found", "Content-Encoding: gzip")]

    with pytest.raises(BadAnswerError, match="404"):
        client.get(PATH, kind="sessions")

    assert client.requests_by_kind["sessions"] == 1


def test_redirect_is_not_followed(wire: Wire, connect: Connect) -> None:
    """A redirect would carry the login away: it is an error that names its host."""
    wire.answers = [answer(b"", "302 Found", "Location: https://sso.example.com/login?key")]

    with pytest.raises(BadAnswerError, match=r"redirected to sso\.example\.com "):
        connect().get(PATH, kind="sessions")

    assert len(wire.heads) == 2


def test_held_snapshot_is_told_at_once(wire: Wire, connect: Connect) -> None:
    """429 goes to the caller with the seconds to wait."""
    wire.answers = [answer(b"{}", "429 Too Many Requests", "Retry-After: 120")]

    with pytest.raises(RateLimitError) as raised:
        connect().get(PATH, kind="snapshot")

    assert raised.value.retry_after == 120
    assert len(wire.heads) == 2


@pytest.mark.parametrize(
    "welcome",
    [answer(b"<html>"), answer(b"<html>", "200 OK", "Set-Cookie: proxy=1"), answer(b"{}")],
)
def test_login_without_its_cookie_is_refused(wire: Wire, connect: Connect, welcome: bytes) -> None:
    """A page that is not the appliance's does not count as a login."""
    wire.login = welcome

    with pytest.raises(BadAnswerError, match="session_id"):
        connect().get(PATH, kind="sessions")

    assert len(wire.heads) == 1


def test_refused_login_of_a_proxy_is_not_repeated(wire: Wire, connect: Connect) -> None:
    """A proxy's 401 may count against the user as well."""
    wire.login = answer(b"<html>", "401 Unauthorized")
    client = connect()

    for _ in range(3):
        with pytest.raises(LoginError):
            client.get(PATH, kind="sessions")

    assert len(wire.heads) == 1


def test_link_to_another_host_is_not_followed(wire: Wire, connect: Connect) -> None:
    """A link that leads away is refused before anything is sent."""
    with pytest.raises(BadAnswerError):
        connect().get("https://other.example.com/api/audit/sessions", kind="sessions")

    assert wire.heads == []


def test_no_more_connections_than_allowed(wire: Wire, connect: Connect) -> None:
    """Sixteen threads share as many connections as `concurrency` says, and keep them open."""
    client = connect(concurrency=3)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: client.get(PATH, kind="sessions"), range(64)))

    assert client.requests_by_kind == {"login": 1, "sessions": 64}
    assert wire.connections <= 3


def test_failed_login_fails_all_who_waited(wire: Wire, connect: Connect) -> None:
    """Threads that wait for a login share its failure, and do not queue up for a time-out each."""
    wire.login = answer(b"", "503 Service Unavailable")
    client, barrier = connect(concurrency=8), threading.Barrier(8)

    def get(_: int) -> str:
        barrier.wait()
        with pytest.raises(UnavailableError) as raised:
            client.get(PATH, kind="sessions")
        return str(raised.value)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(get, range(8)))) == 1

    assert 14 <= client.requests_by_kind["login"] < 8 * 14


def test_loopback_goes_through_no_proxy(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http to this machine would show the password to a proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert connect().get(PATH, kind="sessions") == {"items": [], "meta": {}}


def test_environment_of_requests_is_honoured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Proxies, their exceptions and a CA bundle of the environment hold, looked up once."""
    bundle, own = tmp_path / "bundle.pem", tmp_path / "own.pem"
    for file in (bundle, own):
        file.touch()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "direct.example.com")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def settings(host: str, **access: Any) -> dict[str, Any]:
        return Transport(Access(url=f"https://{host}", appliance="x", **access), concurrency=1, timeout=1)._settings

    assert settings("sps.example.com")["proxies"]["https"] == "http://proxy.example.com:3128"
    assert not settings("direct.example.com")["proxies"]
    assert settings("sps.example.com")["verify"] == str(bundle)
    assert settings("sps.example.com", ca_file=own)["verify"] == str(own)
    assert settings("sps.example.com", verify_tls=False)["verify"] is False
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="REQUESTS_CA_BUNDLE"):
        settings("sps.example.com")
