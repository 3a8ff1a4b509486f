"""One self-contained HTML page of the state of things: no script, no network, charts as SVG.

Its libraries are the extra `spsetl[report]`; nothing else of spsetl needs them.
"""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from spsetl.analysis.reader import open_warehouse
from spsetl.analysis.times import Moment
from spsetl.errors import StorageError, UsageError
from spsetl.files import replacing, sync_path
from spsetl.report.contents import read_contents

LIBRARIES: Final = ("altair", "vl_convert", "jinja2")
FOLDER: Final = "reports"


def has_libraries() -> bool:
    """Whether the extra is installed."""
    return all(find_spec(name) for name in LIBRARIES)


def write_report(
    data_dir: Path,
    *,
    output: Path | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    since: Moment | None = None,
    office_hours: str | None = None,
    now: datetime | None = None,
) -> Path:
    """Write the report of a published warehouse, and tell where.

    Args:
        data_dir: Where the copy is.
        output: The file to write; by default one with the time in its name, in `reports/` of the data directory.
        start: Begin of the period; by default 30 days before its end.
        end: End of the period; by default the end of the day (UTC) of the newest session.
        since: The moment that what changed is told from; by default a day ago.
        office_hours: What the marts hold for office hours, to say so.
        now: The moment that the copy's age is measured at (aware); the same copy and moment give the same page, byte
            for byte.

    Raises:
        UsageError: The extra is not installed, nothing is published, or the period is empty.
        StorageError: The page cannot be written.
    """
    if not has_libraries():
        raise UsageError("the report needs more libraries than are installed: pip install 'spsetl[report]'")
    from spsetl.report.page import render  # noqa: PLC0415 only with the extra, and half a second to import

    if output is not None:
        _check_output(output)
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    path = output or data_dir / FOLDER / f"spsetl-report-{moment:%Y%m%dT%H%M%SZ}.html"
    with open_warehouse(data_dir) as warehouse:
        contents = read_contents(warehouse, start=start, end=end, since=since, now=moment)
    _write(path, render(contents, office_hours=office_hours))
    return path


def _check_output(output: Path) -> None:
    if output.is_dir():
        raise UsageError(f"{output} is a folder: name the file to write, for example {output / 'report.html'}")
    # Nothing may take the place of a device or a pipe.
    if (output.exists() and not output.is_file()) or Path("/dev") in output.absolute().parents:
        raise UsageError(f"{output} is no file: name the file to write")


def _write(path: Path, text: str) -> None:
    """Put the page in its place, whole: an earlier one of that name stays until then."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(text.encode())
        sync_path(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}: free some space, or name another file with -o"
        ) from error
