"""Which sessions a question is about, and the rules that all questions share."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property, reduce
from operator import and_
from typing import Any, Final, Literal, Protocol, get_args

from spsetl.analysis.lucene.fields import Condition, known_fields
from spsetl.analysis.question import Parameters, Question
from spsetl.analysis.times import Moment, read_range, read_start
from spsetl.errors import UsageError
from spsetl.schema import FETCHED, SCORE_DETAILS

Match = Literal["started", "contained", "overlap"]
"""Which sessions belong to a range: they started in it, they started and ended in it, or were alive at some moment."""

MATCHES: Final[tuple[str, ...]] = get_args(Match)
SESSIONS_HREF: Final = "/api/audit/sessions"
_CHOSEN: Final = "chosen_sessions"
_IN_RANGE: Final = (
    "is_in_range(sessions.start_time, sessions.end_time, $match, cast($start_at as timestamp), "
    "cast($end_at as timestamp), cast($now_at as timestamp)) "
    "and ($appliance is null or sessions.appliance = $appliance)"
)
_NOTICE: Final = (
    "--content searches the commands, window titles and alerts that the copy holds, not the recorded screen"
)


class RowSource(Protocol):
    """Whatever answers SQL; see `spsetl.analysis.reader.Warehouse`."""

    def rows(self, query: str, parameters: Parameters = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and all rows."""
        ...


def check_field(field: str) -> None:
    """Refuse a field that no session has.

    A path of the API, for example `recording.connection_policy`, an older spelling (`psm.connection_policy`), a column
    of `sessions` (`recording_connection_policy`), or `analytics.score.details.<algorithm>.score`.

    Raises:
        UsageError: It is none of these; the message names the nearest known one.
    """
    algorithm = field.removeprefix(f"{SCORE_DETAILS}.").removesuffix(".score")
    if not algorithm or field != f"{SCORE_DETAILS}.{algorithm}.score":
        check_choice("field", field, known_fields(), listed=False)


def check_choice(what: str, value: str, known: Collection[str], *, listed: bool = True) -> None:
    """Refuse a value that is not known, and say which one may have been meant.

    Raises:
        UsageError: It is none of the known ones; `listed` ones are all named.
    """
    if value in known:
        return
    nearest = get_close_matches(value, known, n=1)
    hint = f": one of {', '.join(known)}" if listed else ""
    raise UsageError(f"unknown {what} {value!r}{hint}{f'; did you mean {nearest[0]!r}?' if nearest else ''}")


@dataclass(frozen=True, kw_only=True)
class Population:
    """The sessions that a question is about; those that the appliance has lost meanwhile belong to it.

    Attributes:
        start: First moment of the range; None for no bound.
        end: End of the range; a date without a time is included. None for no bound.
        match: Which sessions belong to the range.
        appliance: One appliance only; None for all.
        q: Only sessions that pass this Lucene expression, as the appliance's own `q`, see sql/Q.md.
        content: Only sessions with a command, window title or alert in the copy that has all these words.
        now: The moment that still active sessions last to, and what `q` means by it; None for now.

    Raises:
        UsageError: One of them is not what it may be.
    """

    start: Moment | None = None
    end: Moment | None = None
    match: Match = "started"
    appliance: str | None = None
    q: str | None = None
    content: str | None = None
    now: datetime | None = None

    def __post_init__(self) -> None:
        check_choice("match", self.match, MATCHES)
        read_range(self.start, self.end)
        _ = self.among

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return all(given is None for given in (self.start, self.end, self.appliance, self.q, self.content))

    @property
    def options(self) -> dict[str, Any]:
        """The range and the appliance, as the macros of `sql/macros/` name them."""
        first, after = read_range(self.start, self.end)
        now = None if self.now is None else read_start(self.now).replace(tzinfo=None)
        return {"start_at": first, "end_at": after, "match": self.match, "appliance": self.appliance, "now_at": now}

    @cached_property
    def among(self) -> Condition | None:
        """What `q` and `content` mean together; None for no condition."""
        found = [] if self._wanted is None else [self._wanted]
        if self.content is not None:
            from spsetl.analysis.lucene.compile import content_condition  # noqa: PLC0415 as below

            found.append(content_condition(self.content))
        return reduce(and_, found) if found else None

    @cached_property
    def _wanted(self) -> Condition | None:
        if self.q is None:
            return None
        from spsetl.analysis.lucene.compile import compile_query  # noqa: PLC0415 a parser that few questions need

        return compile_query(self.q, self.now)

    @property
    def condition(self) -> Condition:
        """All of it, as a condition on a row of `sessions`."""
        in_range = Condition(_IN_RANGE, self.options)
        return in_range if self.among is None else in_range & self.among

    def check_appliance(self, source: RowSource) -> None:
        """Refuse an appliance that the copy does not have: its sessions would be none, and none is an answer.

        Raises:
            UsageError: It has others; names them.
        """
        if self.appliance is not None:
            names = source.rows("select appliance from sync_runs union select appliance from sessions order by 1")[1]
            check_choice("appliance", self.appliance, [known for (known,) in names])

    @property
    def note(self) -> str:
        """What in `q` is easily meant otherwise than it is read, in a line; empty if there is nothing."""
        return "" if self._wanted is None else self._wanted.note

    def notices(self, source: RowSource) -> list[str]:
        """What has to be read beside the answer: the note, and wherever content is searched, what that cannot find."""
        about_content = self._content_notice(source) if self.among is not None and self.among.asks_content else ""
        return [line for line in (self.note, about_content) if line]

    def _content_notice(self, source: RowSource) -> str:
        # Those that ask for content in q have content.
        q = None if self._wanted is not None and self._wanted.asks_content else self.q
        asked = replace(self, q=q, content=None).condition
        _, [(missing, whole)] = source.rows(
            "select count(*) filter (events_status is distinct from $fetched), count(*) from sessions left join ("  # noqa: S608
            "select appliance, session_key, events_status from session_details) using (appliance, session_key) "
            f"where {asked.sql}",
            {"fetched": FETCHED, **asked.parameters},
        )
        if not missing:
            return _NOTICE
        return (
            f"{_NOTICE}; {missing} of the {whole} sessions in question have no commands or titles in the copy "
            "(not recorded, not indexed or not fetched)"
        )


EVERYTHING: Final = Population()


def ask_macro(columns: Sequence[str], macro: str, first: str, population: Population, **options: Any) -> Question:
    """The question to a table macro of `sql/macros/`; an option that is None keeps the macro's own default."""
    given = {name: value for name, value in (options | population.options).items() if value is not None}
    bound, chosen = {"first": first, **given}, ""
    if population.among is not None:
        given["among"] = bound["among"] = _CHOSEN
        bound |= population.among.parameters
        # Looked for once, though a macro asks twice; only the columns that it needs are kept.
        chosen = f"with {_CHOSEN} as materialized (select sessions.* from sessions where {population.among.sql}) "  # noqa: S608
    arguments = ", ".join(["$first", *(f"{name} := ${name}" for name in given)])
    return Question(f"{chosen}select {', '.join(columns)} from {macro}({arguments})", bound)  # noqa: S608 names of ours
