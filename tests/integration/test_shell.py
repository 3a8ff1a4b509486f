"""`spsetl shell`: DuckDB's own shell where it is installed and fits, else Python; read-only in both."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.published import publish_sessions

SECONDS = 60
FAKE = """#!{python}
import sys
print("fake", *sys.argv[1:])
if "-safe" in sys.argv and not {knows_safe}:
    sys.exit(1)
sys.exit(0 if {can_open} else 1)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published copy."""
    return publish_sessions(tmp_path_factory.mktemp("shell") / "data", [{"user_name": "ann"}, {"user_name": "bob"}])


def put_duckdb(folder: Path, *, knows_safe: bool = True, can_open: bool = True) -> None:
    """A program `duckdb` that says how it was called."""
    file = folder / "duckdb"
    file.write_text(FAKE.format(python=sys.executable, knows_safe=knows_safe, can_open=can_open))
    file.chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    """Only that folder is searched for programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPSETL_")}
    return {**kept, "PATH": str(folder), "HOME": str(folder), "TERM": "dumb"}


def shell(copy: Path, folder: Path, typed: str = "") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the shell when that is piped into it."""
    command = [sys.executable, "-m", "spsetl", "shell", "--data-dir", str(copy)]
    done = subprocess.run(
        command, input=typed, env=environment(folder), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    return done.returncode, done.stdout, done.stderr


def test_duckdbs_own_shell_is_opened_in_safe_mode(copy: Path, tmp_path: Path) -> None:
    """In the place of spsetl, read-only, on the published file."""
    put_duckdb(tmp_path)
    assert shell(copy, tmp_path) == (0, f"fake -readonly -safe {copy / 'warehouse.duckdb'}\n", "")


def test_an_older_shell_is_fenced_in_by_settings(copy: Path, tmp_path: Path) -> None:
    """Where there is no safe mode yet."""
    put_duckdb(tmp_path, knows_safe=False)
    code, out, err = shell(copy, tmp_path)
    assert (code, err) == (0, "")
    assert "-readonly -cmd set enable_external_access = false; set lock_configuration = true;" in out


@pytest.mark.parametrize("is_there", [True, False])
def test_python_where_duckdb_does_not_fit(is_there: bool, copy: Path, tmp_path: Path) -> None:
    """Why is said; a question prints a table, a wrong one a line, and all goes on."""
    if is_there:
        put_duckdb(tmp_path, can_open=False)
    typed = (
        'sql("select user_name from sessions")\nsql("drop table sessions")\nprint(len(warehouse.search()), "found")\n'
    )
    code, out, err = shell(copy, tmp_path, typed)
    assert code == 0
    assert "ann" in out
    assert "2 found" in out
    assert ("may be too old" if is_there else "not on the PATH") in err
    assert "spsetl: the warehouse is read-only" in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["duckdb"] * is_there


def test_python_on_a_terminal(copy: Path, tmp_path: Path) -> None:
    """With a prompt and a history that no file keeps; Ctrl-D ends it."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "spsetl", "shell", "--data-dir", str(copy)]
    with subprocess.Popen(
        command, env=environment(tmp_path), stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        read_until(leader, b">>> ")
        os.write(leader, b'sql("select count(*) as sessions from sessions")\n')
        shown = read_until(leader, b">>> ")
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
    """Before any program is looked for."""
    put_duckdb(tmp_path)
    code, out, err = shell(tmp_path / "nowhere", tmp_path)
    assert (code, out) == (2, "")
    assert "run `spsetl sync`" in err
