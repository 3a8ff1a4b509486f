import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from spsetl.simulator import World, WorldSpec

PROGRAM = """
from spsetl.simulator import Quirks, World, WorldSpec, serve
serve(World(WorldSpec(sessions=40, days=3)), Quirks(), port=0, tls=%r,
      started=lambda s: print(s.url, s.ca_file, flush=True))
"""


@pytest.fixture(params=[False, True], ids=["http", "https"])
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A simulated appliance as a program of its own."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM % request.param],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_serves_the_same_world_until_it_is_told_to_stop(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    """Another process knows what it holds, lets nights pass in it, and ends it without a trace."""
    assert process.stdout is not None
    assert process.stderr is not None
    url, ca_file = process.stdout.readline().split()
    world = World(WorldSpec(sessions=40, days=3))
    with requests.Session() as http:
        # For each request: a session's own setting loses against REQUESTS_CA_BUNDLE.
        trust = True if ca_file == "None" else ca_file
        for _ in range(2):
            # The login of the night before has ended.
            http.get(f"{url}/api/authentication", auth=("audit", "sps-audit"), timeout=10, verify=trust)
            answer = http.get(f"{url}/api/audit/sessions?sort=start_time", timeout=10, verify=trust).json()
            assert [item["key"] for item in answer["items"]] == world.keys()
            world.advance_night()
            http.get(f"{url}/simulator/advance-night", timeout=10, verify=trust)
        process.send_signal(number)
        assert process.wait(10) == 0
    assert process.stderr.read() == ""
