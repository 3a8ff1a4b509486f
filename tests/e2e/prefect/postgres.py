"""A PostgreSQL of its own, on a socket in a temporary folder: no port, no password, no other user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e.prefect.programs import Program

_DEBIAN: Final = Path("/usr/lib/postgresql")
_DATABASE: Final = "prefect"
_FAST: Final = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "listen_addresses=")


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs: the newest of Debian's, or the one on the path."""
    debians = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]))
    if debians:
        return debians[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def why_not() -> str | None:
    """Why there can be no PostgreSQL here, or None."""
    if find_postgres() is None:
        return "no PostgreSQL here: apt-get install postgresql"
    return None if os.geteuid() or _unprivileged() else "PostgreSQL does not run as root, and no user postgres is here"


@contextmanager
def postgres() -> Iterator[str]:
    """A new cluster with an empty database; gives Prefect's address of it."""
    programs = find_postgres()
    assert programs is not None
    user = None if os.geteuid() else _unprivileged()
    # Not in pytest's folder: the path of a socket is short, and postgres may not enter what belongs to root.
    with tempfile.TemporaryDirectory(prefix="spsetl-pg-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        database = folder / "db"
        owner = user or pwd.getpwuid(os.geteuid()).pw_name
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

        def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [str(programs / program), *arguments],
                user=user, extra_groups=[] if user else None, cwd=folder, env=environment, capture_output=True,
                text=True, check=False, timeout=60,
            )  # fmt: skip

        made = call("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", f"--username={owner}", str(database))
        assert made.returncode == 0, made.stderr
        command = (programs / "postgres", "-D", database, "-k", folder, *_FAST)
        with Program(*command, log=folder / "log", environment=environment, user=user) as server:
            try:
                server.wait_until(
                    lambda: call("pg_isready", "-h", str(folder)).returncode == 0, "PostgreSQL", seconds=30
                )
                created = call("createdb", "-h", str(folder), "-U", owner, _DATABASE)
                assert created.returncode == 0, created.stderr
                yield f"postgresql+asyncpg://{owner}@/{_DATABASE}?host={folder}"
            finally:
                server.stop(signal.SIGINT)  # its fast shutdown, which waits for nobody


def _unprivileged() -> str | None:
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else None
