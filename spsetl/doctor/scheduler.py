"""Prefect: whether its server answers, and whether the nightly will really be started. The library's one use of it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from spsetl.doctor.finding import Finding, green, red, yellow
from spsetl.doctor.way import within
from spsetl.errors import ConnectError, LoginError, SettingsError

NIGHTLY: Final = "nightly-sync/nightly"
MAKE_LOGIN: Final = "make a login with deployments/make-login.sh .env, and start the server and the worker again"
USE_LOGIN: Final = "set PREFECT_API_AUTH_STRING to the server's, or run this where its .env lies"

_CHECK: Final = "Prefect"
_SCHEDULE: Final = "nightly schedule"
_DEPLOY: Final = "deploy it: .venv/bin/python -m flows.deploy"
_LATE: Final = timedelta(minutes=15)


def find_server() -> str | None:
    """The address of Prefect's server by its own settings: environment, profile, prefect.toml; None without one."""
    # As it is imported, Prefect would send usage data, and say so on a terminal.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from prefect.settings import get_current_settings  # noqa: PLC0415 - a second, and only doctor needs it

    return get_current_settings().api.url


def check_prefect(timeout: float, *, is_fresh: bool) -> Iterator[Finding]:
    """The server and the nightly's schedule, where there are any.

    Args:
        timeout: Seconds for all of it.
        is_fresh: Whether the copy has a sync of the last night: something starts it.
    """
    try:
        url = find_server()
    except Exception as error:  # noqa: BLE001 - a broken installation raises what it likes as it is imported
        yield yellow(_CHECK, f"its settings cannot be read ({type(error).__name__}); run prefect version for more")
        return
    if url is None and is_fresh:
        yield green(_CHECK, "no server is configured; the copy is fresh, so something else starts the syncs")
    elif url is None:
        text = "no server is configured, and no sync of the last night tells of another scheduler"
        yield yellow(_CHECK, f"{text}; set PREFECT_API_URL, or let cron or a systemd timer run spsetl sync")
    else:
        yield from _check_server(url, timeout)


def _check_server(url: str, timeout: float) -> Iterator[Finding]:
    shown = _without_login(url)
    try:
        schedule, is_open = within(timeout, lambda: (_check_nightly(timeout), is_open_to_all(url, timeout)))
    except Exception as error:  # noqa: BLE001 - Prefect, httpx and pydantic each have errors of their own
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == HTTPStatus.UNAUTHORIZED:
            yield red(_CHECK, LoginError(f"{shown} refuses the login; {USE_LOGIN}"))
            return
        silent = "no answer within the time" if isinstance(error, TimeoutError) else type(error).__name__
        text = f"{shown} does not answer as Prefect's API ({f'status {status}' if status else silent})"
        yield red(_CHECK, ConnectError(f"{text}; start the server, or correct PREFECT_API_URL"))
        return
    if is_open:
        text = f"{shown} lets everybody in, who can run programs as the worker"
        yield yellow(_CHECK, f"{text}; {MAKE_LOGIN}", url=shown)
    else:
        yield green(_CHECK, f"{shown} answers", url=shown)
    yield schedule


def _check_nightly(timeout: float) -> Finding:
    """What the server says of the nightly.

    Raises:
        Exception: The server does not answer, or not as Prefect's does.
    """
    # A second, and only doctor needs them.
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas import filters  # noqa: PLC0415
    from prefect.client.schemas.objects import StateType  # noqa: PLC0415
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

    with get_client(sync_client=True, httpx_settings={"timeout": timeout}) as client:
        if trouble := client.api_healthcheck():
            raise trouble
        try:
            deployment = client.read_deployment_by_name(NIGHTLY)
        except ObjectNotFound:
            return yellow(_SCHEDULE, f"the server has no deployment {NIGHTLY}; {_DEPLOY}")
        scheduled = filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        )
        runs = client.read_flow_runs(flow_run_filter=scheduled, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=1)
    starts = [run.next_scheduled_start_time or run.expected_start_time for run in runs]
    return _judge(deployment, starts[0] if starts else None, datetime.now(UTC))


def _judge(deployment: Any, start: datetime | None, now: datetime) -> Finding:
    """Whether the nightly will be started; `start` is when the earliest of its scheduled runs is due."""
    if deployment.paused:
        return yellow(_SCHEDULE, f"{NIGHTLY} is paused; switch it on again on its page in Prefect's UI")
    if not any(schedule.active for schedule in deployment.schedules):
        return yellow(_SCHEDULE, f"{NIGHTLY} has no schedule that is on; {_DEPLOY}")
    if start is None:
        text = f"{NIGHTLY} has a schedule, but no run is scheduled: the server's scheduler does not work"
        advice = "a minute after deploying, see the server's log, and the line libraries"
        return red(_SCHEDULE, SettingsError(f"{text}; {advice}"))
    due = f"{start.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    has_worker = deployment.status is not None and deployment.status.value == "READY"
    if not has_worker or now - start > _LATE:
        text = f"no worker asks for runs: {NIGHTLY} {'was' if now > start else 'is'} due at {due}"
        advice = "start a worker: prefect worker start --pool spsetl"
        return yellow(_SCHEDULE, f"{text}; {advice}", next_start=start.isoformat())
    return green(_SCHEDULE, f"{NIGHTLY} starts next at {due}", next_start=start.isoformat())


def is_open_to_all(url: str, timeout: float | None = None) -> bool:
    """Whether the server gives answers to whoever asks without a login.

    Raises:
        Exception: It does not answer.
    """
    # A second, and only doctor needs them.
    from prefect.client.orchestration import SyncPrefectClient  # noqa: PLC0415
    from prefect.exceptions import PrefectHTTPStatusError  # noqa: PLC0415

    settings = {} if timeout is None else {"timeout": timeout}
    with SyncPrefectClient(_without_login(url), httpx_settings=settings) as stranger:
        try:
            stranger.api_version()
        except PrefectHTTPStatusError:
            return False
    return True


def _without_login(url: str) -> str:
    """The address without a user name and a password in it."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]
