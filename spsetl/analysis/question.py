"""Questions in SQL, and what counts as one: SELECT alone, judged by how DuckDB parses it, before any of it runs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import duckdb

from spsetl.errors import UsageError
from spsetl.warehouse.complaints import one_line

Parameters = Mapping[str, Any] | Sequence[Any] | None
"""Values for `$name` or for `?`."""

# All that a query is made of. DuckDB has COPY, INSERT, UPDATE and DELETE as parts of one, too, and calls it SELECT.
_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
EFFECTS: Final = frozenset({
    # They run what they are given as text, which is not looked at.
    "query", "json_execute_serialized_sql",
    # They read memory by its address.
    "arrow_scan", "pandas_scan", "python_arrow_scan", "python_map_function",
    # What they do stays.
    "add_grammar_extension", "remove_grammar_extension", "checkpoint", "force_checkpoint", "create_external_resource",
    "register_external_resource", "register_external_resource_type", "deregister_external_resource",
    "destroy_external_resource", "enable_logging", "disable_logging", "truncate_duckdb_logs", "write_log",
    "enable_profiling", "disable_profiling", "currval", "nextval", "setval",
})  # fmt: skip
"""Functions that do more than read."""

# In the text of a parsed statement, quotes within values are escaped: neither can be found in a value.
_NODE: Final = re.compile(r'"type":"(\w+_NODE)"')
_FUNCTION: Final = re.compile(r'"function_name":"(\w+)"')
# With nothing in it that could be read in two ways; what it does not match is refused.
_EXPLAIN: Final = re.compile(r"(?:\s|--[^\r\n]*\r?\n)*explain\b\s*(?:analyze\b|\([\w\s,]*\))?", re.IGNORECASE)
# A pivot whose columns the data give is several statements in one, of which DuckDB does not tell how it parses them.
_IN_NO_PIVOT: Final = re.compile(
    rf"\b(?:copy|insert|update|delete|merge|create|{'|'.join(sorted(EFFECTS))})\b", re.IGNORECASE
)
_NO_QUESTION: Final = (
    "the warehouse is read-only, and {} is no question: "
    "ask with select, from, with, show, describe, summarize or explain"
)


class Question(NamedTuple):
    """A statement in SQL, and the values of its parameters."""

    sql: str
    parameters: Parameters = None


def check_question(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Refuse what does anything but read.

    Args:
        connection: Parses the question; nothing of it is run.
        query: One statement or several.

    Raises:
        UsageError: It is no question, or none that can be judged.
        duckdb.Error: It cannot be parsed.
    """
    try:
        statements = [(statement.type, statement.query) for statement in connection.extract_statements(query)]
    except ValueError as error:  # a kind of statement that the module has no name for
        raise UsageError(_NO_QUESTION.format("this")) from error
    if not statements:
        raise UsageError("the question is empty: write a statement in SQL")
    for kind, text in statements:
        _check_statement(connection, kind, text)


def _check_statement(connection: duckdb.DuckDBPyConnection, kind: duckdb.StatementType, text: str) -> None:
    types = duckdb.StatementType
    if kind == types.SELECT:
        _check_select(connection, text)
    elif kind in {types.EXPLAIN, types.MULTI} and (explain := _EXPLAIN.match(text)):
        try:
            check_question(connection, text[explain.end() :])  # what is explained may be run
        except duckdb.ParserException as error:
            raise UsageError(_NO_QUESTION.format("what this explains")) from error
    elif kind == types.MULTI:
        _check_pivot(connection, text)
    else:
        raise UsageError(_NO_QUESTION.format(kind.name.replace("_", " ")))


def _check_select(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    answer = connection.execute("select system.main.json_serialize_sql($1)::varchar", [text]).fetchone()
    parsed = str(answer[0]) if answer else ""
    nodes = set(_NODE.findall(parsed))
    if not nodes:
        raise UsageError("this question cannot be judged to be one, so it is not asked: write it more simply")
    for node in sorted(nodes - _NODES):
        raise UsageError(_NO_QUESTION.format(node.removesuffix("_NODE").removesuffix("_QUERY")))
    for name in _FUNCTION.findall(parsed):
        if name.lower() in EFFECTS:
            raise UsageError(f"the warehouse is read-only, and {name}() does more than read: ask without it")


def _check_pivot(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """What can stand in brackets after `from`, and has no word in it by which anything could be done."""
    try:
        is_query = len(connection.extract_statements(f"from (\n{text.rstrip().removesuffix(';')}\n)")) == 1
    except duckdb.ParserException as error:
        raise UsageError(f"{_NO_QUESTION.format('this')} ({one_line(error)})") from error
    word = _IN_NO_PIVOT.search(text)
    if word or not is_query:
        raise UsageError(
            f"{_NO_QUESTION.format('this')}; a pivot with the word {word[0] if word else 'this'!r} in it names its "
            "columns with in (…)"
        )
