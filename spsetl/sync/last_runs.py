"""How the last run of each appliance and kind went, in a small file of its own.

The table sync_runs does not tell: a run that cannot log in never gets so far, and what fails is not published. This
file can be read at any time, by anybody who may read the data directory, without any lock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from spsetl.files import replacing
from spsetl.lake import file_name

Status = Literal["running", "done", "incomplete", "failed", "interrupted"]
_PREFIX: Final = "last-runs-"


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """One run. Times are UTC, as text; `error` is one line of ours, without content."""

    run_id: str
    appliance: str
    kind: str
    status: Status
    started_at: str
    finished_at: str | None = None
    seconds: float | None = None
    exit_code: int | None = None
    error: str | None = None
    published: bool = False


def keep_last_run(folder: Path, run: LastRun) -> None:
    """Write down how the run goes, or went, in the place of the one before it of its kind.

    Args:
        folder: The private folder of the data directory, which is locked.
        run: The run.

    Raises:
        OSError: It cannot be written.
    """
    runs = {one.kind: one for one in _read(_path(folder, run.appliance))} | {run.kind: run}
    _write(folder, run.appliance, runs.values())


def drop_last_run(folder: Path, appliance: str, run_id: str) -> None:
    """Say nothing of a run that is none of the copy's.

    Raises:
        OSError: They cannot be written.
    """
    left = [one for one in _read(_path(folder, appliance)) if one.run_id != run_id]
    if left:
        _write(folder, appliance, left)
    else:
        _path(folder, appliance).unlink(missing_ok=True)


def rename_last_runs(folder: Path, old: str, new: str | None) -> None:
    """The last runs of an appliance under another name; or none any more, where that is None.

    Raises:
        OSError: They cannot be written.
    """
    path = _path(folder, old)
    if new is not None and path.exists():
        _write(folder, new, [replace(one, appliance=new) for one in _read(path)])
    path.unlink(missing_ok=True)


def _path(folder: Path, appliance: str) -> Path:
    return folder / f"{_PREFIX}{file_name(appliance)}.json"


def _write(folder: Path, appliance: str, runs: Iterable[LastRun]) -> None:
    with replacing(_path(folder, appliance)) as file:
        file.write(orjson.dumps([asdict(one) for one in runs], option=orjson.OPT_INDENT_2))


def fetch_last_runs(folder: Path, *, is_running: bool) -> list[LastRun]:
    """The last run of each appliance and kind; none where none was written down.

    Args:
        folder: The private folder of the data directory.
        is_running: Whether a process holds it now. Where none does, a run that seems to be under way was killed.
    """
    runs = [one for path in sorted(folder.glob(f"{_PREFIX}*.json")) for one in _read(path)]
    if is_running:
        return runs
    return [
        replace(one, status="failed", error="it was killed, or the machine went down; run it again")
        if one.status == "running"
        else one
        for one in runs
    ]


def _read(path: Path) -> Iterator[LastRun]:
    try:
        content: Any = orjson.loads(path.read_bytes())
        yield from [LastRun(**one) for one in content]
    except FileNotFoundError:
        return
    except (ValueError, TypeError):
        return  # spoilt by a power cut; the next run writes it anew
