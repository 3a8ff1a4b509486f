"""Sessions of a population, one row each, with the columns and in the order that are asked for."""

from collections.abc import Iterator, Sequence
from typing import Final

from spsetl.analysis.lucene.fields import known_fields
from spsetl.analysis.population import EVERYTHING, Population, check_choice
from spsetl.analysis.question import Question
from spsetl.errors import UsageError

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


def ask_search(
    population: Population = EVERYTHING,
    *,
    columns: Sequence[str] = COLUMNS,
    sort: Sequence[str] = SORT,
    limit: int | None = None,
) -> Question:
    """The question for these sessions, a row each.

    Args:
        population: Which sessions.
        columns: Columns of `sessions`, fields in the API's spelling, or user, server, client, policy, score.
        sort: The same, each with a `-` before it for the greatest first. Sessions without a value come last.
        limit: How many at most; None for all.

    Raises:
        UsageError: An argument is not what it may be.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}")
    shown = ", ".join(
        f'{expression} as "{heading}"' for heading, expression in map(_find_column, dict.fromkeys(columns))
    )
    if not shown:
        raise UsageError(f"no column is asked for: name some, for example {','.join(COLUMNS[:3])}")
    order = ", ".join((*_order(sort), "sessions.appliance", "sessions.session_key"))
    found = population.condition
    text = f"select {shown} from sessions where {found.sql} order by {order}"  # noqa: S608 names of our own
    return Question(text if limit is None else f"{text} limit {limit}", found.parameters)


def count_found(population: Population) -> Question:
    """The question how many sessions these are."""
    found = population.condition
    return Question(f"select count(*) as found from sessions where {found.sql}", found.parameters)  # noqa: S608 our own


def _find_column(name: str) -> tuple[str, str]:
    """What is shown under any spelling: its heading, and its expression over a row of `sessions`."""
    if name in _SHORT:
        return name, _SHORT[name]
    check_choice("column", name, [*_SHORT, *known_fields()], listed=False)
    column = known_fields()[name].name
    return column, f'sessions."{column}"'


def _order(sort: Sequence[str]) -> Iterator[str]:
    for given in sort:
        name = given.removeprefix("-")
        yield f"{_find_column(name)[1]} {'desc' if name != given else 'asc'} nulls last"
