"""`spsetl stats` and `spsetl histogram`: statistics of the copy, in the appliance's own shape."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Literal

import orjson

from spsetl.analysis.histogram import BinSize, fetch_histogram
from spsetl.analysis.source import Match
from spsetl.analysis.stats import DEFAULT_SIZE, fetch_stats
from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_csv, print_table
from spsetl.events import complain
from spsetl.warehouse.edition import Limits
from spsetl.warehouse.reader import Warehouse, open_warehouse

Form = Literal["table", "json", "csv"]
DEFAULTS = DataOptions()


def stats(
    field: str,
    /,
    *,
    options: DataOptions = DEFAULTS,
    sub_field: str | None = None,
    size: int = DEFAULT_SIZE,
    start: str | None = None,
    end: str | None = None,
    match: Match = "started",
    q: str | None = None,
    content: str | None = None,
    format: Form = "table",  # noqa: A002 the option's name
) -> None:
    """Count sessions by the values of a field, as the appliance's own statistics do.

    Args:
        field: The field in the API's spelling, for example protocol or recording.connection_policy.
        options: Where the copy is.
        sub_field: A second field, counted within each value of the first.
        size: How many values are shown.
        start: Begin of the range, ISO 8601, UTC unless it says otherwise.
        end: End of the range; a date without a time is included.
        match: started in the range; contained, started and ended in it; or overlap, alive at some moment of it.
        q: Only sessions that pass this expression, in the language of the appliance's own searches, for example
            'protocol:ssh AND NOT verdict:ACCEPT'.
        content: Only sessions with a command, window title or alert that has these words. Not the recorded screen.
        format: table, json in the appliance's own shape, or csv.
    """
    settings = options.load()
    with open_warehouse(settings.data_dir, limits=Limits.of(settings)) as warehouse:
        answer = fetch_stats(
            warehouse,
            field,
            sub_field=sub_field,
            size=size,
            start=start,
            end=end,
            match=match,
            q=q,
            content=content,
        )
        _say_notices(warehouse, q, content, start=start, end=end, match=match)
    _show(format, answer.columns, answer.rows, answer.as_json)


def histogram(
    field: str | None = None,
    /,
    *,
    options: DataOptions = DEFAULTS,
    bin_size: BinSize = "day",
    time_zone: str = "UTC",
    start: str | None = None,
    end: str | None = None,
    match: Match = "started",
    q: str | None = None,
    content: str | None = None,
    format: Form = "table",  # noqa: A002 the option's name
) -> None:
    """Count sessions by bins of time: started in each, and alive at some moment of it.

    Args:
        field: Count only sessions that have a value of this field.
        options: Where the copy is.
        bin_size: Length of a bin.
        time_zone: Zone whose calendar the bins follow, for example Europe/Budapest.
        start: Begin of the range, ISO 8601, UTC unless it says otherwise; by default the first session's start.
        end: End of the range; a date without a time is included; by default the last session's start.
        match: started in the range; contained, started and ended in it; or overlap, alive at some moment of it.
        q: Only sessions that pass this expression, in the language of the appliance's own searches, for example
            'protocol:ssh AND NOT verdict:ACCEPT'.
        content: Only sessions with a command, window title or alert that has these words. Not the recorded screen.
        format: table, json in the appliance's own shape, or csv.
    """
    settings = options.load()
    with open_warehouse(settings.data_dir, limits=Limits.of(settings)) as warehouse:
        answer = fetch_histogram(
            warehouse,
            bin_size,
            field=field,
            start=start,
            end=end,
            time_zone=time_zone,
            match=match,
            q=q,
            content=content,
        )
        _say_notices(warehouse, q, content, start=start, end=end, match=match)
    _show(format, answer.columns, answer.rows, answer.as_json)


def _say_notices(warehouse: Warehouse, q: str | None, content: str | None, **population: Any) -> None:
    if q is None and content is None:
        return
    from spsetl.analysis.lucene import notices  # noqa: PLC0415 a parser that few questions need

    for line in notices(warehouse, q, content, **population):
        complain(line)


def _show(form: Form, columns: Sequence[str], rows: Iterable[Sequence[Any]], whole: Any) -> None:
    if form == "json":
        print(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    elif form == "csv":
        print_csv(columns, [[_iso(value) for value in row] for row in rows])
    else:
        print_table(columns, rows)


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
