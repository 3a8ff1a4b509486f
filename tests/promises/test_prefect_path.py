"""Prefect's path without a server: the login, what runs may name, notices, artifacts, the lock of a run that ends."""

import asyncio
import re
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import yaml
from markdown_it import MarkdownIt
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import TerminationSignal
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from deployments.systemd import units
from flows import show
from flows.deploy import AUTOMATIONS, FIXED, fix_template, require_login
from spsetl.doctor.scheduler import check_prefect
from spsetl.errors import LoginError, SpsetlError, UnavailableError, UsageError
from spsetl.interrupts import Terminated
from spsetl.runs import Run
from spsetl.sync.data_dir import find_holder, hold_lock

DEPLOYMENTS: Final = Path(__file__).parents[2] / "deployments"
MAKE_LOGIN: Final = DEPLOYMENTS / "make-login.sh"
LOGIN: Final = "spsetl:secret-of-the-server"
ORIGIN: Final = "http://127.0.0.1:4200"
HOSTILE: Final = (
    "# heading",
    "a | b | c",
    "- item",
    "1. item",
    "`code` **bold** _slanted_ ~~gone~~",
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "[here](https://elsewhere.example)",
    "![](https://elsewhere.example/pixel.png)",
    "a\n\n# heading\n\n| x |\n| --- |\n",
    "a\n===\n---",
    "> quoted",
    "&lt;b&gt;",
    "\\| \\` \\",
    "    indented",
    "[x]: https://elsewhere.example",
    "see <https://elsewhere.example>",
)


@contextmanager
def server(login: str | None) -> Iterator[str]:
    """Something that answers as Prefect's server does to who has the login, if it asks for one; its address."""
    wanted = login and f"Basic {b64encode(login.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.path == "/api/health" or not wanted or self.headers.get("Authorization") == wanted
            is_there = self.path in {"/api/health", "/api/admin/version"}
            body = orjson.dumps("3.8.8" if is_known and is_there else {"detail": "no"})
            self.send_response(401 if not is_known else 200 if is_there else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/api"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def examine(url: str, login: str | None) -> Any:
    """What doctor finds of the server."""
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: login}):
        return next(check_prefect(20, is_fresh=True))


def test_the_login_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Two lines for server and clients; what is in the file stays, and nobody else can read it any more."""
    path = tmp_path / "prefect.env"
    path.write_text("#PREFECT_SERVER_API_AUTH_STRING=\nOTHER=1")
    path.chmod(0o644)
    subprocess.run([MAKE_LOGIN, path], check=True)
    first = path.read_text()
    subprocess.run([MAKE_LOGIN, path], check=True)
    subprocess.run([MAKE_LOGIN, tmp_path / "another"], check=True)
    lines = dict(line.split("=", 1) for line in first.splitlines() if line)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == (tmp_path / "another").stat().st_mode & 0o777 == 0o600
    assert lines["OTHER"] == "1"
    assert lines["PREFECT_API_AUTH_STRING"] == lines["PREFECT_SERVER_API_AUTH_STRING"]
    assert re.fullmatch("spsetl:[0-9a-f]{48}", lines["PREFECT_API_AUTH_STRING"])
    assert lines["PREFECT_API_AUTH_STRING"] not in (tmp_path / "another").read_text()


def test_nothing_is_deployed_to_a_server_without_login() -> None:
    """Nor to one that does not take ours; one line says what to do, and the login is not in it."""
    with server(None) as url, pytest.raises(UsageError, match=r"lets everybody in.*make-login\.sh"):
        require_login(SyncPrefectClient(url, auth_string=LOGIN))
    with server("spsetl:other") as url, pytest.raises(LoginError, match="PREFECT_API_AUTH_STRING") as refused:
        require_login(SyncPrefectClient(url, auth_string=LOGIN))
    assert "secret" not in str(refused.value)
    with server(LOGIN) as url:
        require_login(SyncPrefectClient(url, auth_string=LOGIN))
        at_login = url.replace("http://", "http://spsetl:secret-of-the-server@")
        require_login(SyncPrefectClient(at_login, auth_string=LOGIN))  # that of the address is no open door


def test_doctor_sees_whether_the_server_asks_for_a_login() -> None:
    """Red without ours, yellow where it asks for none."""
    with server(LOGIN) as url:
        found = [examine(url, login) for login in (LOGIN, "spsetl:wrong", None)]
    assert [(one.state, one.exit_code) for one in found] == [("green", 0), ("red", 4), ("red", 4)]
    assert "PREFECT_API_AUTH_STRING" in found[1].next_step
    with server(None) as url:
        found = [examine(url, login) for login in (LOGIN, None)]
    assert [one.state for one in found] == ["yellow", "yellow"]
    assert "make-login.sh" in found[0].next_step


def test_no_run_names_its_program() -> None:
    """Whatever a run says, the worker takes none of it; what else a pool's owner has set stays."""
    template = ProcessWorker.get_default_base_job_template()
    template["variables"]["properties"]["stream_output"]["default"] = False
    fixed = fix_template(template)
    said = {"command": "touch /tmp/x", "env": {"PYTHONPATH": "/tmp"}, "working_dir": "/tmp", "env.LD_PRELOAD": "x"}  # noqa: S108
    ask: Any = ProcessJobConfiguration.from_template_and_values
    taken = asyncio.run(ask(base_job_template=fixed, values=said, client=object()))
    assert (taken.command, taken.env, taken.working_dir) == (None, {}, None)
    assert taken.stream_output is False
    assert fix_template(fixed) == fixed
    assert fixed["variables"]["additionalProperties"] is False
    deployed = (DEPLOYMENTS / "prefect.yaml").read_text("utf-8")
    assert not {name for name in FIXED if re.search(rf"^\s*{name}:", deployed, re.MULTILINE)}


def test_units_and_containers_use_the_login() -> None:
    """Made before the server starts, given to all that speak with it, asked for from no page but the UI's own."""
    server_, worker = (
        units.read_unit((DEPLOYMENTS / "systemd" / f"spsetl-prefect-{name}.service").read_text("utf-8"))
        for name in ("server", "worker")
    )
    file = "/etc/spsetl/prefect.env"
    assert units.command_of(server_, "ExecStartPre") == ["+/srv/spsetl/deployments/make-login.sh", file]
    assert all(f"-{file}" in unit["Service"]["EnvironmentFile"] for unit in (server_, worker))
    assert "--host 127.0.0.1" in " ".join(units.command_of(server_))
    assert units.environment_of(server_, {})["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == ORIGIN
    compose = yaml.safe_load((DEPLOYMENTS / "docker" / "compose.yaml").read_text("utf-8"))
    services = compose["services"]
    assert [name for name, one in services.items() if "prefect.env" in one.get("env_file", [])] == [
        "server", "deploy", "worker",
    ]  # fmt: skip
    assert services["server"]["environment"]["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == ORIGIN
    assert all(port.startswith("127.0.0.1:") for port in services["server"]["ports"])
    assert compose["networks"]["prefect"] == {"internal": True}
    assert [name for name, one in services.items() if "notices" in one["networks"]] == ["server"]
    assert "outside" not in services["server"]["networks"]


@pytest.mark.parametrize("end", ["Failed", "Crashed"])
def test_one_failed_night_is_told_once(end: str) -> None:
    """Of the automations that notify, one reacts to the end of a nightly, and none waits for a better one."""
    found = [yaml.safe_load(path.read_text("utf-8")) for path in AUTOMATIONS.glob("*.yaml")]
    tell = [one for one in found if any(action["type"] == "send-notification" for action in one["actions"])]
    event = f"prefect.flow-run.{end}"
    react = [one["name"] for one in tell if one["trigger"]["posture"] == "Reactive"]
    waiting = [one["name"] for one in tell if one["trigger"]["posture"] == "Proactive"]
    assert react == ["spsetl: failed"]
    assert all(event in one["trigger"]["expect"] for one in tell)
    assert waiting == ["spsetl: late"]
    [stuck] = [one for one in found if one not in tell]
    assert stuck["actions"][0] == stuck["actions"][-1]
    assert stuck["actions"][0]["state"] == "CRASHED"  # which is told as any other


def blocks(markdown: str) -> list[tuple[str, str]]:
    """What a text is made of, and its words."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    flat = [part for token in tokens for part in (token, *(token.children or []))]
    return [(part.type, part.tag) for part in flat if part.type not in {"text", "text_special"}]


def words(markdown: str) -> str:
    """The text that is shown."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    return " ".join("".join(part.content for part in token.children or []) for token in tokens if token.children)


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_others_are_shown_as_they_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a warning, an error: the artifact has the same parts as with a harmless one, and its words."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(show, "create_markdown_artifact", lambda **artifact: shown.append(artifact))

    def artifacts(said: str) -> list[str]:
        shown.clear()
        show.show_failure(said, UnavailableError(said), "sync")
        report = Run(run_id="1", appliance=said, strategy="windows", warnings=[said, said])
        return [
            *(str(one[part]) for one in shown for part in ("markdown", "description")),
            show.describe_sync(report, []),
        ]

    harmless, hostile = artifacts("harmless"), artifacts(text)
    for one, other in zip(harmless, hostile, strict=True):
        assert blocks(other) == blocks(one)
        assert words(other) == words(one).replace("harmless", " ".join(text.split()))
        assert not re.search(r"(?<!\\):" + r"//|(?<!\\)@|www\.", other)  # some renderers make links of these


@pytest.mark.parametrize("error", [TerminationSignal(15), Terminated()])
def test_a_run_that_is_told_to_end_holds_the_lock_until_it_is_gone(error: BaseException, tmp_path: Path) -> None:
    """Its steps may be at work until then; an error of a run that goes on lets go of it."""
    with pytest.raises(SpsetlError), hold_lock(tmp_path):
        raise UnavailableError("gone")
    assert find_holder(tmp_path) is None
    with pytest.raises(type(error)), hold_lock(tmp_path):
        raise error
    assert find_holder(tmp_path) is not None
