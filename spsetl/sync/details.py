"""Asking for the details of one session after the other, and telling whether it is some that fail, or the appliance."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import orjson

from spsetl import schema
from spsetl.appliance.client import Client
from spsetl.appliance.protocol import ListQuery
from spsetl.appliance.throttle import RequestsStopped
from spsetl.errors import (
    ApplianceError,
    ConnectError,
    IncompleteError,
    NotFoundError,
    QueryError,
    RightsError,
    SpsetlError,
    UnavailableError,
)
from spsetl.extract.details import fetch_details, has_session
from spsetl.sync.budget import Budget
from spsetl.warehouse.details import PendingDetails

# A session without a recording has none of these, and the appliance may say so with a 404.
CAN_BE_ABSENT: Final = frozenset(kind.name for kind in schema.DETAIL_KINDS.values() if kind.may_be_absent)
# In so many runs a 404 of a session that is there is doubted, over a week or more.
DOUBTED: Final = 4
# One session must not cost the patience that an appliance is given which restarts.
_TRIES: Final = 4
# A kind that so many sessions answer with a 404, and none with anything else, is left alone until the next run.
_ABSENT: Final = 20
# It is the appliance that fails if more than half of so many sessions do; or, in the end, of fewer, if they are some.
_JUDGED: Final = 100
_SOME: Final = 10

_LONGEST_KEY: Final = 64

_OF_A_SESSION: Final = (ApplianceError, IncompleteError, QueryError, RightsError)


@dataclass
class SessionDetails:
    """What became of asking for the details of one session, by kind; nothing where they were not asked for."""

    session: PendingDetails
    statuses: dict[str, str] = field(default_factory=dict)
    items: dict[str, list[Any]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class DetailFetcher:
    """Asks for details; any number of threads at once.

    Args:
        client: The appliance.
        budget: What may be spent.
        is_stopping: Whether the run is to stop.

    Attributes:
        unknown_kinds: Those that the appliance is known not to have: a 404 is believed at once.
        failure: What the appliance fails with, so that no more is asked for.
    """

    def __init__(self, client: Client, budget: Budget, is_stopping: Callable[[], bool]) -> None:
        self.unknown_kinds: frozenset[str] = frozenset()
        self.failure: SpsetlError | None = None
        self.limits = client.limits
        self._client = client
        self._budget = budget
        self._is_stopping = is_stopping
        self._lock = Lock()
        self._answered: set[str] = set()
        self._absent: Counter[str] = Counter()
        self._asked = 0
        self._failed = 0
        self._last_error: SpsetlError | None = None

    @property
    def has_ended(self) -> bool:
        """Whether no further session is to be asked about."""
        return self.failure is not None or self._budget.is_spent

    @property
    def shut_kinds(self) -> set[str]:
        """The kinds that the appliance gives of no session now: they wait, but where they were asked for before."""
        with self._lock:
            often = {kind for kind, count in self._absent.items() if count >= _ABSENT}
            return often - self._answered - self.unknown_kinds

    def require_success(self) -> None:
        """Tell of an appliance that failed, now that all were asked about.

        Raises:
            SpsetlError: What it fails with.
        """
        if self._failed > _SOME:
            self._judge()
        if self.failure is not None:
            raise self.failure

    def fetch(self, session: PendingDetails) -> SessionDetails:
        """All kinds of one session, whatever becomes of each; of a run that is to stop, what is there."""
        fetched = SessionDetails(session)
        failed_with: SpsetlError | None = None
        for kind in () if self.has_ended else session.kinds:
            if self._has_failed() or self._is_stopping():
                break
            if kind in fetched.statuses or (kind in self.shut_kinds and kind not in session.tries):
                continue
            try:
                self._fetch_kind(fetched, kind)
            except RequestsStopped:
                break
            except _OF_A_SESSION as error:
                if self._has_failed():
                    break
                fetched.statuses[kind], fetched.errors[kind] = schema.FAILED, str(error)
                # What is not given whole is no failure of the appliance, though many sessions may have it.
                failed_with = failed_with if isinstance(error, IncompleteError) else error
            except SpsetlError as error:
                self.failure = error
        self._note(fetched, failed_with)
        return fetched

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        kind: str,
        decode: Callable[[bytes], Any] = orjson.loads,
    ) -> Any:
        """As `Client.get`, with few tries; and some more where it may have been the appliance that was away.

        Only this request is made anew, once another was answered: not the pages before it.
        """
        try:
            return self._client.get(path, params, kind=kind, decode=decode, tries=_TRIES)
        except (UnavailableError, ConnectError):
            query = ListQuery(fields="key", limit=1)
            try:
                self._client.get(query.path, query.params, kind="list")
            except SpsetlError as error:
                self.failure = error
                raise
            return self._client.get(path, params, kind=kind, decode=decode, tries=_TRIES)

    def _has_failed(self) -> bool:
        """Meanwhile, in whichever thread."""
        return self.failure is not None

    def _fetch_kind(self, fetched: SessionDetails, kind: str) -> None:
        key = fetched.session.session_key
        try:
            fetched.items[kind] = fetch_details(self, key, kind)
            fetched.statuses[kind] = schema.FETCHED
        except NotFoundError as error:
            self._doubt(fetched, kind, str(error))

    def _doubt(self, fetched: SessionDetails, kind: str, error: str) -> None:
        """A 404: is it this kind, the session, or the appliance?"""
        session, is_doubted = fetched.session, schema.ABSENT in fetched.statuses.values()
        if kind in self.unknown_kinds or (kind in CAN_BE_ABSENT and not is_doubted):
            fetched.statuses[kind] = schema.GONE
            return
        is_there = is_doubted or has_session(self, session.session_key)
        kinds = (kind,) if is_there else session.kinds[session.kinds.index(kind) :]
        for one in kinds:
            is_final = session.tries.get(one, 0) + 1 >= DOUBTED
            doubt = schema.ABSENT if is_there else schema.VANISHED
            fetched.statuses[one] = schema.GONE if is_final else doubt
            fetched.errors[one] = f"{error}, though it has the session" if is_there else error

    def _note(self, fetched: SessionDetails, error: SpsetlError | None) -> None:
        with self._lock:
            for kind, status in fetched.statuses.items():
                if status == schema.FETCHED:
                    self._answered.add(kind)
                elif status in (schema.ABSENT, schema.VANISHED):
                    self._absent[kind] += 1
            # Those that failed on earlier nights say nothing of this one.
            if fetched.statuses and not fetched.session.tries:
                self._asked += 1
                self._failed += error is not None
                self._last_error = error or self._last_error
            if self._asked >= _JUDGED:
                self._judge()

    def _judge(self) -> None:
        if self.failure is None and 2 * self._failed > self._asked:
            self.failure = self._last_error


def quote_key(key: str) -> str:
    """A session's key as a message shows it, whatever it holds."""
    return ascii(key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…")
