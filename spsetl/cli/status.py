"""`spsetl status`: how far the copy is, how the last runs went, and whether one is under way."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from spsetl.cli.options import DataOptions
from spsetl.cli.output import OutputOptions, print_json, print_table, write_rows
from spsetl.errors import IncompleteError, UsageError
from spsetl.events import complain
from spsetl.runs import name_misfits
from spsetl.sync.status import CopyState, fetch_state

DEFAULTS: Final = DataOptions()
DEFAULT_OUTPUT: Final = OutputOptions()
_SHOWN: Final = ("retention_days", "lag_days", "days_left", "state")
_OF_A_RUN: Final = ("last_run", "last_runs")


def status(
    *,
    json: bool = False,
    max_age: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> int:
    """Tell how far the copy is: sessions, the last sync, what is still pending, and whether clean-up may come first.

    Needs no lock and no appliance: it may be asked at any time, also while a sync is at work. Ends with exit code 0,
    with 2 where nothing is published yet, and with --max-age as said there.

    Args:
        json: One JSON object on stdout, for monitoring; also where nothing is published yet: published_at, is_running
            (null: this user may not look), running (process, host, since), and for each of appliances age_seconds of
            its last complete sync, counts of sessions, windows, pending details and quarantined rows, misfits (values
            of that sync that fit no column, by field), last_run and last_runs (status, exit_code, error, times), then
            retention and warnings.
        max_age: Hours. Ends with exit code 3, and a line on stderr, if the last complete sync of any appliance is
            older, or there is none; for cron and health checks, for example 26.
        options: Where the copy is.
        output: How it is written; but for a table, one row per appliance.
    """
    settings = options.load()
    state = fetch_state(settings.data_dir)
    if json:
        print_json(state.as_json())
    elif state.published_at is not None and output.is_for_a_person:
        _show(state)
    elif state.published_at is not None:
        rows = [dict(_facts(one)) for one in state.appliances]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        write_rows(columns, [[row.get(name) for name in columns] for row in rows], output, settings.data_dir)
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
        (_, name), *facts = _facts(one)
        print_table(["", str(name)], facts)
        _show_retention(str(name), [row for row in state.retention if row["appliance"] == name])
    if state.is_running:
        complain(f"a run is under way: {state.holder}")
    for line in state.warnings:
        complain(f"warning: {line}")


def _facts(one: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What there is to know of an appliance; its name comes first."""
    facts = [(key, value) for key, value in one.items() if key not in {"misfits", *_OF_A_RUN}]
    return [*facts, ("misfits", name_misfits(one["misfits"]) or "none"), *_last_run(one["last_run"])]


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
