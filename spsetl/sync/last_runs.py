"""How the last run of each appliance and kind went, in a small file of its own.

The table sync_runs does not tell: a run that cannot log in never gets so far, and what fails is not published. This
file can be read at any time, by anybody who may read the data directory, without any lock.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import orjson

from spsetl.files import replacing
from spsetl.lake import file_name
from spsetl.runs import KILLED, Run

_PREFIX: Final = "last-runs-"


def keep_last_run(folder: Path, run: Run) -> None:
    """Write down how the run goes, or went, in the place of the one before it of its kind.

    Args:
        folder: The private folder of the data directory, which is locked.
        run: The run.

    Raises:
        OSError: It cannot be written.
    """
    runs = {one.kind: one for one in _read(_path(folder, run.appliance))} | {run.kind: run}
    _write(folder, run.appliance, runs.values())


def drop_last_run(folder: Path, run: Run) -> None:
    """Say nothing of a run that is none of the copy's.

    Raises:
        OSError: They cannot be written.
    """
    left = [one for one in _read(_path(folder, run.appliance)) if one.run_id != run.run_id]
    if left:
        _write(folder, run.appliance, left)
    else:
        _path(folder, run.appliance).unlink(missing_ok=True)


def rename_last_runs(folder: Path, old: str, new: str | None) -> None:
    """The last runs of an appliance under another name; or none any more, where that is None.

    Raises:
        OSError: They cannot be written.
    """
    path = _path(folder, old)
    if new is not None and path.exists():
        runs = list(_read(path))
        for run in runs:
            run.appliance = new
        _write(folder, new, runs)
    path.unlink(missing_ok=True)


def fetch_last_runs(folder: Path, *, is_running: bool) -> list[Run]:
    """The last run of each appliance and kind; none where none was written down.

    Args:
        folder: The private folder of the data directory.
        is_running: Whether a process holds it now. Where none does, a run that seems to be under way was killed.
    """
    runs = [one for path in sorted(folder.glob(f"{_PREFIX}*.json")) for one in _read(path)]
    for run in runs:
        if run.status == "running" and not is_running:
            run.status, run.error = "failed", KILLED
    return runs


def _path(folder: Path, appliance: str) -> Path:
    return folder / f"{_PREFIX}{file_name(appliance)}.json"


def _write(folder: Path, appliance: str, runs: Iterable[Run]) -> None:
    with replacing(_path(folder, appliance)) as file:
        file.write(orjson.dumps([one.as_last() for one in runs], option=orjson.OPT_INDENT_2))


def _read(path: Path) -> Iterator[Run]:
    try:
        yield from [Run.from_last(one) for one in orjson.loads(path.read_bytes())]
    except FileNotFoundError:
        return
    except (ValueError, TypeError, KeyError):
        return  # spoilt by a power cut; the next run writes it anew
