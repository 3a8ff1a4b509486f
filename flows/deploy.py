"""Sets up all that Prefect needs, by one command from the repository root, as often as you like.

    python -m flows.deploy [--cron "15 1 * * *"] [--time-zone Europe/Budapest] [--notify slack-webhook/oncall]

It makes the work pool, deploys `deployments/prefect.yaml`, and makes or changes the automations of
`deployments/automations/`. The server is the one of PREFECT_API_URL, the login that of PREFECT_API_AUTH_STRING.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

import yaml  # type: ignore[import-untyped]
from cyclopts import App, Parameter
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.workers.process import ProcessWorker

from spsetl.doctor.scheduler import MAKE_LOGIN, USE_LOGIN, is_open_to_all
from spsetl.errors import LoginError, SpsetlError, UsageError

ROOT: Final = Path(__file__).resolve().parents[1]
PREFECT_FILE: Final = Path("deployments/prefect.yaml")
AUTOMATIONS: Final = ROOT / "deployments" / "automations"
POOL: Final = "spsetl"
# A run that could name these would run anything as the worker. What runs need is the worker's own environment.
FIXED: Final = frozenset({"command", "env", "working_dir"})
_NOTIFY: Final = "send-notification"
_NOBODY: Final = (
    "warning: nobody hears of a failed night; make a notification block, and deploy again with --notify TYPE/NAME"
)

app = App(name="python -m flows.deploy", help_format="plaintext", version_flags=[])


@app.default
def deploy(
    *,
    cron: Annotated[str, Parameter(env_var="SPSETL_CRON")] = "15 1 * * *",
    time_zone: Annotated[str, Parameter(env_var="SPSETL_TIME_ZONE")] = "UTC",
    notify: Annotated[str | None, Parameter(env_var="SPSETL_NOTIFY")] = None,
    home: Annotated[Path, Parameter(env_var="SPSETL_HOME")] = ROOT,
) -> None:
    """Make the work pool, the deployments and the automations, or bring them up to date.

    Args:
        cron: When the nightly runs: minute, hour, day, month, weekday.
        time_zone: Of all schedules, by its IANA name.
        notify: The notification block that failures go to, as TYPE/NAME; without one, that of the last time is kept.
        home: The checkout on the worker's machine.
    """
    if time_zone not in available_timezones():
        raise UsageError(f"{time_zone} is no time zone; write for example Europe/Budapest")
    with get_client(sync_client=True) as client:
        require_login(client)
        block = find_block(client, notify) if notify else None
        make_pool(client)
        deploy_flows({"SPSETL_HOME": str(home), "SPSETL_CRON": cron, "SPSETL_TIME_ZONE": time_zone})
        contents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(AUTOMATIONS.glob("*.yaml"))]
        told = [make_automation(client, content, block) for content in contents]
        print(f"automations deployed: {', '.join(content['name'] for content in contents)}")
    if not any(told):
        print(_NOBODY)


def require_login(client: SyncPrefectClient) -> None:
    """Deploy to no server on which everybody may start what the worker runs.

    Raises:
        UsageError: It asks for no login.
        LoginError: It does not take ours.
    """
    url = str(client.api_url)
    if is_open_to_all(url):
        raise UsageError(f"{url} lets everybody in, who can run programs as the worker: {MAKE_LOGIN}")
    try:
        client.api_version()
    except PrefectHTTPStatusError as error:
        raise LoginError(f"{url} refuses the login (status {error.response.status_code}): {USE_LOGIN}") from error


def make_pool(client: SyncPrefectClient) -> None:
    """The work pool; in one that is there, what its runs may say of themselves is taken from them, and nothing else."""
    try:
        before = client.read_work_pool(POOL).base_job_template
    except ObjectNotFound:
        template = fix_template(ProcessWorker.get_default_base_job_template())
        description = "Runs the flows of spsetl, as processes of a worker"
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template, description=description)
        )
        print(f"work pool {POOL} made")
        return
    template = fix_template(before)
    if template != before:
        client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
        print(f"work pool {POOL}: its runs cannot name {', '.join(sorted(FIXED))} any more; the worker's own are used")


def fix_template(template: dict[str, Any]) -> dict[str, Any]:
    """The job template without what a run must not say.

    Not even a fixed `env` stays: Prefect's workers lay a run's own over it, whatever the variables are.
    """
    configuration, variables = template.get("job_configuration", {}), template.get("variables", {})
    properties = {name: value for name, value in variables.get("properties", {}).items() if name not in FIXED}
    return template | {
        "job_configuration": {name: value for name, value in configuration.items() if name not in FIXED},
        "variables": variables | {"properties": properties, "additionalProperties": False},
    }


def deploy_flows(variables: dict[str, str]) -> None:
    """`prefect deploy --all`; Prefect's own words are shown when it fails.

    Raises:
        UsageError: It failed.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(PREFECT_FILE), "--all"]
    done = subprocess.run(  # noqa: S603 our own command
        command, cwd=ROOT, env=os.environ | variables, check=False, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        raise UsageError(f"prefect deploy failed, see above; exit code {done.returncode}")
    print(f"{PREFECT_FILE} deployed: nightly at {variables['SPSETL_CRON']}, {variables['SPSETL_TIME_ZONE']}")


def find_block(client: SyncPrefectClient, name: str) -> str:
    """The id of a notification block, by TYPE/NAME or by its name alone.

    Raises:
        UsageError: There is none, or there are several.
    """
    kind, _, own_name = name.rpartition("/")
    found = [
        block
        for block in client.read_block_documents(include_secrets=False)
        if block.name == own_name
        and (not kind or (block.block_type and block.block_type.slug == kind))
        and block.block_schema
        and "notify" in block.block_schema.capabilities
    ]
    if len(found) != 1:
        raise UsageError(f"there are {len(found)} notification blocks {name}; see prefect block ls, write TYPE/NAME")
    return str(found[0].id)


def make_automation(client: SyncPrefectClient, content: dict[str, Any], block: str | None) -> bool:
    """Make or change the automation of this name; whether somebody is notified.

    One that somebody has switched off stays off, and without another block the one that it notifies is kept.
    """
    [before, *_] = [*client.read_automations_by_name(content["name"]), None]
    actions = _actions(content["actions"], block or _block_of(before))
    automation = AutomationCore.model_validate(
        content | {"actions": actions, "enabled": before.enabled if before else True}
    )
    if before:
        client.update_automation(before.id, automation)
    else:
        client.create_automation(automation)
    return any(action["type"] == _NOTIFY for action in actions)


def _block_of(automation: Automation | None) -> str | None:
    actions = automation.actions if automation else []
    return next((str(action.block_document_id) for action in actions if action.type == _NOTIFY), None)


def _actions(actions: list[dict[str, Any]], block: str | None) -> list[dict[str, Any]]:
    """The actions with the block that is notified; without one, what else there is to do."""
    if block:
        return [action | ({"block_document_id": block} if action["type"] == _NOTIFY else {}) for action in actions]
    return [action for action in actions if action["type"] != _NOTIFY] or [{"type": "do-nothing"}]


if __name__ == "__main__":
    try:
        app()
    except SpsetlError as error:
        print(f"flows.deploy: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
