"""An end to waiting: for what hangs, and for what keeps a connection alive without ever coming to an end."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any, Final, TypeVar

from spsetl.appliance.client import Client
from spsetl.errors import UnavailableError
from spsetl.settings.access import Access

T = TypeVar("T")

_PATIENCE: Final = 5.0  # seconds; whoever runs doctor by hand wants to know that the appliance is busy


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` gives, in a thread of its own that is left behind when the time is over.

    Raises:
        TimeoutError: The time is over.
        Exception: What `ask` raises.
    """
    future: Future[T] = Future()
    context = copy_context()

    def answer() -> None:
        try:
            future.set_result(context.run(ask))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(error)

    Thread(target=answer, name="doctor", daemon=True).start()
    return future.result(seconds)


class PunctualClient(Client):
    """A client whose every answer is whole within the timeout, tries included, or is none."""

    def __init__(self, access: Access, *, concurrency: int, timeout: float, user_agent_suffix: str) -> None:
        super().__init__(
            access,
            concurrency=concurrency,
            timeout=timeout,
            patience=min(_PATIENCE, timeout),
            user_agent_suffix=user_agent_suffix,
        )
        self._host = access.host
        self._seconds = timeout

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, kind: str, **more: Any) -> Any:
        """As `Client.get`.

        Raises:
            UnavailableError: The time is over.
        """
        ask = super().get
        try:
            return within(self._seconds, lambda: ask(path, params, kind=kind, **more))
        except TimeoutError:
            self.stop()
            raise UnavailableError(
                f"{self._host} gave no whole answer within {self._seconds:g} s; try later, or raise SPSETL_TIMEOUT"
            ) from None
