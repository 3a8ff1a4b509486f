"""Files that decide where a password goes are ours or root's, and nobody else may write them: else nothing begins."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from spsetl.cli import run
from spsetl.settings import load_settings
from spsetl.simulator import Simulator, World, WorldSpec

Spoil = Callable[[Path], None]


def give_away(path: Path) -> None:
    """To another user; who is not root cannot, and is another user himself instead."""
    if os.getuid() == 0:
        os.chown(path, 12345, -1)
    else:
        pytest.MonkeyPatch().setattr(os, "geteuid", lambda: os.getuid() + 1)


def mode(bits: int) -> Spoil:
    """Gives the file this mode."""
    return lambda path: path.chmod(bits)


def open_folder(path: Path) -> None:
    """Everybody may replace what is in the folder."""
    path.parent.chmod(0o777)


def sticky_folder(path: Path) -> None:
    """As /tmp is: nobody may replace what is another's."""
    path.parent.chmod(0o1777)


SPOILT = [
    (give_away, "belongs to user 12345", "run: chown "),
    (mode(0o620), "can be changed by others", "run: chmod go-w "),
    (mode(0o602), "can be changed by others", "run: chmod go-w "),
    (open_folder, "can be replaced by others", "run: chmod o-w "),
]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SPSETL_"):
            monkeypatch.delenv(name)
    (tmp_path / "here").mkdir(mode=0o755)
    monkeypatch.chdir(tmp_path / "here")


def files(simulator: Simulator) -> dict[str, Path]:
    """A spsetl.toml, a password file and a CA file, each in a folder of its own, as they should be."""
    made = {"toml": Path("spsetl.toml")}
    for name, content in (("password", f"{simulator.password}\n".encode()), ("ca", simulator.ca_file.read_bytes())):  # type: ignore[union-attr]
        Path(name).mkdir(mode=0o755)
        made[name] = Path(name, "file")
        made[name].write_bytes(content)
        made[name].chmod(0o600)
    made["toml"].write_text(
        f'url = "{simulator.url}"\nusername = "{simulator.username}"\npassword_file = "password/file"\n'
        'ca_file = "ca/file"\ndetails = "none"\n'
    )
    made["toml"].chmod(0o644)
    return made


@pytest.fixture(scope="module")
def appliance() -> Iterator[Simulator]:
    """One over https."""
    with Simulator(World(WorldSpec(sessions=10, days=2)), tls=True) as simulator:
        yield simulator


@pytest.mark.parametrize("name", ["toml", "password", "ca"])
@pytest.mark.parametrize(("spoil", "says", "advice"), SPOILT, ids=["owner", "group", "others", "folder"])
def test_a_file_that_others_command_is_refused(
    name: str, spoil: Spoil, says: str, advice: str, appliance: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2, what to run; nothing is sent anywhere, and doctor says the same."""
    path = files(appliance)[name]
    spoil(path)
    asked = appliance.requests.total()
    assert run(["sync"]) == 2
    said = capsys.readouterr()
    [line] = [line for line in said.err.splitlines() if line.startswith("spsetl: ")]
    if os.getuid() == 0 or spoil is not give_away:
        assert says in line
    assert advice in line
    assert str(path) in line
    assert "Traceback" not in said.err
    assert run(["doctor", "--json"]) == 2
    answer = orjson.loads(capsys.readouterr().out)
    [red] = [check for check in answer["checks"] if check["check"] == "settings"]
    assert (red["state"], red["exit_code"]) == ("red", 2)
    assert advice in red["next_step"]
    assert appliance.requests.total() == asked


@pytest.mark.parametrize("spoil", [lambda _: None, sticky_folder, mode(0o600)])
def test_files_of_ours_will_do(spoil: Spoil, appliance: Simulator) -> None:
    """Also in a folder as /tmp is."""
    for path in files(appliance).values():
        spoil(path)
    assert run(["sync"]) == 0


def test_who_only_asks_is_refused_too(appliance: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The file says which folder is read."""
    files(appliance)["toml"].chmod(0o666)
    assert run(["status"]) == 2
    assert "run: chmod go-w spsetl.toml" in capsys.readouterr().err


def test_what_a_link_leads_to_counts(appliance: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link has no mode of its own."""
    place = files(appliance)["toml"].rename(tmp_path / "elsewhere.toml")
    Path("spsetl.toml").symlink_to(place)
    assert load_settings(environ={}).username == appliance.username
    place.chmod(0o664)
    assert run(["sync"]) == 2
    assert "run: chmod go-w spsetl.toml" in capsys.readouterr().err


def test_what_init_writes_is_accepted_whatever_the_umask(appliance: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that may write by default is no group that may write here."""
    files(appliance)["toml"].unlink()
    before = os.umask(0o002)
    try:
        arguments = ["--url", appliance.url, "--username", appliance.username, "--password-file", "password/file"]
        assert run(["init", "--yes", *arguments, "--ca-file", "ca/file"]) == 0
    finally:
        os.umask(before)
    assert load_settings(environ={}).username == appliance.username
