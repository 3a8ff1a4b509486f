"""`--content`: what the copy holds of a session's contents, as a condition in SQL."""

import re
from typing import Any, Final

from spsetl.analysis.lucene.compiler import compile_query
from spsetl.analysis.lucene.condition import Condition, Values, all_of
from spsetl.analysis.source import RowSource, population_options
from spsetl.errors import UsageError
from spsetl.schema import FETCHED

_NOTICE: Final = (
    "--content searches the commands, window titles and alerts that the copy holds, not the recorded screen"
)
_WORDS: Final = re.compile(r'"([^"]+)"|([^\s"]+)')
# A line apart, so that what stands in quotes is found in the one or in the other.
_TEXT: Final = "lower(coalesce(own.{0}, '') || chr(10) || coalesce(own.{1}, ''))"
_TABLES: Final = {"events": ("action", "content"), "alerts": ("matched_action", "matched_content")}


def content_condition(text: str) -> Condition:
    """Sessions with an event (a command, a window title, …) or an alert that has all the words, in any case.

    A word may be part of a longer one; what stands in quotes is found as it stands.

    Raises:
        UsageError: There is no word.
    """
    words = [phrase or word for phrase, word in _WORDS.findall(text)]
    if not words:
        raise UsageError('the text of --content is empty: write for example --content "rm -rf"')
    values = Values("c")
    names = [values.bind(word) for word in words]
    found = " union all ".join(
        f"select (own.appliance, own.session_key) from {table} as own where "  # noqa: S608 tables of our own
        + all_of([f"contains({_TEXT.format(*columns)}, lower({name}))" for name in names])
        for table, columns in _TABLES.items()
    )
    return values.condition(f"(sessions.appliance, sessions.session_key) in ({found})")


def content_notice(source: RowSource, q: str | None = None, **population: Any) -> str:
    """What has to be said wherever content is searched: what that means, and how many sessions it cannot find.

    Args:
        source: The warehouse.
        q: The expression that is asked for beside the content.
        population: Of `start`, `end`, `match`, `appliance` and `now`, those that are asked for.

    Raises:
        UsageError: The expression cannot be read, or an option of the population is not what it may be.
    """
    unset: dict[str, Any] = {"start": None, "end": None, "match": "started", "appliance": None, "now": None}
    options = population_options(**unset | population)
    wanted = Condition("true") if q is None else compile_query(q)
    _, [(missing, whole)] = source.rows(
        "select count(*) filter (events_status is distinct from $fetched), count(*) from sessions "  # noqa: S608
        "where is_in_range(sessions.start_time, sessions.end_time, $match, $start_at, $end_at, $now_at) "
        f"and ($appliance is null or sessions.appliance = $appliance) and {wanted.sql}",
        {"fetched": FETCHED, **options, **wanted.parameters},
    )
    if not missing:
        return _NOTICE
    return (
        f"{_NOTICE}; {missing} of the {whole} sessions in question have no commands or titles in the copy "
        "(not recorded, not indexed or not fetched)"
    )
