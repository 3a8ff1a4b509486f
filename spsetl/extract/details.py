"""The details of one session: its channels, events, alerts and the like, every page of them.

One request a session and kind, no bulk form is known ("Session events", "Session alerts"). Whether there can be events
at all is decided from the index status, before anything is asked. How many an answer holds at most, and whether it
tells of more, differs: where it does not prove its end, the rest is asked for by offset, until nothing comes. No guide
says that an offset has a limit; where one is ignored, as the list does above 10000, what is known comes again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import orjson

from spsetl.appliance.limits import Limits
from spsetl.appliance.protocol import (
    PAGE_LIMIT,
    RESULT_CAP,
    DetailPage,
    check_session,
    decode_details,
    detail_path,
    session_path,
)
from spsetl.errors import BadAnswerError, IncompleteError, NotFoundError
from spsetl.extract.listed import Asks
from spsetl.flatten.values import canonical_json

# The guides show 1000 beside a default of 500; what the appliance makes of it, its `limit` and `next` tell.
DETAIL_LIMIT: Final = 1000


class AsksWhole(Protocol):
    """Whoever asks the appliance: `Client`, or what stands before it."""

    limits: Limits

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        kind: str,
        decode: Callable[[bytes], Any] = orjson.loads,
    ) -> Any:
        """See `Client.get`."""
        ...


def has_session(client: Asks, key: str) -> bool:
    """Whether the appliance has this session; True, too, of a key that no path can be made of: nothing says it has not.

    Raises:
        BadAnswerError: It answers with something else.
    """
    try:
        path = session_path(key)
    except BadAnswerError:
        return True
    try:
        check_session(client.get(path, kind="session"), key)
    except NotFoundError:
        return False
    return True


# What always leads on would fill the memory, or keep the night; no session of which anybody knows has a tenth of it.
MOST_ITEMS: Final = 500_000
# As many times what one answer may take.
MOST_SECONDS: Final = 12
MOST_BYTES: Final = 4


def fetch_details(client: AsksWhole, session_key: str, kind: str) -> list[Any]:
    """All items of one kind of a session, as the appliance gives them.

    Args:
        client: The appliance.
        session_key: Of the session.
        kind: Which details.

    Raises:
        NotFoundError: The session has gone, or the appliance has no such details of it.
        IncompleteError: The appliance does not give all of them.
    """
    path = detail_path(session_key, kind)
    cost = _Cost(client.limits, kind)

    def ask(limit: int, offset: int) -> DetailPage:
        with cost.of_a_page():
            params = {"limit": limit, "offset": offset}
            answer = client.get(path, params, kind=kind, decode=cost.decode)
        return decode_details(answer, kind)

    items: list[Any] = []
    known: set[str] = set()
    skipped = 0
    while True:
        page = ask(DETAIL_LIMIT, len(items) + skipped)
        # Items that arrive meanwhile push others on to the next page, where these come once more.
        fresh = [item for item in page.items if _identity(item) not in known] if known else page.items
        items.extend(fresh)
        if len(items) > MOST_ITEMS:
            raise IncompleteError(f"the appliance gives {kind} of a session without an end: more than {MOST_ITEMS:,}")
        if not page.items or _says_end(page, len(items)):
            break
        known.update(map(_identity, fresh))
        if fresh:
            skipped = 0
        elif not skipped and _identity(items[0]) not in map(_identity, page.items):
            skipped = len(page.items)
        elif _tells_nothing(page) and len(page.items) == len(items) and _knows_no_pages(ask, len(items)):
            break
        else:
            raise IncompleteError(f"the appliance repeats {kind} of a session instead of those after {len(items)}")
    if page.match_count is not None and page.match_count > len(items):
        raise IncompleteError(f"the appliance announced {page.match_count} {kind} of a session, gave {len(items)}")
    return items


class _Cost:
    """What the pages of one kind of a session have taken together."""

    def __init__(self, limits: Limits, kind: str) -> None:
        self._limits = limits
        self._kind = kind
        self._seconds = 0.0
        self._size = 0

    def decode(self, body: bytes) -> Any:
        """As any answer's, and its bytes are counted."""
        self._size += len(body)
        return orjson.loads(body)

    @contextmanager
    def of_a_page(self) -> Iterator[None]:
        """Around a request.

        Raises:
            IncompleteError: They have taken too much.
        """
        began = time.monotonic()
        yield
        # No more than an answer may take: quiet hours may have been waited for.
        self._seconds += min(time.monotonic() - began, self._limits.seconds)
        for spent, most, unit, setting in (
            (self._seconds, MOST_SECONDS * self._limits.seconds, "s", "SECONDS"),
            (self._size / 1e6, MOST_BYTES * self._limits.size / 1e6, "MB", "MEGABYTES"),
        ):
            if spent > most:
                raise IncompleteError(
                    f"the appliance gives {self._kind} of a session without an end: more than {most:,.0f} {unit}; "
                    f"raise SPSETL_{self._limits.setting}_{setting} if that can be"
                )


def _says_end(page: DetailPage, got: int) -> bool:
    """Whether the answer itself proves that no more follow.

    A count that may have stopped, as that of sessions does, proves nothing; nor does a full page that names no next
    one, which may be a cut.
    """
    if page.next is not None:
        return False
    if page.match_count is not None:
        return page.match_count <= got and page.match_count < RESULT_CAP
    return page.tells_next and len(page.items) < min(PAGE_LIMIT, page.limit or PAGE_LIMIT)


def _tells_nothing(page: DetailPage) -> bool:
    return page.match_count is None and not page.tells_next


def _knows_no_pages(ask: Callable[[int, int], DetailPage], got: int) -> bool:
    """Whether an appliance that ignores offsets has given all: it ignores limits too, and gave no round number."""
    return got == 1 or (got < PAGE_LIMIT and got % 10 != 0 and len(ask(1, 0).items) >= got)


def _identity(item: Any) -> str:
    """What tells an item from the others: its key, or all that it says."""
    key = item.get("key", item.get("record_id")) if isinstance(item, dict) else None
    return canonical_json(item if key is None else [key]).decode()
