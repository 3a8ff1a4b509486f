"""Commands killed in the midst of what they change on the disk, so that nothing of theirs is cleaned up."""

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

SIGKILLED = -9
KILLED = dedent(
    """
    import os, signal, sys
    left = int(sys.argv[1])

    def counted(function):
        def call(*arguments, **named):
            global left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)
        return call

    for name in ("fsync", "replace", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))
    from spsetl.cli import run
    code = run(sys.argv[2:])
    print(left)
    sys.exit(code)
    """
)


def call_and_kill(folder: Path, at: int, *arguments: str) -> tuple[int, int]:
    """The command in a process of its own, killed at one of its changes to the disk; how it ended, what was left."""
    command = [sys.executable, "-c", KILLED, str(at), *arguments, "--data-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, int(done.stdout or 0)


def kill_at(two: Path, folder: Path, part: float, *arguments: str) -> Path:
    """A copy on which the command was killed after that part of its changes to the disk."""
    whole = folder / "whole"
    if not whole.exists():
        shutil.copytree(two, whole)
        code, left = call_and_kill(whole, 1_000_000, *arguments)
        assert code == 0
        (whole / "changes").write_text(str(1_000_000 - left))
    killed = folder / f"killed-{part}"
    shutil.copytree(two, killed)
    at = 1 + int(part * (int((whole / "changes").read_text()) - 1))
    assert call_and_kill(killed, at, *arguments)[0] == SIGKILLED
    return killed
