"""One sync per data directory."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from spsetl.errors import LockedError


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the data directory for as long as the block lasts. The system frees it when the process dies.

    Args:
        folder: The private folder of the data directory.

    Raises:
        LockedError: Another sync holds it; says which process, on which host, since when.
    """
    lock = FileLock(folder / "lock", timeout=0)
    holder = folder / "lock.holder"
    try:
        lock.acquire()
    except Timeout as error:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "a process that did not say who it is"
        raise LockedError(f"another sync holds {folder.parent}: {who}; wait for it, or stop it") from error
    try:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}", encoding="utf-8")
        yield
    finally:
        lock.release()
