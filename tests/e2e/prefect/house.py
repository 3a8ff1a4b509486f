"""All that a machine with a nightly sync has: Prefect's server and worker, an appliance, the copy, and who is told."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from spsetl.simulator import WorldSpec
from tests.e2e.prefect.appliance import PASSWORD, USERNAME, Appliance
from tests.e2e.prefect.listener import Listener
from tests.e2e.prefect.postgres import postgres
from tests.e2e.prefect.programs import Program, run, wait_for
from tests.e2e.prefect.server import ENDED, Json, Server
from tests.oracle import assert_equal_copy
from tests.syncing import NAME, ask

SPEC: Final = WorldSpec(sessions=300, days=10)
NIGHTLY: Final = "nightly-sync/nightly"
BACKFILL: Final = "backfill/backfill"
POOL: Final = "spsetl"
# A run's process starts in some 5 s where nothing else is going on.
SECONDS_FOR_A_RUN: Final = 90
SECONDS_FOR_THE_SCHEDULER: Final = 30  # its loops turn every 3 s here


@dataclass
class House:
    """What the tests act on and look at."""

    server: Server
    appliance: Appliance
    listener: Listener
    folder: Path
    seen: set[str] = field(default_factory=set)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """The worker's: settings, and where the password is."""
        password = self.folder / "password"
        if not password.exists():
            password.touch(mode=0o600)
            password.write_text(PASSWORD, encoding="utf-8")
        settings = {
            "URL": self.appliance.url,
            "USERNAME": USERNAME,
            "PASSWORD_FILE": str(password),
            "APPLIANCE": NAME,
            "DATA_DIR": str(self.data),
        }
        hurried = {"PYTHONPATH": str(Path(__file__).parent / "hurried")}
        return self.server.environment | hurried | {f"SPSETL_{name}": value for name, value in settings.items()}

    def deploy(self, **settings: str) -> None:
        """The one command that sets up all; failures go to the listener."""
        command = (sys.executable, "-m", "flows.deploy", "--notify", self.server.make_webhook(self.listener.url))
        done = run(*command, environment=self.environment | settings)
        assert done.returncode == 0, done.stdout + done.stderr

    def spsetl(self, *arguments: str) -> Any:
        """The JSON that a command of the command line ends with."""
        done = run(sys.executable, "-m", "spsetl", *arguments, "--json", environment=self.environment)
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout)

    def examine(self, environment: dict[str, str]) -> dict[str, Json]:
        """What doctor finds in an environment, by its checks; some may be red."""
        done = run(sys.executable, "-m", "spsetl", "doctor", "--json", environment=environment)
        return {one["check"]: one for one in orjson.loads(done.stdout)["checks"]}

    @contextmanager
    def worker(self) -> Iterator[Program]:
        """`prefect worker start`, until the block ends."""
        command = (sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "night")
        with Program(*command, log=self.folder / "worker.log", environment=self.environment) as worker:
            yield worker

    def fall_due(self) -> datetime:
        """The nightly's schedule fires once, in a moment; gives when."""
        nightly = self.server.deployment(NIGHTLY)
        (schedule,) = nightly["schedules"]
        moment = datetime.now(UTC) + timedelta(seconds=6)
        change = {"schedule": {"cron": once(moment), "timezone": "UTC"}}
        self.server.ask("PATCH", f"/deployments/{nightly['id']}/schedules/{schedule['id']}", change)
        return moment.replace(microsecond=0)

    def wait_for_due(self, moment: datetime) -> Json:
        """The run that the scheduler makes for that moment."""

        def due() -> list[Json]:
            runs = self.server.runs(self.server.deployment(NIGHTLY))
            return [one for one in runs if datetime.fromisoformat(one["expected_start_time"]) == moment]

        (run,) = wait_for(due, f"the scheduler makes a run for {moment}", seconds=SECONDS_FOR_THE_SCHEDULER)
        assert run["auto_scheduled"]
        return run

    def pass_scheduled_night(self) -> Json:
        """The scheduler lets the nightly run, and the worker takes it; the run once it has ended."""
        run = self.wait_for_due(self.fall_due())
        return self.server.wait_for_state(run["id"], "COMPLETED", seconds=SECONDS_FOR_A_RUN)

    def wait_until_under_way(self, run: str) -> None:
        """A run asks the appliance for details: it is in the middle of its work."""

        def look() -> bool:
            return self.appliance.asked_for_details() or self.server.run(run)["state_type"] in ENDED

        wait_for(look, "the sync is under way", seconds=SECONDS_FOR_A_RUN)
        assert self.server.run(run)["state_type"] == "RUNNING", self.server.logs_of(run)

    def start_nightly(self) -> str:
        """The nightly started by hand, which soon tries again what cannot be reached; the run's id."""
        return self.server.start_run(self.server.deployment(NIGHTLY), retry_minutes=0.01)

    def sync_now(self) -> Json:
        """The nightly started by hand; the run once it has ended well."""
        return self.server.wait_for_state(self.start_nightly(), "COMPLETED", seconds=SECONDS_FOR_A_RUN)

    def ended_nights(self) -> list[Json]:
        """The nightly's runs that have ended."""
        runs = self.server.runs(self.server.deployment(NIGHTLY))
        return [one for one in runs if one["state_type"] in ENDED]

    def assert_equal(self) -> None:
        """The copy is what the appliance shows now, and what has gone is marked."""
        world = self.appliance.world()
        keys = set(world.keys())
        self.seen |= keys
        warehouse = self.data / "warehouse.duckdb"
        assert_equal_copy(world, warehouse, appliance=NAME, gone=self.seen - keys)

    def fingerprint(self) -> str:
        """Of the published file."""
        return hashlib.sha256((self.data / "warehouse.duckdb").read_bytes()).hexdigest()

    def syncs(self) -> list[tuple[Any, ...]]:
        """Kind, status, begin and end of each run that the copy knows the end of."""
        ended = "from sync_runs where finished_at is not null order by started_at"
        return ask(self.data, f"select kind, status, started_at, finished_at {ended}")


def once(moment: datetime) -> str:
    """A cron line for one second of this year. The sixth field is the second."""
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} * {moment.second}"


@contextmanager
def house(kind: str, folder: Path) -> Iterator[House]:
    """A house whose Prefect keeps its things in `sqlite` or `postgresql`; all that runs in it ends with the block."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres()) if kind == "postgresql" else None
        appliance = stack.enter_context(Appliance(SPEC, folder))
        listener = stack.enter_context(Listener())
        server = stack.enter_context(Server(folder, database=database))
        yield House(server, appliance, listener, folder)
