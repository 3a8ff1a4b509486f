"""The marts, built in the work database before each publishing: what analysts and dashboards read.

Of `mart.fct_sessions` only the rows of what changed since are built, where that is less work; the other tables are
small, and made anew from it. Either way the rows are those that a full build would make.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from spsetl.hours import OfficeHours
from spsetl.queries import read_folder, read_statement
from spsetl.warehouse.marts_models import SCHEMA, Mart, read_marts
from spsetl.warehouse.tables import quote_text
from spsetl.warehouse.work import WorkDatabase

_SESSIONS: Final = "fct_sessions"
_PAIRS: Final = "dim_user_server_pairs"
# What the SELECT of the sessions reads beside the pairs: it is shown only what belongs to the sessions to build.
_DETAILS: Final = ("channels", "events", "alerts", "session_scores")
# These read more than the sessions: they can differ though no session does.
_OF_CONFIGURATION: Final = frozenset({"dim_connection_policies"})
# Replacing a row costs several times what building it does.
_MOST_CHANGED: Final = 0.2
_MARK: Final = "Built by: "


@dataclass(frozen=True)
class BuiltMarts:
    """What a build did: whether it was a full one, and how many sessions it built."""

    is_full: bool
    sessions: int


def build_marts(work: WorkDatabase, office_hours: OfficeHours) -> BuiltMarts:
    """Bring the marts to the state of the copy, in one transaction.

    Args:
        work: The work database.
        office_hours: What `is_outside_office_hours` goes by; built with others, the marts are built anew.
    """
    values = {
        "office_days": list(office_hours.days),
        "office_begin": office_hours.begin,
        "office_minutes": office_hours.minutes,
        "office_zone": office_hours.zone,
    }
    mark = _MARK + _fingerprint(values)
    with work.transaction() as connection:
        marts = _Marts(connection, values)
        is_known = (_comment_of_sessions(connection) or "").endswith(mark)
        marts.begin(anew=not is_known)
        is_full = not (is_known and marts.find_changed())
        sessions = marts.build_all_sessions() if is_full else marts.build_changed_sessions()
        marts.build_others(is_full=is_full, sessions=sessions)
        _comment_sessions(connection, mark)
    return BuiltMarts(is_full, sessions)


def forget_marts(connection: duckdb.DuckDBPyConnection) -> None:
    """Have the next build be a full one, inside the caller's transaction: rows changed that do not show it."""
    if _comment_of_sessions(connection) is not None:
        connection.execute(f"comment on table {SCHEMA}.{_SESSIONS} is null")


def _fingerprint(values: dict[str, Any]) -> str:
    """Differs where the same copy would give other marts."""
    marts = [repr(mart) for mart in read_marts()]
    macros = [text for name, text in read_folder("macros").items() if any(f"{name}(" in mart for mart in marts)]
    texts = [repr(values), *marts, *macros]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _comment_of_sessions(connection: duckdb.DuckDBPyConnection) -> str | None:
    row = connection.execute(
        "select comment from duckdb_tables() where database_name = current_database() "
        "and schema_name = $schema and table_name = $table",
        {"schema": SCHEMA, "table": _SESSIONS},
    ).fetchone()
    return row[0] if row else None


def _comment_sessions(connection: duckdb.DuckDBPyConnection, mark: str) -> None:
    comment = f"{_mart(_SESSIONS).comment}. {mark}"
    connection.execute(f"comment on table {SCHEMA}.{_SESSIONS} is {quote_text(comment)}")


def _mart(name: str) -> Mart:
    return next(mart for mart in read_marts() if mart.name == name)


class _Marts:
    """The marts inside the transaction that builds them.

    Args:
        connection: Of the work database.
        values: Values for what the SELECTs ask for, by name.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> None:
        self._connection = connection
        self._values = values

    def begin(self, *, anew: bool) -> None:
        """Build what the sessions' own mart reads; anew: with nothing beside it."""
        if anew:
            self._connection.execute(f"drop schema if exists {SCHEMA} cascade")
            self._connection.execute(f"create schema {SCHEMA}")
        self._build(_mart(_PAIRS))

    def find_changed(self) -> bool:
        """Note the sessions whose row is not of what the copy has now; False if they are too many to build singly."""
        changed = read_statement("merge", "unbuilt_sessions")
        self._connection.execute(f"create or replace temp table changed_sessions as {changed}")
        return _count(self._connection, "changed_sessions") <= _MOST_CHANGED * self._sessions()

    def build_all_sessions(self) -> int:
        """Build the rows of all sessions; how many there are."""
        self._build(_mart(_SESSIONS))
        return self._sessions()

    def build_changed_sessions(self) -> int:
        """Build the rows of the sessions that were noted; how many there were to build or to drop."""
        run = self._connection.execute
        run(
            f"delete from {SCHEMA}.{_SESSIONS} using changed_sessions c "  # noqa: S608 our names
            f"where {_SESSIONS}.appliance = c.appliance and {_SESSIONS}.session_key = c.session_key"
        )
        self._show_changed()
        run(f"insert into {SCHEMA}.{_SESSIONS} by name {_mart(_SESSIONS).statement}", self._values)
        self._hide_changed()
        return _count(self._connection, "changed_sessions")

    def _show_changed(self) -> None:
        """Temporary views come before tables of the same name."""
        self._connection.execute(
            "create temp view sessions as select s.* from work.main.sessions s "
            "where s.rowid in (select c.place from changed_sessions c)"
        )
        for table in _DETAILS:
            self._connection.execute(
                f"create temp view {table} as select t.* from work.main.{table} t "  # noqa: S608 our names
                "semi join changed_sessions c on t.appliance = c.appliance and t.session_key = c.session_key"
            )

    def _hide_changed(self) -> None:
        for name in ("sessions", *_DETAILS):
            self._connection.execute(f"drop view temp.{name}")

    def _sessions(self) -> int:
        return _count(self._connection, f"{SCHEMA}.{_SESSIONS}")

    def build_others(self, *, is_full: bool, sessions: int) -> None:
        """Build what is made from the sessions: all of it anew, or the tables that can have changed."""
        for mart in read_marts():
            can_differ = mart.kind == "table" and (sessions > 0 or mart.name in _OF_CONFIGURATION)
            if mart.name not in {_PAIRS, _SESSIONS} and (is_full or can_differ):
                self._build(mart)

    def _build(self, mart: Mart) -> None:
        name = f"{SCHEMA}.{mart.name}"
        needed = {key: value for key, value in self._values.items() if key in mart.parameters}
        run = self._connection.execute
        run(f"create or replace {mart.kind} {name} as {mart.statement}", needed or None)
        run(f"comment on {mart.kind} {name} is {quote_text(mart.comment)}")
        for column in mart.columns:
            run(f'comment on column {name}."{column.name}" is {quote_text(column.comment)}')


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 our names
    return int(row[0]) if row else 0
