"""`spsetl shell`: questions one after the other, as `spsetl sql` answers them; Python where that is asked for."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.published import publish_sessions

SECONDS = 60


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published copy."""
    return publish_sessions(tmp_path_factory.mktemp("shell") / "data", [{"user_name": "ann"}, {"user_name": "bob"}])


def environment(folder: Path) -> dict[str, str]:
    """Only that folder is searched for programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPSETL_")}
    return {**kept, "PATH": str(folder), "HOME": str(folder), "TERM": "dumb"}


def shell(copy: Path, folder: Path, typed: str = "", *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the shell when that is piped into it."""
    command = [sys.executable, "-m", "spsetl", "shell", "--data-dir", str(copy), *arguments]
    done = subprocess.run(
        command, input=typed, env=environment(folder), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    return done.returncode, done.stdout, done.stderr


def test_questions_are_answered_one_after_the_other(copy: Path, tmp_path: Path) -> None:
    """Over several lines, the last without its semicolon; a wrong one is a line, and all goes on."""
    typed = "select user_name\n\nfrom sessions\n  order by all;\n\ndrop table sessions; \nselect 40 + 2 as n"
    code, out, err = shell(copy, tmp_path, typed)
    assert code == 0
    assert out.index("ann") < out.index("bob") < out.index("42")
    assert len(err.splitlines()) == 1
    assert err.startswith("spsetl: the warehouse is read-only, and DROP is no question: ask with select")
    assert list(tmp_path.iterdir()) == []


def test_python_where_it_is_asked_for(copy: Path, tmp_path: Path) -> None:
    """That it is no fence is said; a question prints a table, a wrong one a line, and all goes on."""
    typed = (
        'sql("select user_name from sessions")\nsql("drop table sessions")\nprint(len(warehouse.search()), "found")\n'
        'sql("select $n + 1 as n", {"n": 41})\n'
    )
    code, out, err = shell(copy, tmp_path, typed, "--python")
    assert code == 0
    assert "ann" in out
    assert "2 found" in out
    assert "42" in out
    assert "may do all that you may" in err
    assert "spsetl: the warehouse is read-only" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "prompt", "typed"),
    [
        ((), b"spsetl> ", b"select count(*) as sessions from sessions;\n"),
        (("--python",), b">>> ", b'sql("select count(*) as sessions from sessions")\n'),
    ],
)
def test_on_a_terminal(arguments: tuple[str, ...], prompt: bytes, typed: bytes, copy: Path, tmp_path: Path) -> None:
    """With a prompt and a history that no file keeps; Ctrl-D ends it."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "spsetl", "shell", "--data-dir", str(copy), *arguments]
    with subprocess.Popen(
        command, env=environment(tmp_path), stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        read_until(leader, prompt)
        os.write(leader, typed)
        shown = read_until(leader, prompt)
        os.write(leader, b"\x04")
        read_until(leader, None)
        assert process.wait(SECONDS) == 0
    os.close(leader)
    assert "sessions" in shown
    assert "2" in shown.partition("\n")[2]
    assert list(tmp_path.iterdir()) == []


def read_until(terminal: int, end: bytes | None) -> str:
    """What the terminal shows until that, or until it is closed."""
    shown = b""
    while end is None or not shown.endswith(end):
        assert select.select([terminal], [], [], SECONDS)[0], shown
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so that the other side has gone
            part = b""
        if not part:
            break
        shown += part
    return shown.decode()


def test_nothing_published_is_said(tmp_path: Path) -> None:
    """Before anything is asked for."""
    code, out, err = shell(tmp_path / "nowhere", tmp_path)
    assert (code, out) == (2, "")
    assert "run `spsetl sync`" in err
