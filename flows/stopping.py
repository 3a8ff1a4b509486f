"""A flow's process that is told to end does so soon.

Prefect cancels a run by SIGTERM to its process, and by SIGKILL half a minute later. Its engine makes an exception of
the signal in the main thread; threads that wait for an appliance's answer would keep the process for minutes. Nothing
that they hold is lost: each step of a sync can be killed at any instant, and the system frees the lock.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# For Prefect to say how the run ended, and for DuckDB to close its file.
GRACE: Final = 4.0
_SIGTERM: Final = bytes([signal.SIGTERM])


@contextmanager
def ended_soon(grace: float = GRACE) -> Iterator[None]:
    """End the process at most `grace` seconds after a SIGTERM that comes during the block.

    Prefect's own handler stays: what it does not get done in that time is not waited for. Outside the main thread,
    where no signal arrives, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_wait_and_end, args=(heard, grace), name="ended-soon", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()


def _wait_and_end(heard: socket.socket, grace: float) -> None:
    """Take the numbers of signals, until there are no more."""
    with heard:
        while numbers := heard.recv(64):
            if _SIGTERM in numbers:
                time.sleep(grace)
                os._exit(128 + signal.SIGTERM)
