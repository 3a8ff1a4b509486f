"""A Prefect server as a process of its own, and its API as plain HTTP."""

import os
import sys
from base64 import b64encode
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self

import requests

from tests.e2e.prefect.programs import ROOT, Program, free_port, run, wait_for

SECONDS_TO_START: Final = 120
SECONDS_TO_ANSWER: Final = 60
# Prefect's own names. The loops turn every 3 s, so that a scheduler that does nothing is found out soon.
QUIET: Final = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
    "PREFECT_SERVER_SERVICES_SCHEDULER_DEPLOYMENT_LOOP_SECONDS": "3",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}
WEBHOOK: Final = "oncall"
ENDED: Final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

Json = dict[str, Any]


def bare_environment() -> dict[str, str]:
    """This process's environment without settings of spsetl or Prefect."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SPSETL_", "PREFECT_"))}


def make_login(path: Path) -> dict[str, str]:
    """The login that the guides make, as a program is given it."""
    done = run(ROOT / "deployments" / "make-login.sh", path, environment={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").split())


class Server:
    """`prefect server start` on a free port, its home and database its own.

    Attributes:
        url: Where its UI is.
        environment: What makes a program use this server, and no other.
    """

    def __init__(self, folder: Path, *, database: str | None) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.home = folder / "home"
        own = {"PREFECT_HOME": str(self.home), "PREFECT_API_URL": f"{self.url}/api"}
        self.login = make_login(folder / "prefect.env")
        self.environment = bare_environment() | QUIET | own | self.login
        # By default the server unpacks its UI beside its own code, and two servers would do so at the same time.
        self._pages = folder / "ui" / "v1"
        extra = {"PREFECT_UI_STATIC_DIRECTORY": str(folder / "ui")}
        extra |= {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database} if database else {}
        self._program = Program(
            *(sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)),
            log=folder / "server.log",
            environment=self.environment | extra,
        )
        self._session = requests.Session()
        self._session.auth = tuple(self.login["PREFECT_API_AUTH_STRING"].split(":"))

    def __enter__(self) -> Self:
        self._program.__enter__()
        try:
            self._program.wait_until(self._is_healthy, "the Prefect server starts", seconds=SECONDS_TO_START)
        except BaseException:
            self._program.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._program.stop()

    @property
    def log(self) -> str:
        """The end of what the server has said."""
        return self._program.said

    def logged_in(self, path: str) -> str:
        """The address of a page that lets a browser log in as a person does, and leads on to the path of the UI."""
        login = b64encode(self.login["PREFECT_API_AUTH_STRING"].encode()).decode()
        script = f"localStorage.setItem('prefect-password', '{login}'); location.replace('{path}')"
        (self._pages / "log-in.html").write_text(f"<script>{script}</script>", encoding="utf-8")
        return f"{self.url}/log-in.html"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer, which must succeed."""
        answer = self.ask_anyway(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:2000]}\n{self.log}"
        return answer.json() if answer.content else None

    def ask_anyway(self, method: str, path: str, body: object = None) -> requests.Response:
        """The answer, which may be a refusal."""

        def answers() -> list[requests.Response]:
            try:
                found = self._session.request(method, f"{self.url}/api{path}", json=body, timeout=SECONDS_TO_ANSWER)
            except requests.ReadTimeout:
                if method == "GET":
                    return []
                raise
            return [] if found.status_code == HTTPStatus.SERVICE_UNAVAILABLE else [found]

        # SQLite has one writer at a time: a busy server says 503, or once nothing; its own client asks again, too.
        (answer,) = wait_for(answers, f"{method} {path} is answered", seconds=2 * SECONDS_TO_ANSWER)
        return answer

    def make_webhook(self, url: str) -> str:
        """A notification block that posts what it is told; TYPE/NAME."""
        kind = self.ask("GET", "/block_types/slug/custom-webhook")
        schemas = {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}}
        schema = self.ask("POST", "/block_schemas/filter", schemas)[0]
        found = self.ask("GET", "/block_types/slug/custom-webhook/block_documents")
        if not any(one["name"] == WEBHOOK for one in found):
            told = {"name": "listener", "url": url, "json_data": {"text": "{{subject}}\n{{body}}"}}
            body = {"name": WEBHOOK, "data": told, "block_type_id": kind["id"], "block_schema_id": schema["id"]}
            self.ask("POST", "/block_documents/", body)
        return f"custom-webhook/{WEBHOOK}"

    def deployment(self, name: str) -> Json:
        """A deployment by `flow/deployment`."""
        return dict(self.ask("GET", f"/deployments/name/{name}"))

    def deployments(self) -> list[Json]:
        """All deployments."""
        return list(self.ask("POST", "/deployments/filter", {}))

    def automations(self) -> list[Json]:
        """All automations."""
        return list(self.ask("POST", "/automations/filter", {}))

    def change_automation(self, name: str, *, within: int) -> None:
        """Let an automation wait so many seconds for what it expects."""
        (found,) = [one for one in self.automations() if one["name"] == name]
        kept = {key: found[key] for key in ("name", "description", "enabled", "actions")}
        self.ask("PUT", f"/automations/{found['id']}", kept | {"trigger": found["trigger"] | {"within": within}})

    def runs(self, deployment: Json) -> list[Json]:
        """The deployment's runs, those to come included, the earliest first."""
        body = {"deployments": {"id": {"any_": [deployment["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}
        return list(self.ask("POST", "/flow_runs/filter", body))

    def run(self, number: str) -> Json:
        """A run by its id."""
        return dict(self.ask("GET", f"/flow_runs/{number}"))

    def start_run(self, deployment: Json, **parameters: object) -> str:
        """Let it run as soon as a worker takes it; the run's id."""
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def wait_for_state(self, number: str, *names: str, seconds: float) -> Json:
        """The run once its state is of one of these types; an AssertionError if it ends otherwise."""

        def look() -> Json | None:
            found = self.run(number)
            return found if found["state_type"] in {*names, *ENDED} else None

        found = wait_for(look, f"the run becomes {' or '.join(names)}", seconds=seconds)
        assert found is not None
        assert found["state_type"] in names, f"{found['state']['message']}\n{self.logs_of(number)}"
        return found

    def logs_of(self, number: str) -> str:
        """The run's log as the UI shows it."""
        body = {"logs": {"flow_run_id": {"any_": [number]}}, "sort": "TIMESTAMP_ASC"}
        return "\n".join(line["message"] for line in self.ask("POST", "/logs/filter", body))

    def artifacts(self) -> dict[str, Json]:
        """The latest artifact of each key."""
        return {one["key"]: one for one in self.ask("POST", "/artifacts/latest/filter", {})}

    def _is_healthy(self) -> bool:
        try:
            return self._session.get(f"{self.url}/api/health", timeout=5).ok
        except requests.ConnectionError:
            return False
