"""What a copy holds, in one form for every system: rows and a checksum, by table.

Sessions: key, start and end in microseconds, protocol, verdict, user, client, policy, score, revision. Details: kind,
session, id within it, and one text (a channel's type, an event's content, an alert's rule).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from tests.benchmarks.systems import AIRBYTE, DLT, OURS, SCRIPT, SINGER

Contents = dict[str, tuple[int, str]]

_NAMES: Final = {
    "session_key": "key",
    "start_us": "start_time",
    "end_us": "end_time",
    "protocol": "protocol",
    "verdict": "verdict",
    "user_name": "user.name",
    "client_ip": "client.ip",
    "policy": "recording.connection_policy",
    "score": "analytics.score.aggregated",
    "revision": "revision",
}
_TEXTS: Final = {"channels": ("key", "type"), "events": ("record_id", "content"), "alerts": ("record_id", "rule_name")}
_DETAIL: Final = "session_key, id, coalesce(text, '~')"
_CASTS: Final = {
    "start_us": "epoch_us(({})::timestamptz)",
    "end_us": "epoch_us(({})::timestamptz)",
    "score": "({})::double",
    "revision": "({})::bigint",
}


def truth_contents(folder: Path) -> Contents:
    """Of the simulated world: what `Simulating.do_truth` wrote."""
    details = folder / "details.parquet"
    with duckdb.connect() as connection:
        return _digest(
            connection,
            f"select * from '{folder}/sessions.parquet'",
            f"select * from '{details}'" if details.exists() else None,
        )


def contents_of(system: str, folder: Path, *, details: bool) -> Contents:
    """Of the copy that a system has left in the folder."""
    return _READERS[system](folder, details)


def select_versions(connection: duckdb.DuckDBPyConnection, system: str, folder: Path) -> str:
    """SQL that gives the canonical session_key, revision and score of our copy or dlt's, which is attached."""
    path = folder / ("data/warehouse.duckdb" if system == OURS else "copy.duckdb")
    connection.execute(f"attach '{path}' as copy (read_only)")
    sessions = _select(_our_column, "copy.sessions") if system == OURS else _select(_dlt_column, "copy.sps.sessions")
    return f"select session_key, revision, score from ({sessions})"


def _digest(connection: duckdb.DuckDBPyConnection, sessions: str, details: str | None) -> Contents:
    connection.execute("set TimeZone = 'UTC'")
    columns = ", ".join(f"coalesce({name}::varchar, '~')" for name in _NAMES)
    found = {"sessions": _one(connection, f"select count(*), {_mark(columns)} from ({sessions})")}
    for kind in _TEXTS if details else ():
        found[kind] = _one(
            connection,
            f"select count(*), {_mark(_DETAIL)} from ({details}) where kind = '{kind}'",
        )
    return found


def _mark(columns: str) -> str:
    """Differs with any value of any row, and not with the rows' order."""
    return f"coalesce(bit_xor(md5_number_lower(concat_ws('|', {columns}))), 0)"


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, str]:
    row = connection.execute(query).fetchone()
    count, checksum = row or (0, 0)
    return int(count), f"{checksum:016x}"


def _select(value: Callable[[str], str], source: str) -> str:
    """The canonical columns; `value` gives the SQL of a path of the API."""
    columns = [f"{_CASTS.get(name, '({})::varchar').format(value(path))} as {name}" for name, path in _NAMES.items()]
    return f"select {', '.join(columns)} from {source}"


def _details(value: Callable[[str, str], str], source: Callable[[str], str]) -> str:
    """The canonical rows of details; `value` gives the SQL of a column of a kind, `source` a kind's table."""
    return " union all ".join(
        f"select '{kind}' as kind, ({value(kind, 'session_key')})::varchar as session_key, "
        f"({value(kind, number)})::varchar as id, ({value(kind, text)})::varchar as text from {source(kind)}"
        for kind, (number, text) in _TEXTS.items()
    )


def _ours(folder: Path, details: bool) -> Contents:
    sessions = _select(_our_column, "copy.sessions")
    names = {"key": "channel_key"}
    rows = _details(lambda _, name: names.get(name, name), lambda kind: f"copy.{kind}")
    return _read(folder / "data/warehouse.duckdb", sessions, rows if details else None)


def _our_column(path: str) -> str:
    if path in {"start_time", "end_time"}:
        return f"{path} at time zone 'UTC'"
    return "session_key" if path == "key" else path.replace(".", "_")


def _dlt(folder: Path, details: bool) -> Contents:
    names = {"session_key": "_sessions_key", "type": "body__type"}
    rows = _details(lambda _, name: names.get(name, name), lambda kind: f"copy.sps.{kind}")
    return _read(folder / "copy.duckdb", _select(_dlt_column, "copy.sps.sessions"), rows if details else None)


def _dlt_column(path: str) -> str:
    return "key" if path == "key" else "body__" + path.replace(".", "__")


def _script(folder: Path, details: bool) -> Contents:
    def column(path: str) -> str:
        return "key" if path == "key" else f'"body.{path}"'

    rows = _details(lambda _, name: '"body.type"' if name == "type" else name, lambda kind: f"copy.{kind}")
    return _read(folder / "copy.duckdb", _select(column, "copy.sessions"), rows if details else None)


def _singer(folder: Path, details: bool) -> Contents:
    def column(path: str) -> str:
        return "key" if path == "key" else f"body ->> '$.{path}'"

    rows = _details(lambda _, name: "body ->> '$.type'" if name == "type" else name, lambda kind: f"copy.sps.{kind}")
    return _read(folder / "copy.duckdb", _select(column, "copy.sps.sessions"), rows if details else None)


def _airbyte(folder: Path, details: bool) -> Contents:
    columns = "columns = {stream: 'varchar', data: 'varchar'}, format = 'newline_delimited'"
    source = f"read_json('{folder}/records.ndjson', {columns})"

    def column(path: str) -> str:
        return "data ->> '$.key'" if path == "key" else f"data ->> '$.body.{path}'"

    def value(_: str, name: str) -> str:
        return "data ->> '$.body.type'" if name == "type" else f"data ->> '$.{name}'"

    rows = _details(value, lambda kind: f"{source} where stream = '{kind}'")
    with duckdb.connect() as connection:
        return _digest(connection, _select(column, f"{source} where stream = 'sessions'"), rows if details else None)


def _read(path: Path, sessions: str, details: str | None) -> Contents:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as copy (read_only)")
        return _digest(connection, sessions, details)


_READERS: Final[dict[str, Callable[[Path, bool], Contents]]] = {
    OURS: _ours,
    DLT: _dlt,
    SCRIPT: _script,
    SINGER: _singer,
    AIRBYTE: _airbyte,
}
