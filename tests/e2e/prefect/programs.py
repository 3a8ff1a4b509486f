"""Programs of their own, and waiting until something is so."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, TypeVar

ROOT: Final = Path(__file__).parents[3]
SECONDS_TO_STOP: Final = 15
_BETWEEN_LOOKS: Final = 0.1
_LOG_SHOWN: Final = 6000

Answer = TypeVar("Answer")


def wait_for(question: Callable[[], Answer], what: str, *, seconds: float) -> Answer:
    """The first answer that is true; an AssertionError that says what did not come, once the seconds have passed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(_BETWEEN_LOOKS)
    raise AssertionError(f"{what}: not within {seconds:g} s")


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Program:
    """A program that runs until the block ends; nothing that it started outlives it."""

    def __init__(
        self, *command: str | Path, log: Path, environment: Mapping[str, str], user: str | None = None
    ) -> None:
        self._command = [str(word) for word in command]
        self._environment = dict(environment)
        self._user = user
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                user=self._user,
                extra_groups=[] if self._user else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """The end of what it has written."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_SHOWN:]

    def wait_until(self, question: Callable[[], bool], what: str, *, seconds: float) -> None:
        """Wait as long as it runs; an AssertionError with its last words if it does not come."""
        try:
            wait_for(lambda: question() or not self.is_running, what, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.said}") from error
        assert self.is_running, f"{what}: it ended, and said:\n{self.said}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, kindly at first."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(SECONDS_TO_STOP)
        with suppress(ProcessLookupError):  # what it has left behind, and itself if it did not hear
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def run(*command: str | Path, environment: Mapping[str, str], seconds: float = 90) -> subprocess.CompletedProcess[str]:
    """Run a program to its end from the repository's root; how it ended."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def processes_with(entry: str) -> list[int]:
    """The processes that have this `NAME=value` in their environment, whoever started them."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):
            if entry.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def is_running(process: int) -> bool:
    """Whether the process is there and has not ended."""
    try:
        return not Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(") ")[2].startswith("Z")
    except OSError:
        return False
