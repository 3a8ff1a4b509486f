"""A clean machine out of this one, without an engine and without systemd: its programs, and folders of its own.

Everything is read-only but what is named as writable. It needs root and bubblewrap (`apt install bubblewrap`).
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
OWN = ("build", "etc", "home", "opt", "root", "run", "srv", "tmp", "var")
# How packages are found where there is an index of one's own.
OF_THE_INDEX = ("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class Machine:
    """A machine whose folders, but those of programs, are below `root`."""

    root: Path

    def prepare(self) -> None:
        """Make its folders; /etc is a copy."""
        shutil.copytree("/etc", self.root / "etc", symlinks=True)
        for name in OWN:
            (self.root / name).mkdir(exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        (self.root / "var" / "lib").mkdir()

    def inside(self, path: str | Path) -> Path:
        """Where a path of the machine is on this one."""
        return self.root / str(path).lstrip("/")


@dataclass(frozen=True)
class Setting:
    """How a program is run on a machine.

    Attributes:
        writable: The folders that it may write; None for all of the machine's own.
        temporary: Folders that are empty at its start and gone at its end, but /tmp, which always is one.
        hidden: Folders that seem empty.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: int = 0
    group: int = 0
    writable: Sequence[str] | None = None
    temporary: Sequence[str] = ()
    hidden: Sequence[str] = ()


def command_in(machine: Machine, setting: Setting, command: Sequence[str]) -> list[str]:
    """The command line that runs a command there; without new privileges, and unable to outlive its parent."""
    line = ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--proc", "/proc"]
    line += ["--dev", "/dev", "--clearenv"]
    for name in PROGRAMS:
        line += ["--ro-bind-try", f"/{name}", f"/{name}"]
    for name in OWN:
        line += ["--bind" if setting.writable is None else "--ro-bind", str(machine.inside(name)), f"/{name}"]
    for folder in setting.writable or ():
        line += ["--bind", str(machine.inside(folder)), folder]
    for folder in (*setting.hidden, *(() if setting.writable is None else ("/tmp", *setting.temporary))):  # noqa: S108
        line += ["--perms", "1777", "--tmpfs", folder]
    for name, value in setting.environment.items():
        line += ["--setenv", name, value]
    line += ["--remount-ro", "/", "--chdir", setting.folder]
    if not setting.user:
        return [*line, "--", *command]
    user, group = str(setting.user), str(setting.group)
    become = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
    return [*become, *line, "--unshare-user", "--uid", user, "--gid", group, "--", *command]


def run(machine: Machine, setting: Setting, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run to its end; what it says is kept."""
    line = command_in(machine, setting, command)
    return subprocess.run(line, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603


def checked(machine: Machine, setting: Setting, command: Sequence[str]) -> str:
    """Run, and give what it said; a failure ends this program."""
    done = run(machine, setting, command)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return done.stdout + done.stderr


def start(machine: Machine, setting: Setting, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start it in the background; what it says goes to the log."""
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            command_in(machine, setting, command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def environment_of_the_index() -> dict[str, str]:
    """What in this environment says where packages come from."""
    return {name: value for name, value in os.environ.items() if name.startswith(OF_THE_INDEX)}


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
