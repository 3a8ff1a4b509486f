"""`spsetl trail`: one recording, whole or not at all, from an appliance that breaks off."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from spsetl.cli import run
from spsetl.errors import BadAnswerError, NotFoundError, RightsError, StorageError, UnavailableError, UsageError
from spsetl.simulator import Fault, Simulator
from spsetl.simulator.details import has_trail, recording_of
from spsetl.sync.trail import FetchedTrail, fetch_trail
from tests.appliances import TRIES, Start
from tests.syncing import settings_for

pytestmark = pytest.mark.usefixtures("without_sleeps")


def key_of(simulator: Simulator, *, recorded: bool = True) -> str:
    """A session with a recording, or without."""
    world = simulator.world
    return next(key for key in world if has_trail(world.spec, world.find(key)) is recorded)


def whole(simulator: Simulator, key: str, form: str = "zat") -> bytes:
    """The recording as it is."""
    return recording_of(simulator.world.spec, simulator.world.find(key), form)


def fetch(simulator: Simulator, folder: Path, key: str, **given: Any) -> FetchedTrail:
    """To `folder/trail`."""
    options: dict[str, Any] = {"form": "zat", "overwrite": False, "advance": lambda _received, _size: None}
    return fetch_trail(settings_for(simulator, folder), key, folder / "trail", **(options | given))


@pytest.mark.parametrize("form", ["zat", "srs"])
def test_a_recording_comes_whole_and_is_its_owners_alone(start_appliance: Start, tmp_path: Path, form: str) -> None:
    """The file is the recording byte by byte, in the format that was asked for, and others cannot read it."""
    simulator = start_appliance()
    key = key_of(simulator)
    seen: list[tuple[int, int | None]] = []

    fetched = fetch(simulator, tmp_path, key, form=form, advance=lambda received, size: seen.append((received, size)))

    expected = whole(simulator, key, form)
    assert (tmp_path / "trail").read_bytes() == expected
    assert fetched == FetchedTrail(len(expected), 1, is_proved=True)
    assert seen[-1] == (len(expected), len(expected))
    assert (tmp_path / "trail").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("quirks", [{}, {"trail_ranges": False}, {"trail_length": False}])
def test_a_break_is_waited_out(start_appliance: Start, tmp_path: Path, quirks: dict[str, Any]) -> None:
    """However often it breaks off, the file is whole, whether or not the rest can be asked for alone."""
    simulator = start_appliance(**quirks)
    key = key_of(simulator)
    simulator.fail_next(Fault.HALF_BODY, 3, kind="audit_trail")
    simulator.fail_next(Fault.LOG_OUT, 1, kind="audit_trail")
    simulator.fail_next(Fault.SERVICE_UNAVAILABLE, 1, kind="audit_trail")

    fetched = fetch(simulator, tmp_path, key)

    assert (tmp_path / "trail").read_bytes() == whole(simulator, key)
    assert fetched.requests == 6


def test_only_the_rest_is_asked_for(start_appliance: Start, tmp_path: Path) -> None:
    """After a break the appliance sends what is missing, and not all again."""
    simulator = start_appliance()
    key = key_of(simulator)
    simulator.fail_next(Fault.HALF_BODY, 2, kind="audit_trail")
    received: list[int] = []

    fetch(simulator, tmp_path, key, advance=lambda now, _size: received.append(now))

    assert (tmp_path / "trail").read_bytes() == whole(simulator, key)
    assert received == sorted(received)


def test_a_recording_that_has_changed_begins_anew(start_appliance: Start, tmp_path: Path) -> None:
    """A part of one recording is never put behind a part of another."""
    simulator = start_appliance()
    first, second = [key for key in simulator.world if has_trail(simulator.world.spec, simulator.world.find(key))][:2]
    simulator.fail_next(Fault.HALF_BODY, 1, kind="audit_trail")
    trails = {first: recording_of(simulator.world.spec, simulator.world.find(first), "zat")}

    def change(kind: str, path: str, params: Any) -> None:
        # The second request for it finds the bytes of another session.
        if kind == "audit_trail" and simulator.requests["audit_trail"] == 2:
            trails[first] = recording_of(simulator.world.spec, simulator.world.find(second), "zat")

    simulator.on_request = change
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spsetl.simulator.appliance.recording_of", lambda _spec, session, _form: trails[session.key])
        fetch(simulator, tmp_path, first)

    assert (tmp_path / "trail").read_bytes() == trails[first]


def test_one_that_never_gets_on_is_an_error_and_leaves_nothing(start_appliance: Start, tmp_path: Path) -> None:
    """Where each try breaks off at the same place, it ends, and neither file nor part is left."""
    simulator = start_appliance(trail_ranges=False)
    simulator.fail_next(Fault.HALF_BODY, 3 * TRIES, kind="audit_trail")

    with pytest.raises(UnavailableError, match="try later"):
        fetch(simulator, tmp_path, key_of(simulator))

    assert not list(tmp_path.glob("*trail*"))


def test_the_download_is_in_the_appliances_own_record(start_appliance: Start, tmp_path: Path) -> None:
    """What the command says is so: the appliance lists the download, with the user and the way."""
    simulator = start_appliance()
    key = key_of(simulator)

    fetch(simulator, tmp_path, key)

    assert [download.from_api for download in simulator.world.find(key).downloads] == [True]


@pytest.mark.parametrize(
    ("quirks", "key", "error", "words"),
    [
        ({}, "nobody-knows-it", NotFoundError, "no such session"),
        ({}, "", NotFoundError, "no recording"),
        ({"search_right": False}, "any", RightsError, "may not download"),
        ({"html": 1.0}, "any", BadAnswerError, "proxy"),
        ({}, "..", UsageError, "no key"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    start_appliance: Start, tmp_path: Path, quirks: dict[str, Any], key: str, error: type[Exception], words: str
) -> None:
    """No session, no recording, no right, a proxy's page: an error that says so, and no file."""
    simulator = start_appliance(**quirks)

    with pytest.raises(error, match=words):
        fetch(simulator, tmp_path, key or key_of(simulator, recorded=False))

    assert not list(tmp_path.glob("*trail*"))


def test_a_file_that_is_there_is_replaced_only_when_told(start_appliance: Start, tmp_path: Path) -> None:
    """An older file stays, also when its replacement fails halfway."""
    simulator = start_appliance()
    key = key_of(simulator)
    (tmp_path / "trail").write_bytes(b"older")

    with pytest.raises(UsageError, match="--overwrite"):
        fetch(simulator, tmp_path, key)
    with pytest.raises(NotFoundError):
        fetch(simulator, tmp_path, "gone", overwrite=True)
    assert (tmp_path / "trail").read_bytes() == b"older"

    fetch(simulator, tmp_path, key, overwrite=True)
    assert (tmp_path / "trail").read_bytes() == whole(simulator, key)


def test_a_full_disk_is_one_line_and_leaves_no_part(
    start_appliance: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written whole is not there."""
    simulator = start_appliance()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        fetch(simulator, tmp_path, key_of(simulator))

    assert not list(tmp_path.glob("*trail*"))


def test_the_command_says_that_it_is_recorded(
    start_appliance: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line downloads to the file that is named, and warns before."""
    simulator = start_appliance()
    key = key_of(simulator)
    settings = settings_for(simulator, tmp_path)
    monkeypatch.setenv("SPSETL_URL", str(settings.url))
    monkeypatch.setenv("SPSETL_USERNAME", str(settings.username))
    assert settings.password
    monkeypatch.setenv("SPSETL_PASSWORD", settings.password.get_secret_value())
    monkeypatch.chdir(tmp_path)

    code = run(["trail", key, "-o", "trail.zat"])

    said = capsys.readouterr()
    assert code == 0, said.err
    assert "records this download" in said.err
    assert not said.out
    assert (tmp_path / "trail.zat").read_bytes() == whole(simulator, key)
    assert run(["trail", key, "-o", "trail.zat"]) == 2
