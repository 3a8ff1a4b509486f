"""Nights as they are: Prefect's server, scheduler and worker as processes of their own, on each of its databases.

Run by `make e2e`, in this order.
"""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import requests

from tests.e2e.prefect.browser import BROWSER, draw_page, read_page
from tests.e2e.prefect.house import BACKFILL, NIGHTLY, SECONDS_FOR_A_RUN, SECONDS_FOR_THE_SCHEDULER, House, house
from tests.e2e.prefect.postgres import why_not
from tests.e2e.prefect.programs import is_running, processes_with, run, wait_for
from tests.syncing import NAME

DEPLOYMENTS: Final = {"nightly", "weekly-reconcile", "monthly-report", "backfill"}
HERE: Final = ZoneInfo("Europe/Budapest")
SECONDS_TO_CANCEL: Final = 10
SECONDS_TO_SAY_SO: Final = 30  # Prefect first looks in a process of its own whether there are hooks to call
SECONDS_TO_NOTIFY: Final = 30
SLOW: Final = 0.3  # seconds that each answer takes while something is to happen in the middle of a run
SECONDS_OF_SILENCE: Final = 15  # after which a run is taken for stuck here; more than it takes to be under way
# One path of each kind of thing that a stranger must neither see nor change.
PATHS: Final = (
    ("GET", "/admin/version"),
    ("POST", "/flow_runs/filter"),
    ("POST", "/flow_runs/"),
    ("POST", "/deployments/filter"),
    ("POST", "/deployments/"),
    ("POST", "/block_documents/filter"),
    ("GET", "/work_pools/spsetl"),
    ("PATCH", "/work_pools/spsetl"),
    ("POST", "/logs/filter"),
    ("POST", "/variables/filter"),
)
LOCKED: Final = "another sync holds"

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="class")
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which nothing is deployed yet."""
    assert issubclass(request.cls, Nights)
    with house(request.cls.database, tmp_path_factory.mktemp(request.cls.database)) as made:
        yield made


@pytest.fixture(scope="class")
def deployed(home: House) -> House:
    """The same after the guide's one command."""
    home.deploy()
    return home


@pytest.fixture(scope="class")
def working(deployed: House) -> Iterator[House]:
    """The same with a worker."""
    with deployed.worker():
        yield deployed


class Nights:
    """What happens on each of Prefect's databases. Each test goes on with the house of the one before."""

    database: str

    def test_nobody_is_let_in_without_the_login(self, home: House) -> None:
        """401 for whatever is asked and however, nothing for pages of others, and each program says what is wrong."""
        api = f"{home.server.url}/api"
        for login in (None, ("spsetl", "guessed"), ("spsetl", "")):
            for method, path in PATHS:
                asked = requests.request(method, api + path, json={}, auth=login, timeout=30)
                assert asked.status_code == HTTPStatus.UNAUTHORIZED, path
        assert requests.get(f"{api}/health", timeout=30).ok
        for page, allowed in (("http://127.0.0.1:4200", True), ("https://pages.example.com", False)):
            ask = {"Origin": page, "Access-Control-Request-Method": "POST"}
            told = requests.options(f"{api}/flow_runs/filter", headers=ask, timeout=30).headers
            assert (told.get("Access-Control-Allow-Origin") == page) is allowed
            assert told.get("Access-Control-Allow-Origin") != "*"
        stranger = {name: value for name, value in home.environment.items() if name not in home.server.login}
        done = run(sys.executable, "-m", "flows.deploy", environment=stranger)
        assert (done.returncode, done.stdout) == (4, "")
        assert "PREFECT_API_AUTH_STRING" in done.stderr.splitlines()[-1]
        assert home.examine(stranger)["Prefect"]["found"].endswith("refuses the login")

    def test_the_deploy_command_can_be_repeated(self, deployed: House) -> None:
        """Deployed again for another hour, there is one of each: deployments, schedules, automations."""

        def what_is_there() -> tuple[list[tuple[str, int]], list[str]]:
            found = [(one["id"], len(one["schedules"])) for one in deployed.server.deployments()]
            return sorted(found), sorted(one["name"] for one in deployed.server.automations())

        before = what_is_there()
        assert {one["name"] for one in deployed.server.deployments()} == DEPLOYMENTS
        assert len(before[1]) == 3  # failed, late, stuck
        deployed.deploy(SPSETL_CRON="30 2 * * *", SPSETL_TIME_ZONE=HERE.key)
        assert what_is_there() == before
        (schedule,) = deployed.server.deployment(NIGHTLY)["schedules"]
        assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 2 * * *", HERE.key)

    def test_the_scheduler_creates_the_nights_to_come(self, deployed: House) -> None:
        """Some seconds after the deployment the nightly has runs for the next nights, that nobody has asked for."""
        nightly = deployed.server.deployment(NIGHTLY)
        schedule = nightly["schedules"][0]["schedule"]
        minute, hour, *_ = schedule["cron"].split()
        zone = ZoneInfo(schedule["timezone"])

        def nights() -> list[datetime]:
            runs = deployed.server.runs(nightly)
            assert all(one["auto_scheduled"] for one in runs)
            return [datetime.fromisoformat(one["expected_start_time"]).astimezone(zone) for one in runs]

        wait_for(lambda: len(nights()) > 1, "the scheduler makes runs", seconds=SECONDS_FOR_THE_SCHEDULER)
        assert {(one.hour, one.minute) for one in nights()} == {(int(hour), int(minute))}
        assert {later.date() - earlier.date() for earlier, later in pairwise(nights())} == {timedelta(days=1)}
        found = deployed.examine(deployed.environment)
        assert found["Prefect"]["state"] == "green"
        assert "is due at" in found["nightly schedule"]["found"]

    def test_a_scheduled_night_makes_an_equal_copy(self, working: House) -> None:
        """The scheduler's run is taken by the worker, ends Completed, and says what it did; `status` is fine."""
        run = working.pass_scheduled_night()
        working.assert_equal()
        assert NAME in run["name"]
        artifacts = working.server.artifacts()
        assert f"| new | {len(working.seen)} |" in artifacts[f"spsetl-sync-{NAME}"]["data"]
        assert {f"spsetl-windows-{NAME}", f"spsetl-progress-{NAME}"} <= artifacts.keys()
        assert artifacts[f"spsetl-progress-{NAME}"]["data"] == 100
        answer = working.spsetl("status")
        assert [one["appliance"] for one in answer["appliances"]] == [NAME]
        assert answer["warnings"] == []
        assert "spsetl.events" in {line["name"] for line in working.server.ask("POST", "/logs/filter", {})}
        assert "nanobind" not in (working.folder / "worker.log").read_text(encoding="utf-8")

    @pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium")
    def test_the_page_of_a_run_names_it(self, working: House) -> None:
        """Prefect's page of the night, in a browser, has the run's name and its state."""
        (run,) = working.ended_nights()
        url = working.server.logged_in(f"/runs/flow-run/{run['id']}")
        text = read_page(url, working.folder)
        assert run["name"] in text
        assert "Completed" in text
        if pictures := os.environ.get("SPSETL_PICTURES"):
            draw_page(url, working.folder, Path(pictures) / f"{working.folder.name}.png")

    def test_a_pulled_plug_is_told_and_the_next_night_mends_it(self, working: House) -> None:
        """A run that loses its appliance ends Failed and is told, readers keep the last night; the next mends all."""
        before = working.fingerprint()
        working.appliance.plug_in(latency=SLOW)
        working.appliance.pass_night()
        # Not the scheduler's: Prefect tells 15 minutes late of a run that was scheduled less than 5 minutes ahead.
        started = working.start_nightly()
        working.wait_until_under_way(started)
        working.appliance.pull_plug()
        run = working.server.wait_for_state(started, "FAILED", seconds=SECONDS_FOR_A_RUN)
        assert "refuses connections" in run["state"]["message"]
        told = wait_for(lambda: working.listener.heard, "a notification", seconds=SECONDS_TO_NOTIFY)
        assert len(told) == 1  # once, although the appliance was tried twice
        assert f"Run {run['name']} of nightly-sync ended Failed" in told[0]
        assert run["state"]["message"] in told[0]
        assert working.fingerprint() == before
        working.appliance.plug_in()
        working.pass_scheduled_night()
        working.assert_equal()

    def test_a_run_cannot_name_its_program(self, working: House) -> None:
        """Neither by its deployment, which refuses it, nor past it, where the worker does not look at it."""
        server, nightly = working.server, working.server.deployment(NIGHTLY)
        marker, elsewhere = working.folder / "marker", working.folder / "elsewhere"
        for variables in (
            {"command": f"touch {marker}"},
            {"env": {"SPSETL_DATA_DIR": str(elsewhere)}},
            {"working_dir": str(working.folder)},
        ):
            body = {"job_variables": variables, "state": {"type": "SCHEDULED"}}
            path = f"/deployments/{nightly['id']}/create_flow_run"
            assert server.ask_anyway("POST", path, body).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        body = {
            "flow_id": nightly["flow_id"], "deployment_id": nightly["id"], "work_pool_name": "spsetl",
            "job_variables": {"command": f"touch {marker}", "env": {"SPSETL_DATA_DIR": str(elsewhere)}},
            "parameters": {"retry_minutes": 0.01}, "state": {"type": "SCHEDULED"},
        }  # fmt: skip
        started = server.ask("POST", "/flow_runs/", body)["id"]
        server.wait_for_state(started, "COMPLETED", seconds=SECONDS_FOR_A_RUN)
        assert not marker.exists()
        assert not elsewhere.exists()

    def test_one_failure_gives_one_notice(self, working: House) -> None:
        """Whether a run fails, its process is killed, or gives no sign of life and is killed when that is found out."""
        server, heard = working.server, working.listener.heard
        working.appliance.plug_in(latency=SLOW)
        working.appliance.pass_night()
        told = len(heard)
        server.change_automation("spsetl: stuck", within=SECONDS_OF_SILENCE)
        runs = []
        for first in (signal.SIGKILL, signal.SIGSTOP):
            started = working.start_nightly()
            working.wait_until_under_way(started)
            for number in (first, signal.SIGKILL):
                for process in processes_with(f"PREFECT__FLOW_RUN_ID={started}"):
                    os.kill(process, number)
                server.wait_for_state(started, "CRASHED", seconds=SECONDS_FOR_A_RUN)
            runs.append(started)
            working.appliance.plug_in(latency=SLOW)
        server.change_automation("spsetl: stuck", within=540)
        runs.append(server.start_run(server.deployment(NIGHTLY), appliances=["nobody"]))
        server.wait_for_state(runs[-1], "FAILED", seconds=SECONDS_FOR_A_RUN)
        wait_for(lambda: any(runs[-1] in text for text in heard), "the last is told", seconds=SECONDS_TO_NOTIFY)
        assert [sum(one in text for text in heard[told:]) for one in runs] == [1, 1, 1]
        assert len(heard) == told + 3
        working.appliance.plug_in()
        working.sync_now()
        working.assert_equal()

    def test_a_nightly_and_a_backfill_never_overlap(self, working: House) -> None:
        """Started together, one does its work, the other waits or is refused by the lock of the data directory."""
        working.appliance.plug_in(latency=SLOW)
        working.appliance.pass_night()
        server, now = working.server, working.appliance.world().now
        everything = {"start": (now - timedelta(days=60)).isoformat(), "end": now.isoformat()}
        together = [
            working.start_nightly(),
            server.start_run(server.deployment(BACKFILL), **everything),
        ]
        ended = [server.wait_for_state(one, "COMPLETED", "FAILED", seconds=2 * SECONDS_FOR_A_RUN) for one in together]
        assert "COMPLETED" in {one["state_type"] for one in ended}
        assert any(LOCKED in server.logs_of(one) for one in together), "they were not under way at the same time"
        for one in ended:
            assert one["state_type"] == "COMPLETED" or LOCKED in one["state"]["message"]
        working.sync_now()
        working.assert_equal()
        for (_, _, _, end), (_, _, begin, _) in pairwise(working.syncs()):
            assert end <= begin

    def test_a_cancelled_run_stops_soon_and_loses_nothing(self, working: House) -> None:
        """Cancelled as the UI does it: the process ends within 10 s, the state says so; the next night is whole."""
        before = working.fingerprint()
        working.appliance.plug_in(latency=SLOW)
        working.appliance.pass_night()
        server = working.server
        run = working.start_nightly()
        working.wait_until_under_way(run)
        processes = processes_with(f"PREFECT__FLOW_RUN_ID={run}")
        assert processes
        server.ask("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
        wait_for(lambda: not any(map(is_running, processes)), "its process ends", seconds=SECONDS_TO_CANCEL)
        asked = working.appliance.asked()
        server.wait_for_state(run, "CANCELLED", seconds=SECONDS_TO_SAY_SO)
        assert working.appliance.asked() == asked
        assert working.fingerprint() == before
        working.appliance.plug_in()
        working.sync_now()
        working.assert_equal()


class TestOnSqlite(Nights):
    """Prefect's server as it is by default."""

    database = "sqlite"


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
class TestOnPostgresql(Nights):
    """Prefect's server as the guide sets it up for good."""

    database = "postgresql"
