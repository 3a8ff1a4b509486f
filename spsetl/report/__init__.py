"""One self-contained HTML page of the state of things: no script, no network, charts as SVG.

Its libraries are the extra `spsetl[report]`; nothing else of spsetl needs them.
"""

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from spsetl.analysis.times import Moment
from spsetl.errors import UsageError

LIBRARIES: Final = ("altair", "vl_convert", "jinja2")


def has_libraries() -> bool:
    """Whether the extra is installed."""
    return all(find_spec(name) for name in LIBRARIES)


def write_report(
    data_dir: Path,
    *,
    output: Path | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    office_hours: str | None = None,
    now: datetime | None = None,
) -> Path:
    """Write the report of a published warehouse, and tell where.

    Args:
        data_dir: Where the copy is.
        output: The file to write; by default one with the time in its name, in `reports/` of the data directory.
        start: Begin of the period; by default 30 days before its end.
        end: End of the period; by default the end of the day (UTC) of the newest session.
        office_hours: What the marts hold for office hours, to say so.
        now: The moment that the copy's age is measured at (aware); the same copy, moment and earlier report give the
            same page, byte for byte.

    Raises:
        UsageError: The extra is not installed, nothing is published, or the period is empty.
        StorageError: The page cannot be written.
    """
    if not has_libraries():
        raise UsageError("the report needs more libraries than are installed: pip install 'spsetl[report]'")
    from spsetl.report.page import make_report  # noqa: PLC0415 only with the extra, and half a second to import

    return make_report(data_dir, output=output, start=start, end=end, office_hours=office_hours, now=now)
