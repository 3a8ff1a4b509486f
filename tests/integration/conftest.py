from collections.abc import Iterator
from typing import Any

import pytest
import stamina
from pydantic import SecretStr

from spsetl.appliance.client import Client
from spsetl.settings.access import Access
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.appliances import SECRET, TRIES, Connect, Start
from tests.browser import Browser, Open


@pytest.fixture
def without_sleeps() -> Iterator[None]:
    """Retries come as often as outside of tests, and at once."""
    with stamina.set_testing(True, attempts=TRIES, cap=True):
        yield


@pytest.fixture
def start_appliance() -> Iterator[Start]:
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
def connect_client() -> Iterator[Connect]:
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


@pytest.fixture
def open_browser() -> Iterator[Open]:
    """Starts a simulated appliance and logs in; ends both."""
    opened: list[Browser] = []

    def begin(sessions: int = 30, *, spec: WorldSpec | None = None, **quirks: Any) -> Browser:
        world = World(spec or WorldSpec(sessions=sessions, days=3))
        simulator = Simulator(world, Quirks(**quirks))
        simulator.start()
        opened.append(Browser(simulator))
        return opened[-1]

    yield begin
    for browser in opened:
        browser.http.close()
        browser.simulator.stop()
