"""The one rule by which a part of the lake becomes part of the copy.

A sync merges what it has just written; a rebuild is this over all runs in their order; a replay is one more part.
What the source said last wins; of one run, the highest revision. Merging a part again changes nothing, and the parts of
one run can be merged one by one or all at once, to the same end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import duckdb
import pyarrow as pa

from spsetl import schema
from spsetl.queries import read_statement
from spsetl.warehouse.tables import quote_text
from spsetl.warehouse.work import WorkDatabase
from spsetl.window import Window, naive_utc

Files = Mapping[str, Sequence[str]]
"""The Parquet files of one part or of several, by table."""

# Where a row stands in its files: the many columns of a session are read once it has won.
_PLACE: Final = ("filename", "file_row_number")
_WITH_SESSION: Final = (schema.SESSION_LISTS, schema.SESSION_SCORES)


@dataclass
class MergedPart:
    """What merging did.

    Attributes:
        sessions_read: Rows of sessions in the files.
        new: Sessions that the copy had not.
        changed: Sessions that are another version now.
        moved: Sessions with another start_time than before, or with two.
        missing: Sessions that are marked as gone now, and were not.
        rows: Rows written, by table.
    """

    sessions_read: int = 0
    new: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    rows: dict[str, int] = field(default_factory=dict)


def fetch_known(work: WorkDatabase, appliance: str, window: Window) -> pa.Table:
    """What the copy knows of a window's sessions: `session_key, revision, row_hash, is_missing`."""
    found = work.connection.sql(
        read_statement("merge", "known_sessions"),
        params={
            "appliance": appliance,
            "window_start": naive_utc(window.start),
            "window_end": window.end and naive_utc(window.end),
        },
    )
    return cast("pa.Table", found.to_arrow_table())


def merge_part(connection: duckdb.DuckDBPyConnection, files: Files, *, run_id: str | None = None) -> MergedPart:
    """Merge a part, or several of one run, inside the caller's transaction. Nothing but the files says what to do.

    Args:
        connection: Of the work database.
        files: By table of the lake.
        run_id: Only rows of this run, where a file holds those of others too.
    """
    return _Part(connection, files, run_id).merge()


class _Part:
    """A part, while it is merged; its rows are the temporary views `part_<table>`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Files, run_id: str | None) -> None:
        self._run = connection.execute
        self._connection = connection
        self._merged = MergedPart()
        self._tables = {name for name, paths in files.items() if paths}
        for name in self._tables:
            self._show(schema.BY_NAME[name], files[name], run_id)

    def _show(self, table: schema.Table, paths: Iterable[str], run_id: str | None) -> None:
        """The table's columns and no other; NULL where files of an older schema have them not."""
        # A view takes no parameters.
        listed = ", ".join(map(quote_text, paths))
        source = f"read_parquet([{listed}], union_by_name = true, filename = true, file_row_number = true)"
        found = set(self._connection.sql(f"from {source}").columns)
        columns = [
            f'"{c.name}"' if c.name in found else f'null::{c.kind.sql_type} as "{c.name}"' for c in table.columns
        ]
        wanted = "true" if run_id is None else f"run_id = {quote_text(run_id)}"
        self._run(
            f"create or replace temp view part_{table.name} as "  # noqa: S608 our names
            f"select {', '.join((*columns, *_PLACE))} from {source} where {wanted}"
        )

    def _has(self, table: schema.Table) -> bool:
        return table.name in self._tables

    def merge(self) -> MergedPart:
        """All of it, in the order in which a run writes it."""
        self._add_unreadable("= 'sessions'")
        self._mark_missing()  # what is listed later than that has come back
        if self._has(schema.SESSIONS):
            self._merge_sessions()
            self._mark_missing()
        if self._has(schema.DETAIL_FETCHES):
            self._merge_details()
        self._add_unreadable("<> 'sessions'")
        self._forget_read_again()
        self._merge_policies()
        for table in (schema.SYNC_WINDOWS, schema.SYNC_RUNS):
            self._put(table)
        return self._merged

    # Sessions

    def _merge_sessions(self) -> None:
        for name in ("incoming_sessions", "changed_sessions"):
            self._run(f"create or replace temp table {name} as {read_statement('merge', name)}")
        self._merged.moved += self._number(read_statement("merge", "moved_sessions"))
        self._merged.sessions_read = self._number("select count(*) from part_sessions")
        self._merged.new = self._number("select count(*) from changed_sessions where is_new")
        self._merged.changed = self._number("select count(*) from changed_sessions where is_changed")
        self._replace_sessions()
        for table in _WITH_SESSION:
            # A part can hold several versions of a session: only the rows of the one that won are its own.
            self._replace_rows(table, "changed_sessions", on="f.extracted_at = s.extracted_at")
        # The new revision has none of these, and will not be asked for any: the old ones go with the old revision.
        for kind in schema.DETAIL_KINDS.values():
            if kind.ruled_out_by:
                ruling = ", ".join(map(quote_text, sorted(kind.ruled_out_by)))
                where = f"p.needs_details and p.recording_index_status in ({ruling})"
                self._delete(kind.name, "changed_sessions", where=where)
        self._delete(schema.DETAIL_FETCHES.name, "changed_sessions", where="p.needs_details")
        self._delete(
            "quarantine",
            "changed_sessions",
            where="quarantine.table_name = 'sessions' and quarantine.extracted_at <= p.extracted_at",
        )

    def _replace_sessions(self) -> None:
        self._delete("sessions", "changed_sessions")
        # Only now are the many columns read, of the rows that won alone.
        self._run(
            f"insert into sessions by name select incoming.* exclude ({', '.join(_PLACE)}) "  # noqa: S608 our names
            f"from part_sessions as incoming semi join changed_sessions using ({', '.join(_PLACE)})"
        )

    def _mark_missing(self) -> None:
        """Mark the sessions that a window held no more."""
        if not self._has(schema.MISSING_SESSIONS):
            return
        self._run(f"create or replace temp table gone_sessions as {read_statement('merge', 'missing_sessions')}")
        self._run(
            "update sessions set missing_since = g.missing_since from gone_sessions g "
            "where sessions.appliance = g.appliance and sessions.session_key = g.session_key"
        )
        self._merged.missing += self._number("select count(*) from gone_sessions")

    # Details

    def _merge_details(self) -> None:
        """Replace what was fetched; a session that has changed since stays as it is, to be asked for again."""
        self._run(f"create or replace temp table fetched_details as {read_statement('merge', 'fetched_details')}")
        for table in schema.DETAIL_TABLES:
            of_kind = f"p.kind = '{table.name}' and p.status in ('{schema.FETCHED}', '{schema.REPLAYED}')"
            self._replace_rows(table, "fetched_details", where=of_kind)
        # What stays unreadable comes again with the fetch; a replay leaves it.
        self._delete(
            "quarantine", "fetched_details", where=f"quarantine.table_name = p.kind and p.status = '{schema.FETCHED}'"
        )
        self._note_fetches()

    def _note_fetches(self) -> None:
        """What was asked for last; after a replay, that what was fetched before it says no more."""
        is_asked = f"p.status <> '{schema.REPLAYED}'"
        same = "detail_fetches.kind = p.kind"
        self._delete("detail_fetches", "fetched_details", where=f"{same} and {is_asked}")
        self._run(f"insert into detail_fetches by name select * from fetched_details p where {is_asked}")  # noqa: S608 ours
        self._run(
            "update detail_fetches set extracted_at = p.extracted_at, run_id = p.run_id from fetched_details p "  # noqa: S608 our names
            "where detail_fetches.appliance = p.appliance and detail_fetches.session_key = p.session_key "
            f"and {same} and not {is_asked}"
        )

    # Records

    def _add_unreadable(self, tables: str) -> None:
        """Keep each unreadable row once, however often it comes."""
        if self._has(schema.QUARANTINE):
            self._run(
                f"insert into quarantine by name {read_statement('merge', 'unreadable_rows')} "
                f"and incoming.table_name {tables}"
            )

    def _forget_read_again(self) -> None:
        """A row without a reason says that this one could be read at last."""
        if self._has(schema.QUARANTINE):
            self._run(
                "delete from quarantine using part_quarantine r where r.reason is null "
                "and quarantine.appliance = r.appliance and quarantine.table_name = r.table_name "
                "and quarantine.row_hash = r.row_hash and quarantine.extracted_at <= r.extracted_at"
            )

    def _merge_policies(self) -> None:
        """A version is valid until another is seen, or none. Of two equal ones in a row the later counts."""
        if not self._has(schema.POLICIES):
            return
        self._run(f"create or replace temp table found_policies as {read_statement('merge', 'found_policies')}")
        same = " and ".join(f"policies.{name} = f.{name}" for name in schema.POLICIES.key[:-1])
        newest = f"found_policies as f where {same} and policies.valid_from = f.newest_from"
        self._run(
            f"update policies set valid_to = f.extracted_at from {newest} and f.newest_from < f.extracted_at "  # noqa: S608 ours
            "and policies.body is distinct from f.body "
            "and (policies.valid_to is null or (f.body is null and policies.valid_to < f.extracted_at))"
        )
        # A killed run may have seen the same, or something else at the very time.
        self._run(
            f"delete from policies using {newest} and policies.valid_to is null and (f.newest_from = f.extracted_at "  # noqa: S608 ours
            "or (f.newest_from < f.extracted_at and policies.body = f.body))"
        )
        versions = self._run(
            "insert into policies by name select * exclude (newest_from, was_valid) from found_policies "
            "where body is not null and (newest_from is null or newest_from < extracted_at "
            "or (newest_from = extracted_at and was_valid))"
        ).fetchone()
        self._merged.rows[schema.POLICIES.name] = int(versions[0]) if versions else 0

    def _put(self, table: schema.Table) -> None:
        """Rows that are written once, in place of those with their keys."""
        if not self._has(table):
            return
        same = " and ".join(f"{table.name}.{name} = p.{name}" for name in table.key)
        self._run(f"delete from {table.name} using part_{table.name} p where {same}")  # noqa: S608 our names
        self._run(
            f"insert into {table.name} by name select * exclude ({', '.join(_PLACE)}) from part_{table.name} "  # noqa: S608 our names
            f"qualify row_number() over (partition by {', '.join(table.key)} order by finished_at desc) = 1"
        )

    # Rows of a session

    def _delete(self, table: str, parents: str, *, where: str = "true") -> None:
        """Delete the rows of the sessions in the temporary table `parents`, called `p` in `where`."""
        self._run(
            f"delete from {table} using {parents} p where {table}.appliance = p.appliance "  # noqa: S608 our names
            f"and {table}.session_key = p.session_key and {where}"
        )

    def _replace_rows(self, table: schema.Table, parents: str, *, where: str = "true", on: str = "true") -> None:
        """Replace the rows of the sessions in `parents`, see `_delete`, by those `f` of the part that belong to `s`."""
        self._delete(table.name, parents, where=where)
        if not self._has(table):
            self._merged.rows[table.name] = 0
            return
        key = ", ".join(f"f.{name}" for name in table.key)
        inserted = self._run(
            f"insert into {table.name} by name select f.* exclude ({', '.join(_PLACE)}) from part_{table.name} f "  # noqa: S608 our names
            f"semi join (select * from {parents} p where {where}) s "
            f"on f.appliance = s.appliance and f.session_key = s.session_key and {on} "
            f"qualify row_number() over (partition by {key}) = 1"
        ).fetchone()
        self._merged.rows[table.name] = int(inserted[0]) if inserted else 0

    def _number(self, query: str) -> int:
        row = self._run(query).fetchone()
        return int(row[0]) if row else 0
