"""One recording to a file: the one thing that is fetched on demand, and never in bulk ("Download audit trails")."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spsetl.appliance.client import Client
from spsetl.appliance.download import Advance
from spsetl.appliance.limits import Limits
from spsetl.appliance.protocol import TrailForm, session_path, trail_path
from spsetl.errors import BadAnswerError, NotFoundError, RightsError, StorageError, UsageError
from spsetl.files import replacing
from spsetl.settings import Settings

KIND: Final = "recording"


@dataclass(frozen=True)
class FetchedTrail:
    """A recording that lies on the disk; `is_proved` if the appliance said where its end is."""

    size: int
    requests: int
    is_proved: bool


def fetch_trail(
    settings: Settings, key: str, target: Path, *, form: TrailForm, overwrite: bool, advance: Advance
) -> FetchedTrail:
    """Download a session's recording. The file is there only once it is whole; a break is waited out.

    Args:
        settings: Of one appliance.
        key: The session's.
        target: The file.
        form: zat for the Desktop Player, srs to follow a session that still goes on.
        overwrite: Replace a file that is there.
        advance: Is told how many bytes have come, and of how many, if known.

    Raises:
        UsageError: The file is there, its folder is not, or the key is none.
        NotFoundError: No such session, or it has no recording.
        RightsError: The user may not download it.
        StorageError: It cannot be written.
        SpsetlError: As `Client.get`.
    """
    _check_target(target, overwrite=overwrite)
    _check_key(key)
    try:
        # A recording shows what administrators typed: nobody but its owner reads the file.
        with _connect(settings) as client, replacing(target) as file:
            # The default needs no parameter, which versions before the other format did not know.
            params = {"format": form} if form != "zat" else None
            limits = Limits.of("RECORDING", settings.recording_seconds, settings.recording_megabytes)
            download = client.download(trail_path(key), params, file, kind=KIND, limits=limits, advance=advance)
            size = download.received
            requests = client.requests_by_kind[KIND]
    except NotFoundError as error:
        raise NotFoundError("the appliance has no such session any more, or no recording of it") from error
    except RightsError as error:
        raise RightsError(
            "the user may not download this recording (403); an administrator must allow it in the connection policy's "
            "access control"
        ) from error
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror}; free some space, or choose another file"
        ) from error
    return FetchedTrail(size, requests, download.is_proved)


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder: name a file with -o")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} is there already: choose another file, or --overwrite")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}: make it, or choose another file")


def _check_key(key: str) -> None:
    try:
        session_path(key)
    except BadAnswerError as error:
        raise UsageError("that is no key of a session: take one from sessions.session_key") from error


def _connect(settings: Settings) -> Client:
    access = settings.for_appliance()
    return Client(access, concurrency=1, timeout=settings.timeout, quiet_hours=settings.quiet_hours)
