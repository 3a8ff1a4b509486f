import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from spsetl.errors import LoginError
from spsetl.simulator import Fault
from tests.integration.appliances import TRIES, Connect, Start, ask, refusal

THREADS = 16

pytest_plugins = ["tests.integration.appliances"]
pytestmark = pytest.mark.usefixtures("without_sleeps")


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
