"""A Superset of its own, prepared and started as its README says, and its API."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final, Self

import requests

ROOT: Final = Path(__file__).parents[2]
DEPLOYMENT: Final = ROOT / "deployments" / "bi" / "superset"
BIN: Final = ROOT / ".venv-superset" / "bin"
DASHBOARD: Final = "privileged-sessions"
SECONDS_TO_START: Final = 120
_LISTENING: Final = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")


class Superset:
    """Superset on a free port of 127.0.0.1 for one warehouse; a context manager."""

    def __init__(self, home: Path, warehouse: Path) -> None:
        self._home = home
        self._warehouse = warehouse
        self._log = home.with_name("superset.log")
        self._session = requests.Session()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SUPERSET_")} | {
            "SUPERSET_HOME": str(home),
            "SUPERSET_CONFIG_PATH": str(DEPLOYMENT / "superset_config.py"),
        }

    def __enter__(self) -> Self:
        self.prepare()
        command = [str(BIN / "gunicorn"), "--workers", "2", "--bind", "127.0.0.1:0", "superset.app:create_app()"]
        with self._log.open("wb") as log:
            # A session of its own, so that its workers end with it.
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, start_new_session=True)
        try:
            self._url = self._wait_for_address()
            self._login()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._stop()

    def prepare(self) -> None:
        """What a person does once, and again after an upgrade."""
        command = [str(BIN / "python"), str(DEPLOYMENT / "prepare.py"), str(self._warehouse)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]

    def get(self, path: str) -> Any:
        """The JSON of an answer, which must be 200."""
        return self._checked(self._session.get(self._url + path, timeout=120))

    def post(self, path: str, body: object) -> requests.Response:
        """The answer, whatever it is."""
        return self._session.post(self._url + path, json=body, timeout=120)

    def charts(self) -> dict[str, int]:
        """The dashboard's charts, names and numbers."""
        return {one["slice_name"]: one["id"] for one in self.get(f"/api/v1/dashboard/{DASHBOARD}/charts")["result"]}

    def rows(self, number: int) -> list[dict[str, Any]]:
        """A chart's data."""
        (answer,) = self.get(f"/api/v1/chart/{number}/data/")["result"]
        assert answer["error"] is None
        return list(answer["data"])

    def rows_within(self, number: int, time_range: str) -> list[dict[str, Any]]:
        """A chart's data as the dashboard asks for it when its filter names a range of time."""
        context = self.get(f"/api/v1/chart/{number}")["result"]["query_context"]
        body = json.loads(context)
        for query in body["queries"]:
            query["time_range"] = time_range
        (answer,) = self._checked(self.post("/api/v1/chart/data", body))["result"]
        return list(answer["data"])

    def run_sql(self, statement: str) -> requests.Response:
        """The answer of SQL Lab, where a person types SQL."""
        (database,) = self.get("/api/v1/database/")["result"]
        # Superset keeps eleven characters at most of what tells one query from another.
        body = {"database_id": database["id"], "sql": statement, "client_id": os.urandom(5).hex()}
        return self.post("/api/v1/sqllab/execute/", body)

    def _login(self) -> None:
        password = (self._home / "admin-password").read_text(encoding="utf-8").strip()
        login = self.post("/api/v1/security/login", {"username": "admin", "password": password, "provider": "db"})
        self._session.headers["Authorization"] = f"Bearer {self._checked(login)['access_token']}"
        self._session.headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/")["result"]

    def _checked(self, answer: requests.Response) -> Any:
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code} {answer.text[:2000]}"
        return answer.json()

    def _wait_for_address(self) -> str:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := _LISTENING.search(self._log.read_text(encoding="utf-8")):
                return found[1]
            time.sleep(0.1)
        raise AssertionError(f"Superset did not start: {self._log.read_text(encoding='utf-8')[-4000:]}")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
