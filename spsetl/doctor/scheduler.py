"""Prefect: whether its server answers, and whether the nightly will really be started. The library's one use of it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from spsetl.doctor.deadline import within
from spsetl.doctor.finding import Finding
from spsetl.errors import LoginError

NIGHTLY: Final = "nightly-sync/nightly"
MAKE_LOGIN: Final = "make a login with deployments/make-login.sh .env, and start the server and the worker again"
USE_LOGIN: Final = "set PREFECT_API_AUTH_STRING to the server's, or run this where its .env lies"

_CHECK: Final = "Prefect"
_DEPLOY: Final = "deploy it: .venv/bin/python -m flows.deploy"
_LATE: Final = timedelta(minutes=15)
_UNREACHABLE: Final = 5
_WRONG_SETTINGS: Final = 2


@dataclass(frozen=True)
class Nightly:
    """What a server says of the nightly.

    Attributes:
        is_paused: Whether somebody has paused it.
        has_schedule: Whether it has a schedule that is on.
        has_worker: Whether a worker asks for its runs.
        next_start: When the earliest of its scheduled runs is due (aware); None if none is scheduled.
    """

    is_paused: bool
    has_schedule: bool
    has_worker: bool
    next_start: datetime | None


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
        text = f"its settings cannot be read ({type(error).__name__})"
        yield Finding(_CHECK, "yellow", text, "run prefect version, which says more")
        return
    if url is None:
        yield _check_without(is_fresh=is_fresh)
        return
    shown = _without_login(url)
    try:
        nightly, is_open = within(timeout, lambda: (fetch_nightly(timeout), is_open_to_all(url, timeout)))
    except Exception as error:  # noqa: BLE001 - Prefect, httpx and pydantic each have errors of their own
        yield _judge_failure(shown, error)
        return
    facts = {"url": shown}
    if is_open:
        text = f"{shown} lets everybody in, who can run programs as the worker"
        yield Finding(_CHECK, "yellow", text, MAKE_LOGIN, facts=facts)
    else:
        yield Finding(_CHECK, "green", f"{shown} answers", facts=facts)
    yield judge_nightly(nightly, datetime.now(UTC))


def fetch_nightly(timeout: float) -> Nightly | None:
    """What the server says of the nightly; None if it has no such deployment.

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
            return None
        scheduled = filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=[deployment.id]),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        )
        runs = client.read_flow_runs(flow_run_filter=scheduled, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=1)
    return Nightly(
        is_paused=deployment.paused,
        has_schedule=any(schedule.active for schedule in deployment.schedules),
        has_worker=deployment.status is not None and deployment.status.value == "READY",
        next_start=next((run.next_scheduled_start_time or run.expected_start_time for run in runs), None),
    )


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


def judge_nightly(nightly: Nightly | None, now: datetime) -> Finding:
    """Whether it will be started.

    Args:
        nightly: As the server says.
        now: Aware.
    """
    check = "nightly schedule"
    if nightly is None:
        return Finding(check, "yellow", f"the server has no deployment {NIGHTLY}", _DEPLOY)
    if nightly.is_paused:
        return Finding(check, "yellow", f"{NIGHTLY} is paused", "switch it on again on its page in Prefect's UI")
    if not nightly.has_schedule:
        return Finding(check, "yellow", f"{NIGHTLY} has no schedule that is on", _DEPLOY)
    if nightly.next_start is None:
        text = f"{NIGHTLY} has a schedule, but no run is scheduled: the server's scheduler does not work"
        advice = "a minute after deploying, see the server's log, and the line libraries"
        return Finding(check, "red", text, advice, _WRONG_SETTINGS)
    facts = {"next_start": nightly.next_start.isoformat()}
    start = f"{nightly.next_start.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if not nightly.has_worker or now - nightly.next_start > _LATE:
        late = now > nightly.next_start
        text = f"no worker asks for runs: {NIGHTLY} {'was' if late else 'is'} due at {start}"
        return Finding(check, "yellow", text, "start a worker: prefect worker start --pool spsetl", facts=facts)
    return Finding(check, "green", f"{NIGHTLY} starts next at {start}", facts=facts)


def _check_without(*, is_fresh: bool) -> Finding:
    if is_fresh:
        text = "no server is configured; the copy is fresh, so something else starts the syncs"
        return Finding(_CHECK, "green", text)
    text = "no server is configured, and no sync of the last night tells of another scheduler"
    return Finding(_CHECK, "yellow", text, "set PREFECT_API_URL, or let cron or a systemd timer run spsetl sync")


def _judge_failure(shown: str, error: Exception) -> Finding:
    if getattr(getattr(error, "response", None), "status_code", None) == HTTPStatus.UNAUTHORIZED:
        return Finding(_CHECK, "red", f"{shown} refuses the login", USE_LOGIN, LoginError.exit_code)
    text = f"{shown} does not answer as Prefect's API ({_reason(error)})"
    return Finding(_CHECK, "red", text, "start the server, or correct PREFECT_API_URL", _UNREACHABLE)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer within the time"
    response = getattr(error, "response", None)
    return f"status {response.status_code}" if response is not None else type(error).__name__


def _without_login(url: str) -> str:
    """The address without a user name and a password in it."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]
