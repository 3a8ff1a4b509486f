"""A client of the simulated appliance that shares nothing with the one it is there to test."""

from collections.abc import Callable
from typing import Any

import requests

from spsetl.simulator import Simulator

SESSIONS = "/api/audit/sessions"
SNAPSHOT = f"{SESSIONS}/_snapshot"
AUTH = ("audit", "sps-audit")


class Browser:
    """Asks a simulated appliance as a logged-in client would."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.http = requests.Session()
        self.log_in()

    def log_in(self, auth: tuple[str, str] = AUTH, **params: str) -> requests.Response:
        """Logs in."""
        return self.http.get(f"{self.simulator.url}/api/authentication", auth=auth, params=params, timeout=10)

    def get(self, path: str, **params: Any) -> requests.Response:
        """One answer, whatever its status."""
        return self.http.get(self.simulator.url + path, params=params, timeout=10)

    def ask(self, path: str = SESSIONS, **params: Any) -> dict[str, Any]:
        """The body of an answer, which must succeed."""
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def walk(self, path: str) -> list[dict[str, Any]]:
        """All items, following next."""
        items: list[dict[str, Any]] = []
        following: str | None = path
        while following:
            answer = self.ask(following)
            items += answer["items"]
            following = answer["meta"]["next"]
        return items


Open = Callable[..., Browser]


def error(answer: requests.Response) -> tuple[int, str]:
    """Status and type of an error."""
    return answer.status_code, answer.json()["error"]["type"]
