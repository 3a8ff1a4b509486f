"""The Prefect flow: the same steps as `spsetl sync`, seen as tasks, with its outcome as an artifact."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.oracle import assert_equal_copy

# Before Prefect is imported: quiet, offline, and patient with a busy machine.
os.environ |= {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}
# Prefect's own dependencies warn of their future; ours to keep quiet, not to fix.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.xdist_group("prefect")]  # one worker, one server


@pytest.fixture(scope="module", autouse=True)
def _prefect() -> Iterator[None]:
    """A Prefect server of its own, with an empty database."""
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415 after the environment is set

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Sets the worker's environment for an appliance."""

    def use(simulator: Simulator) -> None:
        values = {"URL": simulator.url, "USERNAME": simulator.username, "PASSWORD": simulator.password}
        for name, value in (values | {"APPLIANCE": "sps", "DATA_DIR": str(tmp_path)}).items():
            monkeypatch.setenv(f"SPSETL_{name}", value)
        monkeypatch.chdir(tmp_path)

    return use


def read_artifacts() -> list[Any]:
    """All artifacts that the server has."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 see above

    with get_client(sync_client=True) as client:
        return client.read_artifacts()


def read_task_names() -> Counter[str]:
    """How many task runs there were, by the step's name."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 see above

    with get_client(sync_client=True) as client:
        return Counter(run.name.rsplit("-", 1)[0] for run in client.read_task_runs(limit=200))


def test_the_flow_makes_an_equal_copy_and_tells_its_outcome(settings: Any, tmp_path: Path) -> None:
    """A task a window or batch, a markdown artifact, and a warehouse that equals the appliance."""
    from flows.nightly_sync import nightly_sync  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=300, days=12))
    with Simulator(world) as simulator:
        settings(simulator)
        [outcome] = nightly_sync()
    assert outcome["sessions"]["new"] == 300
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance="sps")
    assert read_task_names() == {"list": 1, "policies": 1, "details": 2}
    [artifact] = [found for found in read_artifacts() if found.key == "spsetl-sync"]
    assert "| new | 300 |" in artifact.data
    assert "password" not in artifact.data


def test_the_reconciliation_shows_its_counts_and_fails_where_they_differ(settings: Any, tmp_path: Path) -> None:
    """A table of days as an artifact; an appliance that counts otherwise gives a Failed run."""
    from flows.nightly_sync import nightly_sync  # noqa: PLC0415 see above
    from flows.reconcile import reconcile  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=60, days=4))
    with Simulator(world) as simulator:
        settings(simulator)
        nightly_sync()
        [outcome] = reconcile()
    assert outcome["is_equal"]
    artifacts = {found.key: found.data for found in read_artifacts()}
    assert "equal" in artifacts["spsetl-reconcile"]
    days = json.loads(artifacts["spsetl-reconcile-days"])
    assert sum(row["copy"] for row in days if row["day"].startswith("2026")) == 59
    with Simulator(world, Quirks(count_drift=2, histogram=False)) as simulator:
        settings(simulator)
        state = reconcile(return_state=True)
    assert state.is_failed()
    assert "differs" in str(state.message)


def test_a_failed_sync_fails_the_run(settings: Any, tmp_path: Path) -> None:
    """A user without rights: the run ends Failed with the one line that says why, and nothing is published."""
    from flows.nightly_sync import nightly_sync  # noqa: PLC0415 see above

    with Simulator(World(WorldSpec(sessions=20)), Quirks(search_right=False)) as simulator:
        settings(simulator)
        state = nightly_sync(return_state=True)
    assert state.is_failed()
    assert "Search" in str(state.message)
    assert not (tmp_path / "warehouse.duckdb").exists()
