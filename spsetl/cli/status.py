"""`spsetl status`: how far the copy is, how the last runs went, and whether one is under way."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import orjson
from cyclopts import Parameter
from cyclopts.validators import Number

from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_table
from spsetl.errors import IncompleteError, UsageError
from spsetl.events import complain
from spsetl.runs import name_misfits
from spsetl.sync.status import CopyState, fetch_state

DEFAULTS = DataOptions()
_SHOWN: Final = ("retention_days", "lag_days", "days_left", "state")
_OF_A_RUN: Final = ("last_run", "last_runs")


def status(
    *,
    options: DataOptions = DEFAULTS,
    json: bool = False,
    max_age: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
) -> int:
    """Tell how far the copy is: sessions, the last sync, what is still pending, and whether clean-up may come first.

    Needs no lock and no appliance: it may be asked at any time, also while a sync is at work. Ends with exit code 0,
    with 2 where nothing is published yet, and with --max-age as said there.

    Args:
        options: Where the copy is.
        json: One JSON object on stdout, for monitoring; also where nothing is published yet: published_at, is_running
            (null: this user may not look), running (process, host, since), and for each of appliances age_seconds of
            its last complete sync, counts of sessions, windows, pending details and quarantined rows, misfits (values
            of that sync that fit no column, by field), last_run and last_runs (status, exit_code, error, times), then
            retention and warnings.
        max_age: Hours. Ends with exit code 3, and a line on stderr, if the last complete sync of any appliance is
            older, or there is none; for cron and health checks, for example 26.
    """
    state = fetch_state(options.load().data_dir)
    if json:
        print(orjson.dumps(state.as_json(), option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode())
    elif state.published_at is not None:
        _show(state)
    if max_age is not None:
        return _judge(state.stale(max_age))
    if state.published_at is None:
        raise UsageError(f"nothing published yet at {state.published}: run `spsetl sync`{_tried(state)}")
    return 0


def _judge(stale: Sequence[str]) -> int:
    for line in stale:
        complain(line, exit_code=IncompleteError.exit_code)
    return IncompleteError.exit_code if stale else 0


def _tried(state: CopyState) -> str:
    failed = [f"{one['appliance']}: {one['last_run']['error']}" for one in state.appliances if _error_of(one)]
    return f"; it was tried, and failed: {'; '.join(failed)}" if failed else ""


def _error_of(one: Mapping[str, Any]) -> str | None:
    run = one["last_run"]
    return run["error"] if run else None


def _show(state: CopyState) -> None:
    for one in state.appliances:
        name = str(one["appliance"])
        rows = [(key, value) for key, value in one.items() if key not in {"appliance", "misfits", *_OF_A_RUN}]
        rows.append(("misfits", name_misfits(one["misfits"]) or "none"))
        print_table(["", name], [*rows, *_last_run(one["last_run"])])
        _show_retention(name, [row for row in state.retention if row["appliance"] == name])
    if state.is_running:
        complain(f"a run is under way: {state.holder}")
    for line in state.warnings:
        complain(f"warning: {line}")


def _last_run(run: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    if run is None:
        return []
    rows = [("last_run", f"{run['kind']}, {run['status']}"), ("last_run_started_at", run["started_at"])]
    return [*rows, ("last_run_error", f"exit code {run['exit_code']}: {run['error']}")] if run["error"] else rows


def _show_retention(appliance: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        complain(f"{appliance}: how long it keeps metadata is not known, see spsetl doctor")
        return
    print_table(["metadata of", *_SHOWN], [(row["protocol"], *(row[name] for name in _SHOWN)) for row in rows])
