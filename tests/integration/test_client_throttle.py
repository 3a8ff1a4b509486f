import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from spsetl import __version__
from spsetl.appliance.client import Client
from spsetl.appliance.protocol import detail_path
from spsetl.appliance.throttle import RequestsStopped
from spsetl.errors import NotFoundError, RateLimitError, SettingsError, UnavailableError
from spsetl.hours import QuietHours
from spsetl.settings.access import Access
from spsetl.simulator import Fault, Simulator
from spsetl.simulator.server import Application
from tests.appliances import SECRET, TRIES, Connect, Start, ask

pytestmark = pytest.mark.usefixtures("without_sleeps")

PATIENCE = 20  # seconds, before a thread that should go on is taken for stuck
BERLIN = ZoneInfo("Europe/Berlin")
QUIET = QuietHours.parse("21:55-22:30", BERLIN)
BEGIN, END = (datetime(2026, 7, 1, *time, tzinfo=BERLIN) for time in ((21, 55), (22, 30)))


class WallClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


Open = Callable[..., Client]


@pytest.fixture
def open_client() -> Iterator[Open]:
    """Makes clients with arguments of their own, and closes them."""
    clients: list[Client] = []

    def make(simulator: Simulator, **arguments: Any) -> Client:
        access = Access(url=simulator.url, appliance="test", username="auditor", password=SecretStr(SECRET))
        clients.append(Client(access, **arguments))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """More threads than the client lets through."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.BAD_GATEWAY, Fault.SERVICE_UNAVAILABLE, Fault.RESET])
def test_failures_lower_the_limit_and_calm_brings_it_back(
    start_appliance: Start, connect_client: Connect, fault: Fault
) -> None:
    """Three failures one after the other leave one request at a time; calm answers bring all eight back."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=8)
    ask(client)
    assert (client.throttle_lowered, client.lowest_concurrency) == (0, 8)
    simulator.fail_next(fault, 3)

    ask(client)
    assert (client.throttle_lowered, client.lowest_concurrency, client._throttle.limit) == (3, 1, 2)
    for _ in range(2 + 3 + 4 + 5 + 6 + 7):
        ask(client)
    assert (client.throttle_lowered, client.lowest_concurrency, client._throttle.limit) == (3, 1, 8)


def test_failures_at_the_same_time_lower_it_once(
    start_appliance: Start, connect_client: Connect, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight requests that are under way together and fail halve the limit, not more."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=8)
    ask(client)
    exchange, barrier, done = client._transport._exchange, threading.Barrier(8, timeout=PATIENCE), threading.Event()

    def exchange_together(*request: Any) -> Any:
        if done.is_set():
            return exchange(*request)
        barrier.wait()
        answer = exchange(*request)
        if barrier.wait() == 0:
            done.set()
        barrier.wait()
        return answer

    monkeypatch.setattr(client._transport, "_exchange", exchange_together)
    simulator.fail_next(Fault.SERVICE_UNAVAILABLE, 8)
    futures = [pool.submit(ask, client) for _ in range(8)]

    assert wait(futures, PATIENCE).not_done == set()
    assert [future.result().match_count for future in futures] == [30] * 8
    assert (client.throttle_lowered, client.lowest_concurrency) == (1, 4)


def test_failing_logins_count(start_appliance: Start, connect_client: Connect) -> None:
    """A login that meets a busy appliance lowers the limit as any request does."""
    simulator = start_appliance()
    simulator.fail_next(Fault.SERVICE_UNAVAILABLE, 1, kind="authentication")
    client = connect_client(simulator, concurrency=8)

    ask(client)
    assert client.lowest_concurrency == 4


def test_silence_counts(start_appliance: Start, connect_client: Connect) -> None:
    """An appliance that does not answer in time is asked less at the same time."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=8, timeout=0.3)
    ask(client)
    simulator.fail_next(Fault.HANG)

    ask(client)
    assert client.lowest_concurrency == 4


def test_held_snapshot_counts(start_appliance: Start, connect_client: Connect, open_client: Open) -> None:
    """429 lowers the limit though it is not tried again."""
    simulator = start_appliance()
    path = "/api/audit/sessions/_snapshot"
    connect_client(simulator).get(path, kind="snapshot")
    other = open_client(simulator, concurrency=8, user_agent_suffix="another")

    with pytest.raises(RateLimitError):
        other.get(path, kind="snapshot")
    assert other.lowest_concurrency == 4


def test_vanished_session_does_not_count(start_appliance: Start, connect_client: Connect) -> None:
    """404 says nothing about the appliance's load."""
    client = connect_client(start_appliance(), concurrency=8)
    for _ in range(10):
        with pytest.raises(NotFoundError):
            client.get(detail_path("svc-gone", "channels"), kind="channels")

    assert client.throttle_lowered == 0


def test_slow_answers_lower_the_limit(
    start_appliance: Start, connect_client: Connect, pool: ThreadPoolExecutor
) -> None:
    """When each answer takes much longer than before, fewer are asked for at the same time; later all again."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=4)
    for _ in range(25):
        ask(client)
    quick = simulator.quirks
    assert client.throttle_lowered == 0

    simulator.quirks = replace(quick, latency=0.5)
    list(pool.map(lambda _: ask(client), range(10)))
    assert 1 <= client.lowest_concurrency < 4

    simulator.quirks = quick
    for _ in range(40):
        ask(client)
    assert client._throttle.limit == 4


def test_never_more_under_way_than_allowed(
    start_appliance: Start, connect_client: Connect, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen threads, answers and failures: the appliance never has more than four requests at the same time."""
    under_way, most, handle = 0, 0, Application.__call__

    async def count(self: Application, scope: Any, receive: Any, send: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            await handle(self, scope, receive, send)
        finally:
            under_way -= 1

    monkeypatch.setattr(Application, "__call__", count)
    simulator = start_appliance(latency=0.005, service_unavailable=0.05, reset=0.05)
    client = connect_client(simulator, concurrency=4)

    answers = list(pool.map(lambda _: ask(client).match_count, range(200)))

    assert answers == [30] * 200
    assert 2 <= most <= 4
    assert client.requests_by_kind["sessions"] == simulator.requests["list"] > 200
    assert 1 <= client.lowest_concurrency < 4


def test_nothing_is_sent_in_quiet_hours(start_appliance: Start, open_client: Open, pool: ThreadPoolExecutor) -> None:
    """No thread sends anything, not even a login, before the end; the end is told once."""
    simulator = start_appliance()
    clock, told = WallClock(END - timedelta(milliseconds=1)), []
    sent_at: list[datetime] = []
    simulator.on_request = lambda *_: sent_at.append(clock.now)

    def on_quiet(until: datetime) -> None:
        told.append((until, simulator.requests.total()))
        clock.now = until

    client = open_client(simulator, quiet_hours=QUIET, on_quiet=on_quiet, clock=clock)
    answers = list(pool.map(lambda _: ask(client).match_count, range(16)))

    assert answers == [30] * 16
    assert told == [(END, 0)]
    assert len(sent_at) == 17
    assert min(sent_at) == END


def test_retry_waits_for_the_end_with_new_patience(start_appliance: Start, open_client: Open) -> None:
    """If quiet hours begin between two tries, the next try waits, and has all its successors before it."""
    simulator = start_appliance()
    clock, told = WallClock(BEGIN - timedelta(seconds=1)), []

    def on_quiet(until: datetime) -> None:
        told.append(simulator.requests["list"])
        simulator.fail_next(Fault.SERVICE_UNAVAILABLE, TRIES - 1)
        clock.now = until

    client = open_client(simulator, quiet_hours=QUIET, on_quiet=on_quiet, clock=clock)
    ask(client)

    def fail_as_they_begin(*_: object) -> Fault | None:
        if clock.now < BEGIN:
            clock.now = BEGIN
            return Fault.SERVICE_UNAVAILABLE
        return None

    simulator.on_request = fail_as_they_begin

    assert ask(client).match_count == 30
    assert told == [2]
    assert simulator.requests["list"] == 2 + TRIES


def test_stop_ends_quiet_waiting_at_once(start_appliance: Start, open_client: Open, pool: ThreadPoolExecutor) -> None:
    """`stop` from another thread wakes all who wait for the end; nothing was sent, and nothing will be."""
    simulator = start_appliance()
    quiet = threading.Event()
    client = open_client(simulator, quiet_hours=QUIET, on_quiet=lambda _: quiet.set(), clock=WallClock(BEGIN))
    futures = [pool.submit(ask, client) for _ in range(8)]
    assert quiet.wait(PATIENCE)

    client.stop()

    assert wait(futures, PATIENCE).not_done == set()
    assert all(isinstance(future.exception(), RequestsStopped) for future in futures)
    with pytest.raises(RequestsStopped):
        ask(client)
    assert simulator.requests.total() == client.requests_by_kind.total() == 0


def test_stop_leaves_what_is_under_way(start_appliance: Start, connect_client: Connect) -> None:
    """A request that has been sent gets its answer; a failed one is not tried again, nor is anything else sent."""
    simulator = start_appliance()
    client, failed = connect_client(simulator), connect_client(simulator)
    ask(client)
    ask(failed)

    simulator.on_request = lambda *_: client.stop()
    assert ask(client).match_count == 30

    def stop_and_fail(*_: object) -> Fault:
        failed.stop()
        return Fault.SERVICE_UNAVAILABLE

    simulator.on_request = stop_and_fail
    for stopped in (client, failed):
        with pytest.raises(RequestsStopped):
            ask(stopped)
    assert simulator.requests["list"] == 4


def test_suffix_is_in_every_user_agent(start_appliance: Start, open_client: Open) -> None:
    """The suffix stands in parentheses behind the name, the same in each request, and without one there is none."""
    simulator = start_appliance()
    agents: list[bytes] = []
    answer = simulator.answer

    def spy(request: Any) -> Any:
        agents.append(request.headers[b"user-agent"])
        return answer(request)

    simulator.answer = spy
    for suffix in ("", "night@etl-1; ops"):
        client = open_client(simulator, user_agent_suffix=suffix)
        ask(client)
        ask(client)

    plain = f"spsetl/{__version__}"
    assert agents == [plain.encode()] * 3 + [f"{plain} (night@etl-1; ops)".encode()] * 3


@pytest.mark.parametrize("suffix", ["a\r\nX-Header: b", "a(b", "a)b", "a\\", "größe", "\t"])
def test_suffix_that_no_header_can_carry_is_refused(start_appliance: Start, open_client: Open, suffix: str) -> None:
    """What would break the header, or another one out of it, is refused when the client is made."""
    with pytest.raises(SettingsError, match="User-Agent") as raised:
        open_client(start_appliance(), user_agent_suffix=suffix)

    assert str(raised.value).isprintable()


def test_failure_that_lasts_is_still_told(start_appliance: Start, connect_client: Connect) -> None:
    """With one request at a time the patience ends as it does with eight."""
    simulator = start_appliance()
    client = connect_client(simulator, concurrency=1)
    ask(client)
    simulator.fail_next(Fault.SERVICE_UNAVAILABLE, TRIES)

    with pytest.raises(UnavailableError):
        ask(client)
    assert (client.throttle_lowered, client.lowest_concurrency) == (0, 1)
