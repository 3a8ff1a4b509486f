"""`spsetl report`: one HTML page of the state of things."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from spsetl.cli.files import check_not_the_copy
from spsetl.cli.options import DataOptions
from spsetl.report import write_report

DEFAULTS = DataOptions()


def report(
    *,
    options: DataOptions = DEFAULTS,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    start: str | None = None,
    end: str | None = None,
    since: str | None = None,
) -> None:
    """Write one HTML page: whether the copy is fresh and complete, and what happened; print where it is.

    The page holds no script and loads nothing: it can be kept, mailed and printed. It needs the extra spsetl[report].

    Args:
        options: Where the copy is.
        output: The file to write; by default one with the time in its name, in reports/ of the data directory.
        start: Begin of the period, ISO 8601, UTC unless it says otherwise; by default 30 days before its end.
        end: End of the period; a date without a time is included; by default the day of the newest session.
        since: What is new or has changed since this moment is told apart; by default a day ago.
    """
    settings = options.load()
    if output is not None:
        check_not_the_copy(output, settings.data_dir)
    hours = str(settings.office_hours)
    print(write_report(settings.data_dir, output=output, start=start, end=end, since=since, office_hours=hours))
