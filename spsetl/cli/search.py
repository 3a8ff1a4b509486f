"""`spsetl search`: sessions by an expression of the appliance's `q`."""

import sys
from typing import Annotated

from cyclopts import Parameter

from spsetl.analysis.lucene import notices
from spsetl.analysis.search import COLUMNS, SORT, Question, ask_search, count_found, found_sessions
from spsetl.analysis.source import Match, check_appliance
from spsetl.cli.options import DataOptions
from spsetl.cli.output import OutputOptions, write_answer
from spsetl.errors import UsageError
from spsetl.warehouse.edition import Edition, Limits
from spsetl.warehouse.reader import open_warehouse

DEFAULTS = DataOptions()
DEFAULT_OUTPUT = OutputOptions()
DEFAULT_LIMIT = 100


def search(
    q: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,  # it may exclude: -protocol:ssh
    /,
    *,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
    start: str | None = None,
    end: str | None = None,
    match: Match = "started",
    content: str | None = None,
    appliance: str | None = None,
    columns: str = ",".join(COLUMNS),
    sort: Annotated[str, Parameter(allow_leading_hyphen=True)] = ",".join(SORT),
    limit: int = DEFAULT_LIMIT,
) -> None:
    """List sessions that an expression of the appliance's q finds.

    Args:
        q: The expression, for example "protocol:ssh AND user.name:root"; without one, all sessions.
        options: Where the copy is.
        output: How the answer is written.
        start: Begin of the range, ISO 8601, UTC unless it says otherwise.
        end: End of the range; a date without a time is included.
        match: started in the range; contained, started and ended in it; or overlap, alive at some moment of it.
        content: Words of a command, a window title or an alert of the session.
        appliance: Sessions of this appliance only.
        columns: Columns of sessions or fields of the API, with commas between; or user, server, client, policy, score.
        sort: What they are sorted by, likewise; - before a name for the greatest first.
        limit: How many at most; 0 for all.
    """
    if limit < 0:
        raise UsageError(f"limit must be 0, for all, or more, not {limit}")
    settings = options.load()
    found = found_sessions(q, start=start, end=end, match=match, content=content, appliance=appliance)
    question = ask_search(found, columns=_names(columns), sort=_names(sort), limit=limit or None)
    with open_warehouse(settings.data_dir, limits=Limits.of(settings)) as warehouse, warehouse.hold() as edition:
        check_appliance(edition, appliance)
        for line in notices(edition, q, content, start=start, end=end, match=match, appliance=appliance):
            print(line, file=sys.stderr, flush=True)
        count = write_answer(edition, question.sql, question.parameters, output, settings.data_dir)
        if limit and count == limit:
            _say_what_is_left(edition, count_found(found), limit)
    if not count:
        print("no session found", file=sys.stderr)


def _say_what_is_left(edition: Edition, counting: Question, limit: int) -> None:
    _, [(whole,)] = edition.rows(counting.sql, counting.parameters)
    if whole > limit:
        print(f"{limit:,} of {whole:,} sessions found; --limit 0 shows all", file=sys.stderr)


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]
