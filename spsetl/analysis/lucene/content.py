"""`--content`: what the copy holds of a session's contents, as a condition in SQL."""

import re
from typing import Any, Final

from spsetl.analysis.lucene.comparing import holds
from spsetl.analysis.lucene.compiler import compile_query
from spsetl.analysis.lucene.condition import Condition, Values
from spsetl.analysis.lucene.places import find_field
from spsetl.analysis.source import RowSource, population_options
from spsetl.errors import UsageError
from spsetl.schema import FETCHED

_NOTICE: Final = (
    "--content searches the commands, window titles and alerts that the copy holds, not the recorded screen"
)
_WORDS: Final = re.compile(r'"([^"]+)"|([^\s"]+)')


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
    return values.condition(find_field("content", 0).passing(holds(words, values), values))


def notices(source: RowSource, q: str | None, content: str | None, **population: Any) -> list[str]:
    """The lines that whoever asks this has to read beside the answer, see `Condition.note` and `content_notice`.

    Raises:
        UsageError: As `content_notice`.
    """
    wanted = Condition("true") if q is None else compile_query(q, population.get("now"))
    asks_content = content is not None or wanted.asks_content
    about_content = content_notice(source, q, **population) if asks_content else ""
    return [line for line in (wanted.note, about_content) if line]


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
    wanted = Condition("true") if q is None else compile_query(q, population.get("now"))
    if wanted.asks_content:  # those that it finds have content
        wanted = Condition("true")
    _, [(missing, whole)] = source.rows(
        "select count(*) filter (events_status is distinct from $fetched), count(*) from sessions left join ("  # noqa: S608
        "select appliance, session_key, events_status from session_details) using (appliance, session_key) "
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
