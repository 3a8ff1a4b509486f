"""From a work database of an older schema to one of this: a new file beside it, complete before it takes its place.

Killed at any instant, the older one is as it was, and readers have the published one: the next run begins again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from spsetl import schema
from spsetl.errors import StorageError
from spsetl.lake import Lake
from spsetl.warehouse.damage import explain_opening
from spsetl.warehouse.publish import discard_foreign, remove_database, replace_database
from spsetl.warehouse.rebuild import rebuild_tables
from spsetl.warehouse.tables import FoundTables, find_tables, quote_text
from spsetl.warehouse.work import SHARE, WorkDatabase, begin_from

_logger = logging.getLogger(__name__)
_OLD: Final = "old"
_PRIVATE: Final = "upgrade.duckdb"
_HEADERS: Final = 3 * 4096  # bytes that every database of DuckDB begins with


def upgrade_work(work: Path, *, published: Path, lake: Lake, memory: str | None = None) -> None:
    """Bring the work database to this version's schema; one that has it is left alone.

    Any other is made anew from the lake, which holds all that was ever fetched.

    Args:
        work: The work database; where it is missing, a copy of the published one, if there is any.
        published: The published warehouse, only ever read.
        lake: All files, with nothing half-written left over.
        memory: What merging may take, see `WorkDatabase`.

    Raises:
        NewerCopyError: A newer spsetl wrote the copy; nothing is changed.
        StorageError: A file is damaged, or the disk is full; nothing is changed.
    """
    private = work.with_name(_PRIVATE)
    remove_database(private)
    discard_foreign(published)
    if work.exists() and not published.exists() and _is_unfinished(work):
        remove_database(work)  # beside a published file it would be a copy of that: whole, or damaged
    if not (work.exists() or published.exists()):
        # What is fetched now would be put beside files that this version does not know.
        lake.require_known()
        return
    require_known(published)
    begin_from(published, work)
    found = _look_at(work)
    found.require_known(work)
    if found.are_of_now and found.version == schema.VERSION:
        return
    _logger.warning(
        "%s was written by an older spsetl (schema %s; this one has %d): it is made anew from the lake; readers keep "
        "the published file meanwhile",
        work,
        found.version or "unknown",
        schema.VERSION,
    )
    _rebuild(work, private, lake, memory)
    replace_database(work, private)


def _is_unfinished(work: Path) -> bool:
    """Whether it is what a run leaves that was killed while it made the file: nothing is in it."""
    return work.stat().st_size < _HEADERS or not _look_at(work).columns


def is_of_now(database: Path) -> bool:
    """Whether a database, which is only read, has this version's schema.

    Raises:
        StorageError: It is damaged.
    """
    found = _look_at(database)
    return found.are_of_now and found.version == schema.VERSION


def require_known(*databases: Path) -> None:
    """Stop where a newer spsetl has written one of these; what is missing or damaged is passed over.

    Raises:
        NewerCopyError: Says which spsetl is needed.
    """
    for path in databases:
        if path.exists():
            with suppress(StorageError):
                _look_at(path).require_known(path)


def _look_at(path: Path) -> FoundTables:
    """Its tables; the file is only read, also where a killed run has left a log beside it."""
    with _opened(path) as connection:
        connection.execute(f"attach {quote_text(str(path))} as {_OLD} (read_only)")
        return find_tables(connection, _OLD)


@contextmanager
def _opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB, and its errors as what is wrong with this file."""
    try:
        with duckdb.connect(config={"memory_limit": SHARE, "threads": 1}) as connection:
            connection.execute("set temp_directory = $folder", {"folder": str(path.parent / "spill")})
            yield connection
    except duckdb.Error as error:
        raise explain_opening(path, error) from error


def _rebuild(work: Path, private: Path, lake: Lake, memory: str | None) -> None:
    lake.require_known()
    if not any(lake.files(table.name) for table in schema.LAKE_TABLES):
        raise StorageError(
            f"{work} was written by another version of spsetl, and {lake.root} is empty, from which it could be made "
            "anew: use that version, or start with an empty data directory"
        )
    with WorkDatabase(private, published=private, memory=memory) as made:
        rebuild_tables(made, lake)
        made.checkpoint()
