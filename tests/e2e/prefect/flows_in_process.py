"""The Prefect flows: the same steps as the command line, seen as tasks, with their outcome as artifacts."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import stamina

from spsetl.errors import ApplianceError, UsageError
from spsetl.simulator import Quirks, Simulator, World, WorldSpec
from tests.oracle import assert_equal_copy

# Before Prefect is imported: quiet, offline, and patient with a busy machine.
os.environ |= {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_API_AUTH_STRING": "spsetl:of-the-test",
    "PREFECT_API_AUTH_STRING": "spsetl:of-the-test",
}
ROOT: Final = Path(__file__).parents[2]

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


def read_runs(flow: str) -> list[Any]:
    """The runs of one flow, the newest first."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 see above
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName  # noqa: PLC0415 see above
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415 see above

    with get_client(sync_client=True) as client:
        wanted = FlowFilter(name=FlowFilterName(any_=[flow]))
        return client.read_flow_runs(flow_filter=wanted, sort=FlowRunSort.START_TIME_DESC)


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
    from flows.runs import nightly_sync  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=300, days=12))
    with Simulator(world) as simulator:
        settings(simulator)
        [outcome] = nightly_sync()
    assert outcome["sessions"]["new"] == 300
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance="sps")
    assert read_task_names() == {"sync-appliance": 1, "list": 1, "policies": 1, "details": 2}
    artifacts = {found.key: found.data for found in read_artifacts()}
    assert "| new | 300 |" in artifacts["spsetl-sync-sps"]
    assert [(w["sessions"], w["verdict"]) for w in json.loads(artifacts["spsetl-windows-sps"])] == [(300, "equal")]
    assert artifacts["spsetl-progress-sps"] == 100
    assert [run.name for run in read_runs("nightly-sync")] == ["sps new and changed"]
    assert [run.name for run in read_runs("sync-appliance")] == ["sps from the first session"]
    assert {"spsetl", "sync", "sps"} <= set(read_runs("sync-appliance")[0].tags)


def test_the_second_night_is_compared_with_the_first(settings: Any) -> None:
    """The run's name says from where on it lists, and the summary has the figures of the earlier run."""
    from flows.runs import nightly_sync  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=40, days=4))
    with Simulator(world) as simulator:
        settings(simulator)
        nightly_sync()
        simulator.advance_night()
        [outcome] = nightly_sync(appliances=["sps"])
    assert outcome["published"]
    [summary] = [found.data for found in read_artifacts() if f"Run {outcome['run_id']}" in str(found.data)]
    new = outcome["sessions"]["new"]
    assert new > 0
    assert f"| new | {new} | 40 | 40 | 40 |" in summary
    assert "mean of the last 1" in summary
    newest = read_runs("sync-appliance")[0].name
    assert newest.startswith("sps from 2")
    assert newest.endswith(" UTC")


def test_the_reconciliation_shows_its_counts_and_fails_where_they_differ(settings: Any, tmp_path: Path) -> None:
    """A table of days as an artifact; an appliance that counts otherwise gives a Failed run."""
    from flows.runs import nightly_sync, reconcile  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=60, days=4))
    with Simulator(world) as simulator:
        settings(simulator)
        nightly_sync()
        [outcome] = reconcile()
    assert outcome["is_equal"]
    artifacts = {found.key: found.data for found in read_artifacts()}
    assert "equal" in artifacts["spsetl-reconcile-sps"]
    days = json.loads(artifacts["spsetl-reconcile-days-sps"])
    assert sum(row["copy"] for row in days if row["day"].startswith("2026")) == 59
    with Simulator(world, Quirks(count_drift=2, histogram=False)) as simulator:
        settings(simulator)
        state = reconcile(return_state=True)
    assert state.is_failed()
    assert "differs" in str(state.message)


def test_a_failed_sync_fails_the_run(settings: Any, tmp_path: Path) -> None:
    """A user without rights: the run ends Failed with the one line that says why, and nothing is published."""
    from flows.runs import nightly_sync  # noqa: PLC0415 see above

    with Simulator(World(WorldSpec(sessions=20)), Quirks(search_right=False)) as simulator:
        settings(simulator)
        state = nightly_sync(return_state=True)
    assert state.is_failed()
    assert "Search" in str(state.message)
    assert not (tmp_path / "warehouse.duckdb").exists()
    [last, *_] = read_runs("nightly-sync")
    assert len([run for run in read_runs("sync-appliance") if run.start_time > last.start_time]) == 1  # not repeated
    assert any(found.key == "spsetl-sync-sps" and "failed" in found.data for found in read_artifacts())


def test_an_appliance_that_cannot_be_reached_is_tried_once_more(settings: Any) -> None:
    """Two runs of sync-appliance, both Failed, and a Failed nightly."""
    from flows.runs import nightly_sync  # noqa: PLC0415 see above

    with Simulator(World(WorldSpec(sessions=1))) as simulator:
        settings(simulator)
    with stamina.set_testing(True, attempts=1):
        state = nightly_sync(retry_minutes=0, return_state=True)
    assert state.is_failed()
    [last, *_] = read_runs("nightly-sync")
    tries = [run for run in read_runs("sync-appliance") if run.start_time > last.start_time]
    assert [run.state.name for run in tries] == ["Failed", "Failed"]


def test_a_backfill_says_its_range_and_what_it_did(settings: Any) -> None:
    """The run's name has appliance and range, the summary its figures; an appliance that is not there is an error."""
    from flows.runs import backfill  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=60, days=4))
    day = (world.now - timedelta(days=2)).date()
    with Simulator(world) as simulator:
        settings(simulator)
        [outcome] = backfill(start=f"{day.replace(year=day.year - 1)}T00:00:00Z", end=f"{day}T00:00:00")
        state = backfill(start="2026-01-01T00:00:00Z", end="2026-02-01T00:00:00Z", appliances=["b"], return_state=True)
    assert 0 < outcome["sessions"]["new"] < 60
    assert f"sps from {day.replace(year=day.year - 1)} 00:00 to {day} 00:00" in {
        run.name for run in read_runs("backfill")
    }
    assert any(f"| new | {outcome['sessions']['new']} |" in str(found.data) for found in read_artifacts())
    assert "no appliance is called b; there is sps" in str(state.message)


def test_the_report_is_linked(settings: Any) -> None:
    """The page of the last whole month is written, and the run's link leads to it."""
    from flows.runs import (  # noqa: PLC0415 see above
        nightly_sync,
        period_of,
        report,
    )

    with Simulator(World(WorldSpec(sessions=30, days=4))) as simulator:
        settings(simulator)
        nightly_sync()
    path = Path(report())
    assert path.is_file()
    [link] = [found.data for found in read_artifacts() if found.key == "spsetl-report"]
    assert path.as_uri() in link
    assert period_of(None, None, date(2026, 3, 14)) == (date(2026, 2, 1), date(2026, 2, 28))


def test_a_cancelled_sync_stops_soon_and_loses_nothing(settings: Any, tmp_path: Path) -> None:
    """SIGTERM ends the process within 10 s, though threads wait for an appliance that is silent; the next is whole."""
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 see above

    from flows.runs import nightly_sync  # noqa: PLC0415 see above

    world = World(WorldSpec(sessions=600, days=12))
    with Simulator(world) as simulator:
        settings(simulator)
        simulator.fail_next("hang", 8, kind="channels")
        environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value(), "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([sys.executable, "-m", "flows.runs", "nightly-sync"], env=environment) as process:
            while process.poll() is None and simulator.requests["channels"] < 8:
                time.sleep(0.05)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            assert time.monotonic() - began < 10
        assert process.returncode == -signal.SIGTERM or process.returncode == 128 + signal.SIGTERM
        assert {run.state.name for run in read_runs("nightly-sync")[:1]} == {"Crashed"}
        listed = simulator.requests["list"]
        nightly_sync()
        assert simulator.requests["list"] - listed < listed  # what was merged is not read again
    assert_equal_copy(world, tmp_path / "warehouse.duckdb", appliance="sps")


def run_steps(
    step: Callable[[int], int], items: Iterable[int], *, stop: Callable[[], object], at_end: Callable[[], object]
) -> list[int]:
    """The results of steps in their order, run two at a time as the tasks of a flow."""
    from prefect import flow  # noqa: PLC0415 see above

    from flows.runs import Tasks  # noqa: PLC0415 see above

    @flow(name="steps")
    def steps() -> list[int]:
        try:
            return list(Tasks().map("step", step, items, workers=2, stop=stop))
        finally:
            at_end()

    return steps()


def test_results_are_given_as_they_come() -> None:
    """One long step keeps none waiting, and no more are at work than were asked for."""
    at_work: set[int] = set()
    most: list[int] = []
    others = threading.Event()

    def step(number: int) -> int:
        at_work.add(number)
        most.append(len(at_work))
        if number == 0:
            assert others.wait(20), "its result was waited for before the others'"
        if number == 7:
            others.set()
        at_work.discard(number)
        return number

    results = run_steps(step, range(8), stop=threading.Event().set, at_end=list)
    assert sorted(results) == list(range(8))
    assert results.index(0) >= 6
    assert max(most) == 2


def test_no_step_is_under_way_after_a_failure() -> None:
    """The error comes once the other steps, which are told to stop, have ended: then the lock may be let go."""
    both, told, ended = threading.Barrier(2), threading.Event(), threading.Event()
    seen: list[bool] = []

    def step(number: int) -> int:
        both.wait(20)
        if number == 1:
            raise ApplianceError("gone")
        assert told.wait(20)
        time.sleep(0.3)  # until its next page
        ended.set()
        return number

    with pytest.raises(ApplianceError, match="gone"):
        run_steps(step, range(100), stop=told.set, at_end=lambda: seen.append(ended.is_set()))
    assert seen == [True]


def test_a_pool_of_before_is_brought_up_to_date(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a run could say of its program is taken out, also of what was deployed; the rest is its owner's."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 see above
    from prefect.client.schemas.actions import WorkPoolCreate  # noqa: PLC0415 see above
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 see above
    from prefect.workers.process import ProcessWorker  # noqa: PLC0415 see above

    from flows import deploy  # noqa: PLC0415 see above

    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    old = ProcessWorker.get_default_base_job_template()
    old["variables"]["properties"]["stream_output"]["default"] = False
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=deploy.POOL, type="process", base_job_template=old))
        flow = client.create_flow_from_name("nightly-sync")
        client.create_deployment(
            flow,
            "nightly",
            work_pool_name=deploy.POOL,
            job_variables={"env": {"PREFECT_LOGGING_EXTRA_LOGGERS": "spsetl"}},
        )
        deploy.deploy()
        assert "cannot name command, env, working_dir any more" in capfd.readouterr().out
        deploy.deploy()
        assert "work pool" not in capfd.readouterr().out
        template = client.read_work_pool(deploy.POOL).base_job_template
        [deployment] = [one for one in client.read_deployments() if one.name == "nightly"]
        assert deployment.job_variables == {}
        assert client.create_flow_run_from_deployment(deployment.id).job_variables == {}
    assert not deploy.FIXED & {*template["job_configuration"], *template["variables"]["properties"]}
    assert template["variables"]["properties"]["stream_output"]["default"] is False


def test_one_command_deploys_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules, limits, a form whose every field is explained, and automations: one of each, also the second time."""
    import yaml  # noqa: PLC0415 see above
    from prefect.client.orchestration import get_client  # noqa: PLC0415 see above
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 see above

    from flows import deploy  # noqa: PLC0415 see above

    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    deploy.deploy(cron="30 2 * * *", time_zone="Europe/Budapest")
    with get_client(sync_client=True) as client:
        found = {one.name: one for one in client.read_deployments()}
        ids = {one.id for one in client.read_automations()}
        for path in deploy.AUTOMATIONS.glob("*.yaml"):
            deploy.make_automation(client, yaml.safe_load(path.read_text(encoding="utf-8")), None)
        assert {one.id for one in client.read_automations()} == ids
        with pytest.raises(UsageError, match="0 notification blocks slack-webhook/none"):
            deploy.find_block(client, "slack-webhook/none")
    assert set(found) == {"nightly", "weekly-reconcile", "monthly-report", "backfill"}
    [nightly] = found["nightly"].schedules
    assert (nightly.schedule.cron, nightly.schedule.timezone) == ("30 2 * * *", "Europe/Budapest")
    assert found["nightly"].concurrency_options.collision_strategy == "CANCEL_NEW"
    assert len(ids) == 3
    for one in found.values():
        for field in one.parameter_openapi_schema["properties"].values():
            assert field["description"]
