import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stamina
import trustme
from pydantic import SecretStr

from spsetl.access import Access
from spsetl.appliance.client import Client, _Patience
from spsetl.appliance.probe import Capabilities, probe
from spsetl.appliance.protocol import INFO_PATH, ListQuery, decode_details, decode_list, detail_path
from spsetl.errors import (
    BadAnswerError,
    ConnectError,
    LoginError,
    NotFoundError,
    QueryError,
    RateLimitError,
    RightsError,
    SpsetlError,
    UnavailableError,
)
from spsetl.simulator import Fault, Quirks, Simulator, World, WorldSpec

SECRET = "Pässwörd-密码"
THREADS = 16
TRIES = 14

Start = Callable[..., Simulator]
Connect = Callable[..., Client]


@pytest.fixture(autouse=True)
def _without_sleeps() -> Iterator[None]:
    """Retries come as often as outside of tests, and at once."""
    with stamina.set_testing(True, attempts=TRIES, cap=True):
        yield


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts simulated appliances of 30 sessions and ends them."""
    running: list[Simulator] = []

    def begin(*, tls: bool = False, **quirks: Any) -> Simulator:
        world = World(WorldSpec(sessions=30, days=3))
        simulator = Simulator(world, Quirks(**quirks), username="auditor", password=SECRET, tls=tls)
        simulator.start()
        running.append(simulator)
        return simulator

    yield begin
    for simulator in running:
        simulator.stop()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients of a simulated appliance and closes them."""
    clients: list[Client] = []

    def make(simulator: Simulator, *, concurrency: int = 4, timeout: float = 10, **access: Any) -> Client:
        login = {"username": "auditor", "password": SecretStr(SECRET), "ca_file": simulator.ca_file}
        whole = Access(url=simulator.url, appliance="test", **(login | access))
        clients.append(Client(whole, concurrency=concurrency, timeout=timeout))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def ask(client: Client) -> Any:
    """The first page of the list."""
    query = ListQuery()
    return decode_list(client.get(query.path, query.params, kind="sessions"))


def refusal(client: Client, expected: type[SpsetlError]) -> str:
    """The message of the error that the client raises, which is fit to be shown."""
    with pytest.raises(expected) as raised:
        ask(client)
    message = str(raised.value)
    assert type(raised.value) is expected or expected is ConnectError
    assert message.isprintable()
    assert SECRET not in message
    assert "/api/" not in message
    return message


# Login


def test_first_request_logs_in(start: Start, connect: Connect) -> None:
    """Nothing is sent before the first request; that logs in, in UTF-8, and all others share the login."""
    simulator = start()
    client = connect(simulator)
    assert simulator.requests.total() == 0

    assert ask(client).match_count == 30
    ask(client)

    assert simulator.requests == {"authentication": 1, "list": 2}
    assert client.requests_by_kind == {"login": 1, "sessions": 2}
    assert client.remaining_seconds == 1200


def test_login_method_is_sent(start: Start, connect: Connect) -> None:
    """A login method that the appliance does not have is refused, so it was sent."""
    simulator = start()

    assert ask(connect(simulator, login_method="local")).match_count == 30
    assert "SPSETL_LOGIN_METHOD" in refusal(connect(simulator, login_method="none"), LoginError)


def test_wrong_password_is_tried_once(start: Start, connect: Connect) -> None:
    """However many threads ask, a refused login is sent once: 20 failures block the user."""
    simulator = start()
    client = connect(simulator, password=SecretStr("wrong"))

    with ThreadPoolExecutor(THREADS) as pool:
        failures = list(pool.map(lambda _: refusal(client, LoginError), range(THREADS)))

    assert len(set(failures)) == 1
    assert "20 failures" in failures[0]
    assert simulator.requests == {"authentication": 1}


def test_certificate_logs_in(start: Start, connect: Connect) -> None:
    """A client certificate stands for user name and password."""
    simulator = start(tls=True)
    certificate = simulator.issue_client_certificate("auditor")
    other = simulator.issue_client_certificate("other")

    assert ask(connect(simulator, username=None, password=None, client_cert=certificate)).match_count == 30
    refusal(connect(simulator, username=None, password=None, client_cert=other), LoginError)


def test_ended_login_is_renewed(start: Start, connect: Connect) -> None:
    """A login that ended after inactivity is made anew, and the request is repeated."""
    simulator = start()
    client = connect(simulator)
    ask(client)

    simulator.advance_clock(1200)

    assert ask(client).match_count == 30
    assert simulator.requests == {"authentication": 2, "list": 3}


def test_many_threads_renew_one_login(start: Start, connect: Connect) -> None:
    """Sixteen threads that find the same login ended make exactly one new one."""
    simulator = start()
    client = connect(simulator, concurrency=THREADS)
    ask(client)
    simulator.end_logins()
    barrier = threading.Barrier(THREADS)

    def ask_together(_: int) -> int | None:
        barrier.wait()
        return ask(client).match_count

    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(ask_together, range(THREADS)))

    assert counts == [30] * THREADS
    assert simulator.requests["authentication"] == 2
    assert client.requests_by_kind == {"login": 2, "sessions": simulator.requests["list"]}


def test_many_threads_make_one_first_login(start: Start, connect: Connect) -> None:
    """Sixteen threads that start together log in once."""
    simulator = start()
    client = connect(simulator, concurrency=THREADS)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: ask(client), range(THREADS)))

    assert simulator.requests["authentication"] == 1


def test_login_that_is_never_accepted_is_not_renewed_for_ever(start: Start, connect: Connect) -> None:
    """A second 401 right after a login is an error: the next login would fare no better."""
    simulator = start()
    client = connect(simulator)
    simulator.fail_next(Fault.LOG_OUT, TRIES, kind="list")

    assert "cookies" in refusal(client, LoginError)
    assert simulator.requests == {"authentication": 1, "list": 1}


def test_login_may_end_again_and_again(start: Start, connect: Connect) -> None:
    """Each login that was good for something may be followed by another."""
    simulator = start()
    client = connect(simulator)

    for _ in range(5):
        ask(client)
        simulator.end_logins()

    assert ask(client).match_count == 30
    assert simulator.requests["authentication"] == 6


@pytest.mark.parametrize("fault", [Fault.SERVICE_UNAVAILABLE, Fault.BAD_GATEWAY, Fault.UNAVAILABLE])
def test_login_waits_for_a_busy_appliance(start: Start, connect: Connect, fault: Fault) -> None:
    """A login that fails for want of an appliance is tried again."""
    simulator = start()
    simulator.fail_next(fault, 5, kind="authentication")

    assert ask(connect(simulator)).match_count == 30
    assert simulator.requests == {"authentication": 6, "list": 1}


# Failures


@pytest.mark.parametrize(
    "fault",
    [Fault.UNAVAILABLE, Fault.BAD_GATEWAY, Fault.SERVICE_UNAVAILABLE, Fault.RESET, Fault.HALF_BODY],
)
def test_passing_failure_is_waited_out(start: Start, connect: Connect, fault: Fault) -> None:
    """An appliance that is busy, restarting or broken off is asked again, and every request is counted."""
    simulator = start()
    client = connect(simulator)
    ask(client)
    simulator.fail_next(fault, TRIES - 1)

    assert ask(client).match_count == 30
    assert client.requests_by_kind["sessions"] == simulator.requests["list"] == TRIES + 1


@pytest.mark.parametrize(
    "fault",
    [Fault.UNAVAILABLE, Fault.BAD_GATEWAY, Fault.SERVICE_UNAVAILABLE, Fault.RESET, Fault.HALF_BODY],
)
def test_patience_has_an_end(start: Start, connect: Connect, fault: Fault) -> None:
    """A failure that does not pass becomes an error after a bounded number of tries."""
    simulator = start()
    client = connect(simulator)
    ask(client)
    simulator.fail_next(fault, TRIES)

    assert "try later" in refusal(client, UnavailableError)
    assert client.requests_by_kind["sessions"] == TRIES + 1
    assert ask(client).match_count == 30


def test_silence_is_bounded(start: Start, connect: Connect) -> None:
    """An appliance that does not answer within the time-out is asked again."""
    simulator = start()
    client = connect(simulator, timeout=0.3)
    ask(client)
    simulator.fail_next(Fault.HANG, 2)

    assert ask(client).match_count == 30
    assert client.requests_by_kind["sessions"] == 4


def test_reset_at_the_very_first_is_not_waited_out(start: Start, connect: Connect) -> None:
    """Until something has answered the address may be wrong: three tries are enough."""
    simulator = start()
    simulator.cut_power()
    client = connect(simulator)

    refusal(client, UnavailableError)

    assert client.requests_by_kind == {"login": 3}


def test_restart_is_survived(start: Start, connect: Connect) -> None:
    """An appliance that loses its power and comes back is asked until it answers, with a new login."""
    simulator = start()
    client = connect(simulator)
    ask(client)
    simulator.cut_power()
    handler = _OnThirdRecord(simulator.restore_power)
    logger = logging.getLogger("spsetl.appliance.client")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    try:
        assert ask(client).match_count == 30
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    assert client.requests_by_kind == {"login": 2, "sessions": 6}


class _OnThirdRecord(logging.Handler):
    """Does something when the third retry is logged."""

    def __init__(self, action: Callable[[], None]) -> None:
        super().__init__()
        self._action = action
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        self._count += 1
        if self._count == 3:
            self._action()


def test_page_of_a_proxy_is_not_repeated(start: Start, connect: Connect) -> None:
    """An HTML page with status 200 is refused at once and names its content type."""
    simulator = start()
    client = connect(simulator)
    ask(client)
    simulator.fail_next(Fault.HTML)

    assert "text/html" in refusal(client, BadAnswerError)
    assert client.requests_by_kind["sessions"] == 2


def test_wait_that_was_asked_for_is_kept(start: Start, connect: Connect) -> None:
    """Retry-After is honoured, with a jitter that keeps threads apart, and reaches the caller in the end."""
    simulator = start(retry_after=7)
    client = connect(simulator)
    ask(client)
    simulator.fail_next(Fault.SERVICE_UNAVAILABLE, TRIES)

    with pytest.raises(UnavailableError) as raised:
        ask(client)

    assert raised.value.retry_after == 7
    patience = _Patience(client._transport, "sessions")
    waits = {patience(raised.value) for _ in range(5)}
    assert len(waits) > 1
    assert all(7 <= wait <= 8 for wait in waits)
    assert patience(UnavailableError("busy")) is True
    assert patience(RateLimitError("held", 7)) is False


def test_retries_are_logged_without_printing(
    start: Start, connect: Connect, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A retry is told to who wants to know, without secrets, and to nobody else."""
    simulator = start()
    client = connect(simulator)
    simulator.fail_next(Fault.UNAVAILABLE, 1, kind="list")

    with caplog.at_level(logging.INFO):
        ask(client)

    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith("spsetl")]
    assert message.startswith("request for sessions, try 1: the appliance is busy")
    assert not [record for record in caplog.records if record.name == "stamina"]
    assert capsys.readouterr() == ("", "")
    assert SECRET not in caplog.text


def test_wrong_filter_is_told(start: Start, connect: Connect) -> None:
    """A filter that does not parse is not repeated; the appliance's words are shown."""
    simulator = start()
    client = connect(simulator)
    query = ListQuery(q="protocol:(ssh")

    with pytest.raises(QueryError, match="InvalidQuery"):
        client.get(query.path, query.params, kind="sessions")

    assert client.requests_by_kind["sessions"] == 1


def test_missing_right_is_told(start: Start, connect: Connect) -> None:
    """A user who may not search learns which right is missing."""
    simulator = start(search_right=False)
    client = connect(simulator)

    assert "Access all sessions" in refusal(client, RightsError)
    assert client.requests_by_kind["sessions"] == 1


def test_vanished_session_is_told_from_others(start: Start, connect: Connect) -> None:
    """A session that is gone is an error of its own, without its key in the message."""
    client = connect(start())

    with pytest.raises(NotFoundError) as raised:
        client.get(detail_path("svc-gone", "channels"), kind="channels")

    assert "svc-gone" not in str(raised.value)


@pytest.mark.parametrize("key", ["svc/a/ssh:1", "_x", "a%2Fb", "50%", "ключ", "a b+c", "channels", "a?b#c&d"])
def test_details_of_any_key_are_found(start: Start, connect: Connect, key: str) -> None:
    """Whatever characters a key has, its session's details are those of that session."""
    simulator = start()
    simulator.world.add(key)

    page = decode_details(connect(simulator).get(detail_path(key, "channels"), kind="channels"), "channels")

    assert len(page.items) == len(simulator.world.channels(key))


def test_links_are_followed_to_the_last_page(start: Start, connect: Connect) -> None:
    """A page's link leads to the next page, with all of the query."""
    client = connect(start(page_limit=7))
    page, keys = ask(client), []

    while True:
        keys += [item["key"] for item in page.items]
        if page.next is None:
            break
        page = decode_list(client.get(page.next, kind="sessions"))

    assert len(set(keys)) == len(keys) == 30


# TLS and addresses


def test_own_ca_is_trusted(start: Start, connect: Connect) -> None:
    """With the CA that signed it, the appliance's certificate is good."""
    assert ask(connect(start(tls=True))).match_count == 30


def test_unknown_ca_is_refused_at_once(start: Start, connect: Connect, tmp_path: Path) -> None:
    """Without the right CA no login is sent, nothing is tried twice, and the message names the setting."""
    simulator = start(tls=True)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))

    for ca_file in (None, other):
        client = connect(simulator, ca_file=ca_file)
        assert "SPSETL_CA_FILE" in refusal(client, ConnectError)
        assert client.requests_by_kind == {"login": 1}
    assert simulator.requests.total() == 0


def test_certificate_for_another_name_is_refused(start: Start, connect: Connect) -> None:
    """A certificate that is not made out for the address is refused, though its CA is known."""
    simulator = start(tls=True)
    simulator.url = simulator.url.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(ConnectError):
        ask(connect(simulator))

    assert simulator.requests.total() == 0


def test_unchecked_tls_warns_nobody(start: Start, connect: Connect, recwarn: pytest.WarningsRecorder) -> None:
    """With the check switched off the connection works, and urllib3 does not warn at each request."""
    client = connect(start(tls=True), verify_tls=False, ca_file=None)

    assert ask(client).match_count == 30
    assert not recwarn.list


def test_plain_http_at_a_tls_port_is_explained(start: Start, connect: Connect) -> None:
    """Https spoken to a port without TLS is told as such, and not tried again."""
    simulator = start()
    simulator.url = simulator.url.replace("http://", "https://")
    client = connect(simulator)

    assert "TLS" in refusal(client, ConnectError)
    assert client.requests_by_kind == {"login": 1}


def test_refused_port_is_explained(start: Start, connect: Connect) -> None:
    """A port that nobody listens at is tried three times and named."""
    simulator = start()
    client = connect(simulator)
    simulator.stop()

    assert "SPSETL_URL" in refusal(client, ConnectError)
    assert client.requests_by_kind == {"login": 3}


def test_unknown_host_is_tried_once() -> None:
    """A name that does not exist is told at once."""
    access = Access(url="https://sps.invalid", appliance="x", username="u", password=SecretStr(SECRET))
    with Client(access) as client:
        assert "sps.invalid" in refusal(client, ConnectError)
        assert client.requests_by_kind == {"login": 1}


# The probe


def test_probe_asks_three_questions(start: Start, connect: Connect) -> None:
    """Version, first and last session take three requests, and say what is there."""
    simulator = start(firmware="7.5.1")
    client = connect(simulator)
    starts = sorted(session.start for session in simulator.world.by_start())

    found = probe(client)

    assert client.requests_by_kind == {"login": 1, "info": 1, "sessions": 2}
    assert (found.firmware_version, found.has_revision, found.match_count) == ("7.5.1", True, 30)
    assert found.first_start is not None
    assert found.last_start is not None
    assert [round(moment.timestamp() * 1000) for moment in (found.first_start, found.last_start)] == [
        starts[0],
        starts[-1],
    ]


def test_probe_sees_a_hidden_revision(start: Start, connect: Connect) -> None:
    """An appliance that does not show the revision when asked is found out."""
    assert probe(connect(start(revision_by_name=False))).has_revision is False


def test_probe_of_an_empty_appliance() -> None:
    """Without sessions there is no start, and nothing is claimed about the revision."""
    world = World(WorldSpec(sessions=30, days=3))
    for key in world.keys:
        world.delete(key)
    with Simulator(world, username="auditor", password=SECRET) as simulator:
        access = Access(url=simulator.url, appliance="x", username="auditor", password=SecretStr(SECRET))
        with Client(access) as client:
            found = probe(client)

    assert found == Capabilities(
        firmware_version="8.0.0", has_revision=None, first_start=None, last_start=None, match_count=0
    )


def test_info_needs_no_kind_of_its_own(start: Start, connect: Connect) -> None:
    """Requests are counted by the caller's words."""
    client = connect(start())
    client.get(INFO_PATH, kind="anything")

    assert client.requests_by_kind == {"login": 1, "anything": 1}
