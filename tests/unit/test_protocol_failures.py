import socket
import ssl
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
import urllib3

from spsetl.appliance.answers import Answer, decode_answer
from spsetl.appliance.failures import (
    HopelessConnectError,
    UnknownHostError,
    decode_error,
    decode_retry_after,
    describe_trouble,
    most_tries,
)
from spsetl.errors import (
    ApplianceError,
    BadAnswerError,
    ConnectError,
    LoginError,
    NotFoundError,
    QueryError,
    RateLimitError,
    RightsError,
    SpsetlError,
    TooManyBinsError,
    UnavailableError,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JSON = "application/json"
HTML = b"<html><body>svc-key-of-a-session</body></html>"
SECRET = "svc-key-of-a-session"


def error_body(error_type: str, message: str = SECRET) -> bytes:
    """An error as the appliance writes it."""
    return orjson.dumps({"error": {"type": error_type, "message": message, "details": {"resource": SECRET}}})


# Statuses


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        (400, "TooMuchBucketsInResult", TooManyBinsError),
        (401, "Unauthenticated", LoginError),
        (403, "Unauthorized", RightsError),
        (404, "NotFound", NotFoundError),
        (404, "ResourceNotFound", NotFoundError),
        (429, "TooManyRequests", RateLimitError),
        (500, "SearchUnavailable", UnavailableError),
        (502, "BadGateway", UnavailableError),
        (503, "Busy", UnavailableError),
        (504, "Timeout", UnavailableError),
        (500, "InternalError", ApplianceError),
        (418, "Teapot", ApplianceError),
        (500, "Unauthorized", RightsError),
    ],
)
def test_error_of_the_appliance_is_named(status: int, error_type: str, expected: type[SpsetlError]) -> None:
    """The type decides first and the status second; the message names the type and nothing else of the body."""
    error = decode_error(status, JSON, error_body(error_type), kind="sessions")

    assert type(error) is expected
    assert error_type in str(error)
    assert str(status) in str(error)
    assert SECRET not in str(error)


@pytest.mark.parametrize("error_type", ["InvalidQuery", "InvalidQueryValue", "NotSupportedContentOption"])
def test_message_about_the_query_is_shown(error_type: str) -> None:
    """What the appliance says about the user's own query is passed on, in one printable line."""
    error = decode_error(400, JSON, error_body(error_type, "cannot parse\n\x1b[31m'a:'" + "x" * 999), kind="sessions")

    assert type(error) is QueryError
    assert "cannot parse [31m'a:'xxx" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 500


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 500])
@pytest.mark.parametrize("body", [HTML, b"", b'{"message": "no route"}', b'{"error": "x"}', b"[]", b"\xff"])
def test_error_of_a_proxy_is_not_taken_for_the_appliances(status: int, body: bytes) -> None:
    """Without the appliance's own error a 404 is no vanished session, and a 403 no missing right."""
    error = decode_error(status, "text/html; charset=utf-8", body, kind="sessions")

    assert type(error) is BadAnswerError
    assert "text/html" in str(error)
    assert "proxy" in str(error)
    assert SECRET not in str(error)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_busy_proxy_is_worth_a_retry(status: int) -> None:
    """A proxy before a restarting appliance speaks HTML; the status counts."""
    error = decode_error(status, "text/html", HTML, kind="sessions", retry_after=7)

    assert isinstance(error, UnavailableError)
    assert error.retry_after == 7
    assert most_tries(error, answered=False) > 1


def test_rate_limit_keeps_its_wait_and_is_not_repeated() -> None:
    """429 goes to the caller at once, with the seconds to wait."""
    error = decode_error(429, "text/html", b"", kind="snapshot", retry_after=30)

    assert isinstance(error, RateLimitError)
    assert error.retry_after == 30
    assert most_tries(error, answered=True) == 1


@pytest.mark.parametrize(("status", "body"), [(401, error_body("AuthenticationFailure")), (401, HTML), (400, HTML)])
def test_refused_login_is_final(status: int, body: bytes) -> None:
    """A refused login is never repeated, whoever refused it, and the message says what to check."""
    error = decode_error(status, JSON, body, kind="login")

    assert type(error) is LoginError
    assert "SPSETL_LOGIN_METHOD" in str(error)
    assert most_tries(error, answered=True) == 1


def test_missing_right_is_named() -> None:
    """The message names the privilege that an administrator has to grant."""
    message = str(decode_error(403, JSON, error_body("Unauthorized"), kind="sessions"))

    assert '"Search"' in message
    assert '"Search > Access all sessions"' in message


def test_type_that_is_no_name_is_ignored() -> None:
    """Content that comes in place of the type does not get into the message."""
    error = decode_error(404, JSON, error_body(f"<b>{SECRET}"), kind="sessions")

    assert type(error) is BadAnswerError
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("86400", 300),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 02 Nov 2026 12:00:00 GMT", 300),
        ("Sun, 01 Nov 2026 12:00:30 -0000", 30),
    ],
)
def test_retry_after_is_read_and_capped(text: str | None, seconds: float | None) -> None:
    """Seconds or a date, never in the past and at most five minutes; what cannot be read is nothing."""
    assert decode_retry_after(text, now=NOW) == seconds


@pytest.mark.parametrize(
    ("error", "at_first", "later"),
    [
        (UnavailableError("busy"), True, True),
        (ConnectError("refused"), True, True),
        (UnknownHostError("name"), False, True),
        (HopelessConnectError("tls"), False, False),
        (RateLimitError("429"), False, False),
        (LoginError("no"), False, False),
        (BadAnswerError("html"), False, False),
        (NotFoundError("gone"), False, False),
        (ValueError("defect"), False, False),
    ],
)
def test_only_passing_failures_are_repeated(error: Exception, at_first: bool, later: bool) -> None:
    """A wrong name is not tried again at first, a name server may fail later; a wrong certificate stays wrong."""
    assert (most_tries(error, answered=False) > 1) is at_first
    assert (most_tries(error, answered=True) > 1) is later


# Answers


def answer(body: bytes, *, status: int = 200, cut_unseen: bool = False, **headers: str) -> Answer:
    """An answer of JSON, or what calls itself so."""
    return Answer(status, JSON, body, headers, {}, cut_unseen)


DEEP = b"[" * 100_000 + b"]" * 100_000
CUT: Any = "[" * 99_903 + "]" * 99_903
for _ in range(97):
    CUT = [CUT]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'"\\udc80"', "\\udc80"),
        (b'["ok", "\\ud800x", {"\\udfff": 1}]', ["ok", "\\ud800x", {"\\udfff": 1}]),
        (b'"a\xffb"', "a\\udcffb"),
        (b'"a\x01b"', "a\x01b"),
        ('"Grüße\xff"'.encode("latin-1"), "Gr\\udcfc\\udcdfe\\udcff"),
        (b'[NaN, -Infinity, "\xff"]', ["NaN", "-Infinity", "\\udcff"]),
        (b"[1e400, " + b"9" * 5_000 + b"]", ["1e400", "9" * 5_000]),
        (b'[1, {"a": "\\"[", "b": ' + DEEP + b"}, 2]", [1, {"a": '"[', "b": CUT}, 2]),
    ],
)
def test_strange_json_is_read(body: bytes, value: Any) -> None:
    """Broken text in one session does not hide its page: what no encoder takes is spelled out."""
    decoded = decode_answer(answer(body), kind="sessions")

    assert decoded == value
    assert orjson.loads(orjson.dumps(decoded)) == value


@pytest.mark.parametrize("body", [b"", HTML, b'{"items": [', b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """A page, nothing at all or half of something is no answer, and nothing of it is shown."""
    with pytest.raises(BadAnswerError) as refused:
        decode_answer(answer(body), kind="sessions")

    assert SECRET not in str(refused.value)


def test_json_that_ends_in_the_middle_is_worth_a_retry() -> None:
    """Where no length was announced, an end in the middle is a connection that broke."""
    for body in (b'{"items": [', b""):
        with pytest.raises(UnavailableError):
            decode_answer(answer(body, cut_unseen=True), kind="sessions")
    with pytest.raises(BadAnswerError):
        decode_answer(answer(HTML, cut_unseen=True), kind="sessions")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://sso.example.com/login?next=svc-key-of-a-session", " to sso.example.com "),
        (f"https://{SECRET}@sso.example.com/", " to sso.example.com "),
        ("/login", "redirected ("),
        ("https://[", "redirected ("),
    ],
)
def test_redirect_is_refused(location: str, shown: str) -> None:
    """A redirect is not followed; the message says where it led, by host only."""
    with pytest.raises(BadAnswerError) as refused:
        decode_answer(answer(b"", status=302, Location=location), kind="sessions")

    assert shown in str(refused.value)
    assert SECRET not in str(refused.value)


# Connections


def wrapped(cause: BaseException, outer: type[Exception] = requests.exceptions.ConnectionError) -> Exception:
    """The cause as requests passes it on: as the reason of an argument, with a path in the words."""
    pool = urllib3.HTTPSConnectionPool("sps.example.com")
    reason = urllib3.exceptions.NewConnectionError(pool, SECRET)
    reason.__cause__ = cause
    return outer(urllib3.exceptions.MaxRetryError(pool, f"/api/audit/sessions/{SECRET}", reason))


def untrusted(reason: str) -> ssl.SSLCertVerificationError:
    """What OpenSSL says of a certificate."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = reason
    return error


@pytest.mark.parametrize(
    ("error", "expected", "advice"),
    [
        (wrapped(socket.gaierror(-2, "Name or service not known")), UnknownHostError, "SPSETL_URL"),
        (wrapped(ConnectionRefusedError(111, "refused")), ConnectError, "port"),
        (wrapped(OSError(113, "No route to host")), ConnectError, "No route to host"),
        (wrapped(untrusted("self-signed certificate")), HopelessConnectError, "SPSETL_CA_FILE"),
        (wrapped(ssl.SSLError(1, "wrong version")), HopelessConnectError, "port"),
        (wrapped(ssl.SSLEOFError(8, "EOF")), UnavailableError, "restarting"),
        (wrapped(ConnectionResetError(104, "reset")), UnavailableError, "restarting"),
        (wrapped(OSError(), requests.exceptions.ProxyError), ConnectError, "NO_PROXY"),
        (wrapped(TimeoutError(), requests.exceptions.ConnectTimeout), ConnectError, "10 s"),
        (requests.exceptions.ReadTimeout("x"), UnavailableError, "SPSETL_TIMEOUT"),
        (requests.exceptions.ChunkedEncodingError(urllib3.exceptions.IncompleteRead(1, 2)), UnavailableError, "broke"),
        (requests.exceptions.ContentDecodingError(urllib3.exceptions.DecodeError(SECRET)), UnavailableError, "broke"),
    ],
)
def test_trouble_says_what_to_do(error: Exception, expected: type[SpsetlError], advice: str) -> None:
    """Each trouble of the network has its own line with the host and the next step, and no path."""
    described = describe_trouble(error, host="sps.example.com", timeout=(10, 60))

    assert type(described) is expected
    assert "sps.example.com" in str(described)
    assert advice in str(described)
    assert SECRET not in str(described)
    assert "\n" not in str(described)
