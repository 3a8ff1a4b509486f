"""The details of one session: its channels, events, alerts and the like, every page of them.

One request a session and kind, no bulk form is known ("Session events", "Session alerts"). Whether there can be events
at all is decided from the index status, before anything is asked. No guide says that an offset into them has a limit;
where one is ignored, as the list does above 10000, the first page comes again, and is recognised.
"""

from typing import Any, Final

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import (
    PAGE_LIMIT,
    DetailKind,
    DetailPage,
    check_session,
    decode_details,
    detail_path,
    session_path,
)
from spsetl.errors import BadAnswerError, IncompleteError, NotFoundError

# The guides show 1000 beside a default of 500; what the appliance makes of it, its `limit` and `next` tell.
DETAIL_LIMIT: Final = 1000


def has_session(client: Client, key: str) -> bool:
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


def fetch_details(client: Client, session_key: str, kind: DetailKind) -> list[Any]:
    """All items of one kind of a session, as the appliance gives them.

    Raises:
        NotFoundError: The session has gone.
        IncompleteError: The appliance does not give all of them.
    """
    items: list[Any] = []
    path = detail_path(session_key, kind)
    while True:
        page = decode_details(client.get(path, {"limit": DETAIL_LIMIT, "offset": len(items)}, kind=kind), kind)
        if items and page.items and page.items[0] == items[0]:
            raise IncompleteError(f"the appliance repeats the first {len(items)} {kind} of a session for all of them")
        items.extend(page.items)
        if _is_last(page):
            break
    if page.match_count is not None and page.match_count > len(items):
        raise IncompleteError(f"the appliance announced {page.match_count} {kind} of a session, gave {len(items)}")
    return items


def _is_last(page: DetailPage) -> bool:
    """Whether no more follow. Without a count, a full page that names no next one is not believed: it may be a cut."""
    if page.next is not None and page.items:
        return False
    return page.match_count is not None or len(page.items) < PAGE_LIMIT
