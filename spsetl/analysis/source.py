"""What every analysis needs of a warehouse, and the rules that all of them share."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

from spsetl.analysis.times import Moment, read_range, read_start
from spsetl.errors import UsageError

if TYPE_CHECKING:
    from spsetl.analysis.lucene import Condition

Match = Literal["started", "contained", "overlap"]
"""Which sessions belong to a range: they started in it, they started and ended in it, or were alive at some moment."""

MATCHES: Final[tuple[str, ...]] = get_args(Match)
SESSIONS_HREF: Final = "/api/audit/sessions"
_CHOSEN: Final = "chosen_sessions"


class RowSource(Protocol):
    """Whatever answers SQL; see `spsetl.warehouse.reader.Warehouse`."""

    def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and all rows."""
        ...


def call_macro(
    source: RowSource, macro: str, first: str, options: Mapping[str, Any], among: "Condition | None" = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The answer of a table macro of `sql/macros/`, about the sessions of a condition, or about all.

    An option that is None keeps the macro's own default.
    """
    given = {name: value for name, value in options.items() if value is not None}
    bound = {"first": first, **given}
    chosen = ""
    if among is not None:
        given["among"] = bound["among"] = _CHOSEN
        bound |= among.parameters
        # Looked for once, though a macro asks twice; only the columns that it needs are kept.
        chosen = f"with {_CHOSEN} as materialized (select sessions.* from sessions where {among.sql}) "  # noqa: S608
    arguments = ", ".join(["$first", *(f"{name} := ${name}" for name in given)])
    return source.rows(f"{chosen}from {macro}({arguments})", bound)


def narrow_sessions(q: str | None, content: str | None, now: datetime | None = None) -> "Condition | None":
    """The condition on sessions that both mean together, see `spsetl.analysis.lucene`; None for no condition.

    `now` is what an expression means by that, None for the moment of the call.

    Raises:
        UsageError: One of them cannot be read.
    """
    if q is None and content is None:
        return None
    from spsetl.analysis.lucene import compile_query, content_condition  # noqa: PLC0415 a parser that few questions need

    wanted = [] if q is None else [compile_query(q, now)]
    if content is not None:
        wanted.append(content_condition(content))
    return reduce(and_, wanted)


def population_options(
    *, start: Moment | None, end: Moment | None, match: str, appliance: str | None, now: datetime | None
) -> dict[str, Any]:
    """The options of a macro that say which sessions it is about.

    Raises:
        UsageError: A bound is no date and no time, the range is empty, or `match` is none of `MATCHES`.
    """
    check_choice("match", match, MATCHES)
    first, after = read_range(start, end)
    return {
        "start_at": first,
        "end_at": after,
        "match": match,
        "appliance": appliance,
        "now_at": None if now is None else read_start(now).replace(tzinfo=None),
    }


def check_appliance(source: RowSource, name: str | None) -> None:
    """Refuse an appliance that the copy does not have: its sessions would be none, and none is an answer.

    Raises:
        UsageError: It has others; names them.
    """
    if name is not None:
        names = source.rows("select appliance from sync_runs union select appliance from sessions order by 1")[1]
        check_choice("appliance", name, [known for (known,) in names])


def check_choice(what: str, value: str, known: Sequence[str], *, listed: bool = True) -> None:
    """Refuse a value that is not known, and say which one may have been meant.

    Raises:
        UsageError: It is none of the known ones; `listed` ones are all named.
    """
    if value in known:
        return
    nearest = get_close_matches(value, known, n=1)
    hint = f": one of {', '.join(known)}" if listed else ""
    raise UsageError(f"unknown {what} {value!r}{hint}{f'; did you mean {nearest[0]!r}?' if nearest else ''}")
