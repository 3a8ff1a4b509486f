"""What every rival is told, and how each logs in. They share no environment: this takes requests and nothing else."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

SESSIONS = "api/audit/sessions"
FIELDS = "*,revision"
PAGE = 500
KINDS = ("channels", "events", "alerts")


def read_task() -> dict[str, Any]:
    """What to fetch, and from where: the file that the program was started with.

    `url`, `username`, `password`, `connections`; `filters`: queries that each give less than 10000 sessions, and
    together all; `details`: whether to fetch those too; `folder`: where to leave what is made.
    """
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return task


def log_in(task: dict[str, Any], session: requests.Session | None = None) -> str:
    """The cookie of a login, which the session has then, too."""
    session = session or requests.Session()
    credentials = (task["username"], task["password"])
    session.get(f"{task['url']}/api/authentication", auth=credentials, timeout=60).raise_for_status()
    return str(session.cookies["session_id"])


def quoted(key: str) -> str:
    """A session's key as a part of a path."""
    return quote(key, safe="")


def say(**outcome: Any) -> None:
    """The one line of JSON at the end."""
    print(json.dumps(outcome), flush=True)
