"""`spsetl init` as a person meets it: questions on a terminal, a check, and files that are all there or not at all."""

import io
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest

from spsetl.appliance.certificates import fetch_certificates
from spsetl.cli import INTERRUPTED, init, questions, run
from spsetl.doctor import Finding
from spsetl.settings import Settings, load_settings
from spsetl.simulator import Simulator, World, WorldSpec
from tests.keyrings import Ring

SECRET = "Pässwörd-密码"
SECONDS = 60
Talk = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine, and a home of the test's own."""
    for name in [name for name in os.environ if name.startswith("SPSETL_") or name == "CREDENTIALS_DIRECTORY"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    for folder in ("home", "here"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture(scope="module")
def appliance() -> Iterator[Simulator]:
    """An appliance whose certificate nobody here trusts yet."""
    with Simulator(World(WorldSpec(sessions=3, days=1)), username="auditor", password=SECRET, tls=True) as simulator:
        yield simulator


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talk:
    """Answers the questions in their order, and the check as is said; gives the exit code and what was shown."""

    def begin(
        *arguments: str, answers: str = "", password: str = SECRET, codes: tuple[int, ...] = (0,)
    ) -> tuple[int, str]:
        to_come = list(codes)

        def examine(settings: Settings) -> Iterator[Finding]:
            assert settings.for_appliance().password is not None
            code = to_come.pop(0)
            yield Finding("login", "red" if code else "green", "as told", exit_code=code)

        monkeypatch.setattr(init, "examine", examine)
        monkeypatch.setattr("spsetl.cli.init.has_terminal", lambda: True)
        monkeypatch.setattr(questions.getpass, "getpass", lambda *_, **__: password)
        monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        code = run(["init", *arguments])
        shown = capsys.readouterr()
        assert shown.out == ""
        assert SECRET not in shown.err
        return code, shown.err

    return begin


def files() -> dict[str, int]:
    """What is in the folder and at home, with its permissions."""
    return {
        path.name: path.stat().st_mode & 0o777
        for folder in (Path.cwd(), Path.home())
        for path in sorted(folder.iterdir())
    }


# Asked


def test_new_user_answers_a_few_questions(appliance: Simulator, talk: Talk) -> None:
    """The certificate is trusted by an explicit yes, the password goes into a file of its own, defaults stay out."""
    code, shown = talk(answers=f"{appliance.url}\nyes\nauditor\n\n\n\n")

    assert code == 0
    assert shown.endswith("Next: spsetl sync\n")
    assert len(re.findall(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", shown)) == 2
    assert files() == {"spsetl.toml": 0o644, "spsetl-ca.pem": 0o644, ".spsetl-password": 0o600}
    assert SECRET not in Path("spsetl.toml").read_text()
    assert re.findall(r"^\w+", Path("spsetl.toml").read_text(), re.MULTILINE) == [
        "url",
        "username",
        "password_file",
        "ca_file",
    ]
    access = load_settings(environ={}).for_appliance()
    assert access.password is not None
    assert (access.url, access.username, access.password.get_secret_value()) == (appliance.url, "auditor", SECRET)
    assert access.ca_file == Path("spsetl-ca.pem").absolute()


def test_certificate_is_not_trusted_without_a_yes(appliance: Simulator, talk: Talk) -> None:
    """Enter means no; then a CA file can be named, and one that holds none is refused."""
    assert appliance.ca_file is not None
    Path("none.pem").touch()
    code, shown = talk(answers=f"{appliance.url}\n\nnone.pem\n{appliance.ca_file}\nauditor\n\n\n\n")

    assert code == 0
    assert "none.pem holds no certificate" in shown
    assert load_settings(environ={}).ca_file == appliance.ca_file
    assert "spsetl-ca.pem" not in files()


def test_certificate_without_its_ca_is_never_offered_for_trust(
    appliance: Simulator, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that keeps its CA to itself: what to fetch, and from where, is said instead."""
    monkeypatch.setattr(init, "fetch_certificates", lambda access: fetch_certificates(access)[:1])
    code, shown = talk(answers=f"{appliance.url}\n\nno\n")

    assert (code, files()) == (2, {})
    assert "download" in shown
    assert "from now on" not in shown


def test_wrong_answer_is_explained_and_asked_again(appliance: Simulator, talk: Talk) -> None:
    """A bad address, one that nobody answers at, and a user name that cannot be are each told why."""
    lines = ["http://sps.example", "https://127.0.0.1:1", "n", appliance.url, "", str(appliance.ca_file)]
    code, shown = talk(
        answers="\n".join([*lines, "a:b", "auditor", "attic", "file", "/nowhere/x", "file", "pw", "", ""])
    )

    assert code == 0
    for reason in ("would send the password in clear", "refuses connections", "must not have a colon", "answer one of",
                   "there is no folder /nowhere"):  # fmt: skip
        assert reason in shown
    assert load_settings(environ={}).password_file == Path("pw").absolute()


def test_password_is_kept_nowhere_after_a_file_that_cannot_be(appliance: Simulator, talk: Talk) -> None:
    """The refused file is forgotten; the password serves for the check alone."""
    answers = "auditor\nfile\n/nowhere/x\nnowhere\n\n"
    code, shown = talk("--url", appliance.url, "--ca-file", str(appliance.ca_file), answers=answers)

    assert code == 0
    assert "there is no folder /nowhere" in shown
    assert "The password is kept nowhere" in shown
    assert set(files()) == {"spsetl.toml"}


def test_red_check_is_corrected_with_the_answers_as_defaults(appliance: Simulator, talk: Talk) -> None:
    """After a refused login, Enter repeats each answer; nothing is written before the check is green."""
    first = f"{appliance.url}\nyes\nauditr\n\n\n\n"
    code, shown = talk(answers=first + "maybe\ncorrect\n\nauditor\n\n\n\n", codes=(4, 0))

    assert code == 0
    assert "[auditr]" in shown
    assert load_settings(environ={}).username == "auditor"
    assert shown.count("to be trusted from now on") == 1
    assert set(files()) == {"spsetl.toml", "spsetl-ca.pem", ".spsetl-password"}


@pytest.mark.parametrize(("answer", "code", "is_written"), [("quit", 4, False), ("write", 0, True)])
def test_red_check_can_be_left_or_overruled(
    appliance: Simulator, talk: Talk, answer: str, code: int, is_written: bool
) -> None:
    """Leaving writes nothing and ends with the code of what is red; who knows better writes all the same."""
    assert talk(answers=f"{appliance.url}\nyes\nauditor\n\n\n\n{answer}\n", codes=(4,))[0] == code
    assert bool(files()) == is_written


def test_end_of_the_input_leaves_nothing(appliance: Simulator, talk: Talk) -> None:
    """Ctrl-D is one line, and no file."""
    code, shown = talk(answers=f"{appliance.url}\nyes\n")

    assert code == 2
    assert "spsetl: the input ended before all was answered; nothing was written" in shown
    assert files() == {}


def test_password_goes_into_the_keyring(appliance: Simulator, talk: Talk) -> None:
    """Where that is chosen; spsetl.toml then names the service alone. A password that is there is used."""
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    try:
        options = ("--url", appliance.url, "--ca-file", str(appliance.ca_file), "--username", "auditor")
        assert talk(*options, answers="keyring\nsps\n\n")[0] == 0
        assert ring.kept == {("sps", "auditor"): SECRET}
        assert talk(*options, "--keyring", "sps", "--overwrite", answers="\n", password="other")[0] == 0
        assert ring.kept == {("sps", "auditor"): SECRET}
    finally:
        keyring.set_keyring(before)
    assert set(files()) == {"spsetl.toml"}
    assert load_settings(environ={}).keyring == "sps"


def test_password_file_that_is_there_is_used_and_kept(appliance: Simulator, talk: Talk) -> None:
    """It is never written over, and nobody is asked for what it holds."""
    Path("pw").write_text("of the file")
    code, _ = talk("--url", appliance.url, "--ca-file", str(appliance.ca_file), answers="u\n\npw\n\n", password="typed")

    assert code == 0
    assert Path("pw").read_text() == "of the file"


def test_password_of_the_environment_is_not_written(
    appliance: Simulator, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves for the check; variables that override the new file are named, without their values."""
    monkeypatch.setenv("SPSETL_PASSWORD", SECRET)
    monkeypatch.setenv("SPSETL_USERNAME", "somebody")
    code, shown = talk("--url", appliance.url, "--ca-file", str(appliance.ca_file), answers="auditor\n\n")

    assert code == 0
    assert "SPSETL_USERNAME is set here, and overrides spsetl.toml" in shown
    assert "each run needs SPSETL_PASSWORD_FILE" in shown
    assert SECRET not in Path("spsetl.toml").read_text()
    assert set(files()) == {"spsetl.toml"}


# Not asked


def test_file_that_is_there_is_not_replaced_unless_told(appliance: Simulator, talk: Talk) -> None:
    """Refused before anything is asked; with --overwrite the new one takes its place, whole."""
    Path("spsetl.toml").write_text("timeout = 5")
    code, shown = talk()
    assert (code, Path("spsetl.toml").read_text()) == (2, "timeout = 5")
    assert "replace it with --overwrite" in shown

    Path("pw").write_text("x")
    options = ("--url", appliance.url, "--username", "u", "--password-file", "pw", "--ca-file", str(appliance.ca_file))
    assert talk("--yes", "--overwrite", *options)[0] == 0
    assert "timeout" not in Path("spsetl.toml").read_text()
    assert load_settings(environ={}).password_file == Path("pw").absolute()


def test_without_a_terminal_one_line_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script gets exit code 2, whether it says --yes or not, until all is there."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    for arguments, needed in (
        ([], "--yes, --url, --username and --password-file"),
        (["--yes"], "--url, --username, --password-file"),
        (["--yes", "--url", "https://h"], "add --username, --password-file (or SPSETL_PASSWORD in the environment)"),
        (["--yes", "--url", "https://h", "--client-cert", "/nowhere"], "/nowhere cannot be read"),
        (["--yes", "--url", "http://h", "--username", "u", "--password-file", "x"], "url in spsetl.toml would send"),
    ):
        assert run(["init", *arguments]) == 2
        assert needed in capsys.readouterr().err
    assert files() == {}


def test_yes_trusts_no_new_certificate(appliance: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """What doctor finds red is not written, and no folder is left behind."""
    Path("pw").write_text(SECRET)
    assert run(["init", "--yes", "--url", appliance.url, "--username", "auditor", "--password-file", "pw"]) == 5
    assert "SPSETL_CA_FILE" in capsys.readouterr().err
    assert set(files()) == {"pw"}


# A real terminal


# Ctrl-C comes from the terminal that controls a program.
PROGRAM = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = ["spsetl", "init"]
from spsetl.cli import main
main()
"""


def converse(answers: list[tuple[str, bytes]]) -> tuple[int, str]:
    """Run the program on a terminal of its own, and answer each question when it has come."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as program:
        os.close(theirs)
        try:
            shown = answer_all(ours, answers)
            return program.wait(SECONDS), shown
        finally:
            program.kill()  # else a program that waits for more would be waited for
            os.close(ours)


def answer_all(terminal: int, answers: list[tuple[str, bytes]]) -> str:
    """Answer each question when it has come; all that was shown, to the end of the program."""
    shown, seen, answer = b"", 0, b""
    for question, answer in answers:
        while question.encode() not in shown[seen:]:
            more = read(terminal)
            assert more, shown.decode()
            shown += more
        seen = len(shown)
        os.write(terminal, answer)
    # Who presses Ctrl-C, and sees nothing happen, presses it again.
    while more := read(terminal, again=answer if answer == b"\x03" else b""):
        shown += more
    return shown.decode()


def read(terminal: int, *, again: bytes = b"") -> bytes:
    """What is shown next, nothing if the program has ended; what may have come too early is typed again meanwhile."""
    for _ in range(3):
        if select.select([terminal], [], [], SECONDS / 3)[0]:
            break
        os.write(terminal, again)
    else:
        raise AssertionError("nothing is shown any more")
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so that nobody has the other side open
        return b""


def test_real_terminal_never_shows_the_password(appliance: Simulator) -> None:
    """From nothing to settings that log in, by the program itself and the whole of doctor."""
    code, shown = converse(
        [
            ("Address", appliance.url.encode() + b"\n"),
            ("trusted from now on", b"yes\n"),
            ("User name", b"auditor\n"),
            ("kept", b"\n"),
            ("File", b"\n"),
            ("Password of auditor", SECRET.encode() + b"\n"),
            ("Folder", b"\n"),
        ]
    )

    assert code == 0, shown
    assert shown.rstrip().endswith("Next: spsetl sync")
    assert SECRET not in shown
    assert (Path.home() / ".spsetl-password").read_text() == SECRET + "\n"
    assert load_settings(environ={}).remarks == ()


def test_ctrl_c_at_the_password_leaves_nothing(appliance: Simulator) -> None:
    """One line, the usual exit code, and no file."""
    beginning = [("Address", appliance.url.encode() + b"\n"), ("trusted from now on", b"yes\n")]
    code, shown = converse(
        [*beginning, ("User name", b"u\n"), ("kept", b"\n"), ("File", b"\n"), ("Password of", b"\x03")]
    )

    assert code == INTERRUPTED
    assert "spsetl: interrupted; nothing was written" in shown
    assert "Traceback" not in shown
    assert files() == {}
