"""The names of the appliances of a copy: that none has two, and what is done to one.

A name is given or forgotten in the lake, the work database and the published warehouse. Before anything of that is
touched, it is written down what is to be done; whoever holds the lock next does the rest of it first.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from spsetl.analysis.reader import open_warehouse
from spsetl.appliance.client import Client
from spsetl.appliance.protocol import ListQuery, decode_list
from spsetl.errors import ApplianceNameError, StorageError, UsageError
from spsetl.extract.listed import key_of
from spsetl.files import replacing
from spsetl.lake import Disk, Lake, forget_files, rename_files
from spsetl.lake.storage import storage_errors
from spsetl.queries import read_statement
from spsetl.settings import Settings
from spsetl.settings.model import check_appliance_name
from spsetl.sync.copy import open_work
from spsetl.sync.data_dir import DataDir, fetch_last_runs, hold_lock, rename_last_runs
from spsetl.sync.status import as_rows
from spsetl.warehouse import appliances
from spsetl.warehouse.checks import require_passed, run_checks
from spsetl.warehouse.marts import build_marts
from spsetl.warehouse.publish import publish, remove_database
from spsetl.warehouse.upgrade import is_of_now
from spsetl.warehouse.work import WorkDatabase

_logger = logging.getLogger(__name__)
_UNDER_WAY: Final = "appliance-change.json"


@dataclass(frozen=True)
class Change:
    """An appliance that gets the name `new`; or that is forgotten, where that is None."""

    old: str
    new: str | None

    def __str__(self) -> str:
        return f"forgetting {self.old}" if self.new is None else f"renaming {self.old} to {self.new}"


def require_own_name(work: WorkDatabase, client: Client, appliance: str, *, is_new: bool) -> None:
    """Stop where a name that the copy does not have yet lists what it has under another: all would be there twice.

    Takes one request, and that only for such a name beside others.

    Args:
        work: The work database.
        client: The appliance.
        appliance: The name.
        is_new: Somebody says that it is another appliance.

    Raises:
        ApplianceNameError: Says what can be done.
    """
    start = None if is_new else appliances.fetch_overlap_start(work, appliance)
    if start is None:
        return
    query = ListQuery(fields="start_time", start=start, sort="start_time")
    page = decode_list(client.get(query.path, query.params, kind="list"))
    keys = {key for key in map(key_of, page.items) if key is not None}
    known = appliances.find_known(work, keys)
    if known is not None:
        raise ApplianceNameError(
            f"{appliance} lists what the copy has as {known.appliance} ({known.sessions:,} of the first {len(keys):,} "
            f"sessions), so nothing was taken: keep that name, --appliance {known.appliance}; or change it, spsetl "
            f"appliances rename {known.appliance} {appliance}; or, if these are two appliances, run once with "
            "--new-appliance"
        )


def require_known_name(work: WorkDatabase, appliance: str) -> None:
    """Stop where the copy has other appliances and not this one.

    Raises:
        ApplianceNameError: Names those that it has.
    """
    names = appliances.fetch_names(work)
    if names and appliance not in names:
        raise _unknown(appliance, names)


def _unknown(name: str, names: set[str]) -> ApplianceNameError:
    return ApplianceNameError(f"the copy has no appliance {name}; it has {', '.join(sorted(names)) or 'none'}")


@contextmanager
def hold_copy(settings: Settings, places: DataDir) -> Iterator[Change | None]:
    """Hold the lock, and do the rest of what was begun with a name; gives what that was.

    Raises:
        LockedError: Another holds it.
        StorageError: A file is damaged, or the disk is full; the next one tries again.
    """
    with hold_lock(places.private):
        change = _under_way(places)
        if change is not None:
            _logger.warning("%s was stopped: it is done now", change)
            _finish(settings, places, change)
        yield change


def change_lake(places: DataDir, lake: Lake) -> None:
    """Do the rest of what was begun with a name, in the lake alone: for who holds the lock and needs nothing else."""
    change = _under_way(places)
    if change is not None:
        _change_files(lake, change)


def rename_appliance(settings: Settings, old: str, new: str) -> None:
    """Give an appliance another name in the whole copy. Killed at any instant it can be run again, to the same end.

    Args:
        settings: Where the copy is.
        old: One that it has.
        new: One that it has not.

    Raises:
        ApplianceNameError: It has no such appliance, or the new name belongs to one.
        LockedError: A sync holds the data directory.
        StorageError: A file is damaged, or the disk is full; the next run does the rest.
    """
    try:
        check_appliance_name(new)
    except ValueError as error:
        raise UsageError(f"the new name {error}") from None
    _change(settings, Change(old, new))


def forget_appliance(settings: Settings, name: str) -> None:
    """Remove an appliance, and all that was ever fetched of it, from the copy; as `rename_appliance`."""
    _change(settings, Change(name, None))


def _change(settings: Settings, change: Change) -> None:
    places = DataDir.of(settings.data_dir)
    if not places.private.is_dir():
        raise UsageError(f"there is no copy at {settings.data_dir}: see SPSETL_DATA_DIR, or run spsetl sync")
    places.prepare()
    with hold_copy(settings, places) as finished:
        if finished == change:
            return
        lake = Lake(places.lake)
        lake.remove_leftovers()
        with open_work(places, lake, memory=settings.merge_memory) as work:
            names = appliances.fetch_names(work) | {*lake.appliances()}
        names |= {run.appliance for run in fetch_last_runs(places.private, is_running=False)}
        if change.old not in names:
            raise _unknown(change.old, names)
        if change.new in names:
            raise ApplianceNameError(f"the copy has an appliance {change.new} already: two cannot become one")
        _write_down(places.private / _UNDER_WAY, change)
        _finish(settings, places, change)


def _write_down(path: Path, change: Change) -> None:
    with storage_errors("write", str(path)):
        with replacing(path) as file:
            file.write(orjson.dumps(asdict(change)))
        Disk().make_durable(str(path.parent))


def _under_way(places: DataDir) -> Change | None:
    path = places.private / _UNDER_WAY
    return Change(**orjson.loads(path.read_bytes())) if path.exists() else None


def _finish(settings: Settings, places: DataDir, change: Change) -> None:
    lake = Lake(places.lake)
    lake.remove_leftovers()
    _change_files(lake, change)
    with open_work(places, lake, memory=settings.merge_memory) as work:
        _change_tables(work, settings, change)
    _change_published(settings, places, change)
    rename_last_runs(places.private, change.old, change.new)
    remembered = places.snapshot_of(change.old)
    if change.new is None:
        remembered.unlink(missing_ok=True)
    elif remembered.exists():
        remembered.replace(places.snapshot_of(change.new))
    if settings.metrics_file:
        from spsetl.metrics import forget_metrics  # noqa: PLC0415 - prometheus_client is not for every command

        try:
            forget_metrics(settings.metrics_file, change.old)
        except StorageError as error:  # no reason for stopping the syncs to come
            _logger.warning("%s", error)
    (places.private / _UNDER_WAY).unlink()
    Disk().make_durable(str(places.private))


def _change_files(lake: Lake, change: Change) -> None:
    if change.new is None:
        forget_files(lake, change.old)
    else:
        rename_files(lake, change.old, change.new)


def _change_tables(work: WorkDatabase, settings: Settings, change: Change) -> None:
    appliances.change_appliance(work, change.old, change.new)
    build_marts(work, settings.office_hours)
    require_passed(run_checks(work))
    work.finish()


def _change_published(settings: Settings, places: DataDir, change: Change) -> None:
    """What readers see, and no more: the work database may hold what is not to be published yet."""
    if not places.published.exists():
        return
    if not is_of_now(places.published):
        _logger.warning("an older spsetl has published %s: the next sync shows the change", places.published)
        return
    private = places.private / "appliances.duckdb"
    remove_database(private)
    with WorkDatabase(private, published=places.published, memory=settings.merge_memory) as copy:
        _change_tables(copy, settings, change)
    publish(private, places.published)
    remove_database(private)


def list_appliances(data_dir: Path) -> list[dict[str, Any]]:
    """The appliances of the copy, one row each: as published, and those of which a sync was tried so far.

    Raises:
        StorageError: The published file is damaged.
    """
    places = DataDir.of(data_dir)
    rows: list[dict[str, Any]] = []
    if places.published.exists():
        with open_warehouse(places.published) as warehouse:
            rows = as_rows(*warehouse.rows(read_statement("status", "appliances")))
    known = {str(row["appliance"]) for row in rows}
    tried = {run.appliance for run in fetch_last_runs(places.private, is_running=False)} - known
    return [*rows, *({"appliance": name, "sessions": 0} for name in sorted(tried))]
