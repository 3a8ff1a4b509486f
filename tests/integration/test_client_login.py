import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from spsetl.errors import LoginError
from spsetl.simulator import Fault
from tests.appliances import TRIES, Connect, Start, ask, refusal

THREADS = 16

pytestmark = pytest.mark.usefixtures("without_sleeps")


def test_first_request_logs_in(start_appliance: Start, connect_client: Connect) -> None:
    """Nothing is sent before the first request; that logs in, in UTF-8, and all others share the login."""
    simulator = start_appliance()
    client = connect_client(simulator)
    assert simulator.requests.total() == 0

    assert ask(client).match_count == 30
    ask(client)

    assert simulator.requests == {"authentication": 1, "list": 2}
    assert client.requests_by_kind == {"login": 1, "sessions": 2}
    assert client.remaining_seconds == 1200


def test_login_method_is_sent(start_appliance: Start, connect_client: Connect) -> None:
    """A login method that the appliance does not have is refused, so it was sent."""
    simulator = start_appliance()

    assert ask(connect_client(simulator, login_method="local")).match_count == 30
    assert "SPSETL_LOGIN_METHOD" in refusal(connect_client(simulator, login_method="none"), LoginError)


def test_wrong_password_is_tried_once(start_appliance: Start, connect_client: Connect) -> None:
    """However many threads ask, a refused login is sent once: 20 failures block the user."""
    simulator = start_appliance()
    client = connect_client(simulator, password=SecretStr("wrong"))

    with ThreadPoolExecutor(THREADS) as pool:
        failures = list(pool.map(lambda _: refusal(client, LoginError), range(THREADS)))

    assert len(set(failures)) == 1
    assert "20 failures" in failures[0]
    assert simulator.requests == {"authentication": 1}


def test_certificate_logs_in(start_appliance: Start, connect_client: Connect) -> None:
    """A client certificate stands for user name and password."""
    simulator = start_appliance(tls=True)
    certificate = simulator.issue_client_certificate("auditor")
    other = simulator.issue_client_certificate("other")

    assert ask(connect_client(simulator, username=None, password=None, client_cert=certificate)).match_count == 30
    refusal(connect_client(simulator, username=None, password=None, client_cert=other), LoginError)


def test_ended_login_is_renewed(start_appliance: Start, connect_client: Connect) -> None:
    """A login that ended after inactivity is made anew, and the request is repeated."""
    simulator = start_appliance()
    client = connect_client(simulator)
    ask(client)

    simulator.advance_clock(1200)

    assert ask(client).match_count == 30
    assert simulator.requests == {"authentication": 2, "list": 3}


def test_many_threads_renew_one_login(start_appliance: Start, connect_client: Connect) -> None:
    """Sixteen threads that find the same login ended make exactly one new one."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=THREADS)
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


def test_many_threads_make_one_first_login(start_appliance: Start, connect_client: Connect) -> None:
    """Sixteen threads that start together log in once."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=THREADS)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: ask(client), range(THREADS)))

    assert simulator.requests["authentication"] == 1


def test_login_that_is_never_accepted_is_not_renewed_for_ever(start_appliance: Start, connect_client: Connect) -> None:
    """Ten logins in a row that are of no use are an error: the next one would fare no better."""
    simulator = start_appliance()
    client = connect_client(simulator)
    simulator.fail_next(Fault.LOG_OUT, TRIES, kind="list")

    assert "cookies" in refusal(client, LoginError)
    assert simulator.requests == {"authentication": 10, "list": 10}


def test_login_may_end_again_and_again(start_appliance: Start, connect_client: Connect) -> None:
    """Each login that was good for something may be followed by another."""
    simulator = start_appliance()
    client = connect_client(simulator)

    for _ in range(5):
        ask(client)
        simulator.end_logins()

    assert ask(client).match_count == 30
    assert simulator.requests["authentication"] == 6


@pytest.mark.parametrize("fault", [Fault.SERVICE_UNAVAILABLE, Fault.BAD_GATEWAY, Fault.UNAVAILABLE])
def test_login_waits_for_a_busy_appliance(start_appliance: Start, connect_client: Connect, fault: Fault) -> None:
    """A login that fails for want of an appliance is tried again."""
    simulator = start_appliance()
    simulator.fail_next(fault, 5, kind="authentication")

    assert ask(connect_client(simulator)).match_count == 30
    assert simulator.requests == {"authentication": 6, "list": 1}
