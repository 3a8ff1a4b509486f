"""`spsetl sql`: any question, read-only."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import orjson
from cyclopts import Parameter

from spsetl.cli.options import DataOptions
from spsetl.cli.terminal import print_csv, print_table
from spsetl.warehouse.reader import open_warehouse

Form = Literal["table", "json", "csv"]
DEFAULTS = DataOptions()


def sql(
    query: Annotated[str, Parameter(allow_leading_hyphen=True)],  # it may begin with a comment
    /,
    *,
    options: DataOptions = DEFAULTS,
    format: Form = "table",  # noqa: A002 the option's name
) -> None:
    """Answer a question in SQL: read-only, no files, no network.

    Args:
        query: The question, for example "select user_name, count(*) from sessions group by all".
        options: Where the copy is.
        format: table, json (one object a row, a row a line), or csv.
    """
    with open_warehouse(options.load().data_dir) as warehouse:
        columns, rows = warehouse.rows(query)
    if format == "json":
        for row in rows:
            print(orjson.dumps(dict(zip(columns, row, strict=True)), default=str).decode())
    elif format == "csv":
        print_csv(columns, [[_iso(value) for value in row] for row in rows])
    else:
        print_table(columns, rows)


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
