"""`spsetl trail`: one recording to a file."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from spsetl.appliance.download import Advance
from spsetl.appliance.protocol import TrailForm
from spsetl.cli.options import SyncOptions
from spsetl.cli.screen import plain
from spsetl.cli.terminal import SECONDS_BETWEEN_LINES
from spsetl.errors import UsageError
from spsetl.settings import Settings
from spsetl.sync.trail import fetch_trail

DEFAULTS = SyncOptions()


def trail(
    key: Annotated[str, Parameter(allow_leading_hyphen=True)],  # a key may begin with any letter
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    options: SyncOptions = DEFAULTS,
    format: TrailForm = "zat",  # noqa: A002 the option's name
    overwrite: bool = False,
) -> None:
    """Download the recording of one session. The appliance records each download: who, when, from where.

    Args:
        key: The session's key, see sessions.session_key.
        output: File to write; it is there only once the recording is whole.
        options: Which appliance.
        format: zat for the Safeguard Desktop Player, or srs to follow a session that still goes on.
        overwrite: Replace a file that is there.
    """
    settings = _one(options.load_all())
    _say("The appliance records this download under your user (trail_downloads).")
    with _show_download() as advance:
        fetched = fetch_trail(settings, key, output, form=format, overwrite=overwrite, advance=advance)
    pieces = f", in {fetched.requests} requests" if fetched.requests > 1 else ""
    _say(f"{output}: {fetched.size:,} bytes{pieces}")
    if not fetched.is_proved:
        _say("The appliance did not say how long the recording is: a broken connection would have looked like its end.")


def _one(all_settings: tuple[Settings, ...]) -> Settings:
    if len(all_settings) > 1:
        names = ", ".join(str(settings.appliance) for settings in all_settings)
        raise UsageError(f"which appliance has the session? Name one with --appliance: {names}")
    return all_settings[0]


@contextmanager
def _show_download() -> Iterator[Advance]:
    """A bar on a terminal, a line every few seconds elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines().advance
        return
    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=plain(sys.stderr))) as progress:
        task = progress.add_task("recording", total=None)
        yield lambda received, size: progress.update(task, completed=received, total=size)


class _Lines:
    """How far it is, now and then."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def advance(self, received: int, size: int | None) -> None:
        """A line, if the last one is long ago."""
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            _say(f"{received:,} bytes{f' of {size:,}' if size else ''}")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
