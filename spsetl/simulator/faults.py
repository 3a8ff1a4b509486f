"""Bad days: which answers fail, and how: by dice that always fall the same way, or on a test's order."""

import threading
from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

from spsetl.simulator import messages
from spsetl.simulator.messages import Answer, ApiError
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.spec import Dice


class Fault(StrEnum):
    """A kind of failure, in the order in which the shares of the quirks are laid on the dice.

    The last three never bring a whole answer.
    """

    UNAVAILABLE = "unavailable"
    BAD_GATEWAY = "bad_gateway"
    SERVICE_UNAVAILABLE = "service_unavailable"
    HTML = "html"
    LOG_OUT = "log_out"
    HALF_BODY = "half_body"
    RESET = "reset"
    HANG = "hang"


Poison = Literal["400", "403", "404", "500", "unavailable", "html", "shape", "reset", "hang"]
"""How the requests for one session fail, always: a status, or as the `Fault` of that name; shape: JSON of another."""

_PROXY_STATUS: Final[dict[str, int]] = {Fault.HTML: 200, Fault.BAD_GATEWAY: 502, Fault.SERVICE_UNAVAILABLE: 503}


class Faults:
    """Decides for each request whether it fails: by the quirks' shares, or as a test has ordered it."""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._count = 0
        self._poisoned: dict[tuple[str, str], Poison | None] = {}
        self._ordered: deque[tuple[Fault, str]] = deque()
        self._lock = threading.Lock()

    def order(self, fault: Fault, times: int, kind: str) -> None:
        """The next requests of that kind fail like this; an empty kind means any but logins."""
        with self._lock:
            self._ordered.extend([(fault, kind)] * times)

    def poison(self, key: str, kinds: Iterable[str], poison: Poison | None) -> None:
        """From now on requests of these kinds for that session fail like this; None: they do not."""
        self._poisoned |= dict.fromkeys([(key, kind) for kind in kinds], poison)

    def poison_of(self, key: str, kind: str) -> Poison | None:
        """How requests of that kind for that session fail."""
        return self._poisoned.get((key, kind))

    def next(self, kind: str) -> Fault | None:
        """The failure of this request, or None."""
        with self._lock:
            for at, (fault, wanted) in enumerate(self._ordered):
                if wanted == kind or (not wanted and kind != "authentication"):
                    del self._ordered[at]
                    return fault
            if kind == "authentication" and not self._quirks.fail_logins:
                return None
            self._count += 1
            return self._drawn()

    def _drawn(self) -> Fault | None:
        at = Dice(self._quirks.fault_seed, "fault", self._count).draw() / 2**32
        for fault in Fault:
            at -= getattr(self._quirks, fault.value)
            if at < 0:
                return fault
        return None


def failed_answer(how: Fault | Poison, quirks: Quirks, path: str) -> Answer | None:
    """The answer that a failure brings, or None where it spoils the right one."""
    if how == "shape":
        return messages.as_json({"items": "none", "meta": []})
    headers = (("retry-after", str(quirks.retry_after)),) if quirks.retry_after else ()
    if how in _PROXY_STATUS:
        return messages.as_html(_PROXY_STATUS[how], () if how == Fault.HTML else headers)
    errors: dict[str, ApiError] = {
        "400": messages.invalid_value("limit", 1000),
        "403": messages.unauthorized(path),
        "404": messages.not_found(path),
        "500": ApiError(500, "InternalError", "Something went wrong."),
        Fault.UNAVAILABLE: ApiError(500, "SearchUnavailable", "The search backend is inaccessible.", headers=headers),
        Fault.LOG_OUT: messages.unauthenticated(path),
    }
    return errors[how].answer if how in errors else None
