"""Sessions by an expression of the appliance's `q`: which they are, and a list of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from spsetl.analysis.lucene import Condition, compile_query, content_condition
from spsetl.analysis.source import Match, check_choice, population_options
from spsetl.analysis.times import Moment
from spsetl.errors import UsageError
from spsetl.schema import SESSIONS

COLUMNS: Final = ("start_time", "user", "server", "protocol", "verdict", "score", "duration", "session_key")
SORT: Final = ("-start_time",)

# Short names for what a person looks for first.
_SHORT: Final = {
    "user": "coalesce(sessions.user_name, sessions.user_gateway_username)",
    "server": "coalesce(sessions.server_name, sessions.server_ip)",
    "client": "coalesce(sessions.client_name, sessions.client_ip)",
    "policy": "sessions.recording_connection_policy",
    "score": "sessions.analytics_score_aggregated",
}
_IN_RANGE: Final = (
    "is_in_range(sessions.start_time, sessions.end_time, $match, cast($start_at as timestamp), "
    "cast($end_at as timestamp), cast($now_at as timestamp))"
)


@dataclass(frozen=True)
class Question:
    """A statement in SQL, and the values of its `$name`."""

    sql: str
    parameters: Mapping[str, Any]


def found_sessions(
    q: str | None = None,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    match: Match = "started",
    content: str | None = None,
    appliance: str | None = None,
    now: datetime | None = None,
) -> Condition:
    """The condition that a row of `sessions` is one of those looked for; sessions that the appliance has lost are too.

    Args:
        q: An expression of the appliance's `q`; None for all.
        start: First moment of the range; None for no bound.
        end: End of the range; a date without a time is included. None for no bound.
        match: Which sessions belong to the range.
        content: Words that a command, a window title or an alert of the session has.
        appliance: One appliance only; None for all.
        now: The moment that still active sessions last to; None for now.

    Raises:
        UsageError: An argument is not what it may be.
    """
    population = population_options(start=start, end=end, match=match, appliance=appliance, now=now)
    found = Condition(f"{_IN_RANGE} and ($appliance is null or sessions.appliance = $appliance)", population)
    if q is not None:
        found &= compile_query(q, now)
    if content is not None:
        found &= content_condition(content)
    return found


def ask_search(
    found: Condition, *, columns: Sequence[str] = COLUMNS, sort: Sequence[str] = SORT, limit: int | None = None
) -> Question:
    """The question for these sessions, a row each.

    Args:
        found: Which sessions.
        columns: Columns of `sessions`, fields in the API's spelling, or user, server, client, policy, score.
        sort: The same, each with a `-` before it for the greatest first. Sessions without a value come last.
        limit: How many at most; None for all.

    Raises:
        UsageError: An argument is not what it may be.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}")
    names = ", ".join(f'{_expression(name)} as "{known_columns()[name][0]}"' for name in _checked(columns))
    if not names:
        raise UsageError(f"no column is asked for: name some, for example {','.join(COLUMNS[:3])}")
    order = ", ".join((*_order(sort), "sessions.appliance", "sessions.session_key"))
    text = f"select {names} from sessions where {found.sql} order by {order}"  # noqa: S608 names of our own
    return Question(text if limit is None else f"{text} limit {limit}", found.parameters)


def count_found(found: Condition) -> Question:
    """The question how many sessions these are."""
    return Question(f"select count(*) as found from sessions where {found.sql}", found.parameters)  # noqa: S608 our own


@cache
def known_columns() -> dict[str, tuple[str, str]]:
    """What can be shown, in each spelling: the column's heading, and its expression over a row of `sessions`."""
    known = {name: (name, expression) for name, expression in _SHORT.items()}
    for column in SESSIONS.columns:
        known[column.name] = (column.name, f'sessions."{column.name}"')
    for column in SESSIONS.columns:
        for spelling in filter(None, (column.path, *column.aliases)):
            known.setdefault(spelling, known[column.name])
    return known


def _expression(name: str) -> str:
    return known_columns()[name][1]


def _checked(names: Sequence[str]) -> list[str]:
    for name in names:
        check_choice("column", name, list(known_columns()), listed=False)
    return list(dict.fromkeys(names))


def _order(sort: Sequence[str]) -> Iterator[str]:
    for given in sort:
        name = given.removeprefix("-")
        check_choice("column", name, list(known_columns()), listed=False)
        yield f"{_expression(name)} {'desc' if name != given else 'asc'} nulls last"
