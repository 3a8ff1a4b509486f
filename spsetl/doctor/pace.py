"""How fast the appliance answers, and what a full sync would take at that pace."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities
from spsetl.appliance.protocol import ListQuery, decode_list
from spsetl.doctor.finding import Finding, red, yellow, yellow_if
from spsetl.errors import LoginError, NotFoundError, SpsetlError
from spsetl.extract.counts import count_all
from spsetl.extract.details import fetch_details
from spsetl.extract.windows import LIST_FIELDS
from spsetl.settings import Settings

_SAMPLES: Final = 3
_PATIENCE: Final = 20.0  # seconds
_SLOW_PAGE: Final = 5.0  # seconds; the vendor's own figure is 0.77 s
_LONG: Final = 24.0  # hours
_HOUR: Final = 3600


class Pages(NamedTuple):
    """A few pages of the newest sessions: how many the fullest has, the median of the seconds, all keys."""

    size: int
    seconds: float
    keys: list[str]


def check_pace(client: Client, settings: Settings, found: Capabilities, pages: Pages) -> Iterator[Finding]:
    """The median of the pages and of the details of a few sessions, and what a full sync would take by it."""
    kind = next(iter(settings.details), None)
    answers, failures = try_details(client, pages.keys, kind, enough=_SAMPLES) if kind else ([], [])
    text = f"{pages.seconds:.2g} s a page of {pages.size} sessions"
    pace = {"page_sessions": pages.size, "page_seconds": pages.seconds, "detail_seconds": 0.0}
    if answers:
        pace["detail_seconds"] = statistics.median(answers)
        text += f", {pace['detail_seconds']:.2g} s a request for details"
    advice = "see what keeps the appliance busy, sync at night, with a lower SPSETL_CONCURRENCY if people wait"
    yield yellow_if(pages.seconds > _SLOW_PAGE, "page latency", text, advice, **pace)
    if len(failures) >= _SAMPLES and not answers:
        yield red("details", failures[0], failed=len(failures))  # no odd session here and there
        return
    if failures:
        text = f"{kind} of {len(failures)} of the {len(answers) + len(failures)} newest sessions fail: {failures[0]}"
        advice = "a sync tells which, goes on with the others, and asks for these again"
        yield yellow("details", f"{text}; {advice}", failed=len(failures))
    total = count_all(client, found)
    if total is None:
        text = "the appliance does not say how many sessions it has: more than 10,000"
        yield yellow("full sync", f"{text}; run spsetl sync --dry-run, which plans the windows")
    else:
        yield _check_full_sync(
            estimate_sync(total, len(settings.details) if answers else 0, pace, settings.concurrency), settings
        )


def _check_full_sync(facts: Mapping[str, float], settings: Settings) -> Finding:
    text = (
        f"{facts['sessions']:,} sessions, about {_as_time(facts['hours'])} at {settings.concurrency} requests at once: "
        f"list {facts['list_requests']:,} requests, {_as_time(facts['list_hours'])}, "
        f"details at most {facts['detail_requests']:,} requests, {_as_time(facts['detail_hours'])}"
    )
    advice = "let spsetl backfill fetch the years in parts, the newest first, or set SPSETL_MAX_MINUTES"
    return yellow_if(facts["hours"] > _LONG, "full sync", text, advice, **facts)


def estimate_sync(sessions: int, kinds: int, pace: Mapping[str, float], concurrency: int) -> dict[str, float]:
    """All sessions, by pages as full as the measured ones, and one request for each kind of details of each."""
    pages, details = math.ceil(sessions / max(pace["page_sessions"], 1)), sessions * kinds
    list_hours = pages * pace["page_seconds"] / concurrency / _HOUR
    detail_hours = details * pace["detail_seconds"] / concurrency / _HOUR
    return {
        "sessions": sessions,
        "hours": list_hours + detail_hours,
        "list_requests": pages,
        "list_hours": list_hours,
        "detail_requests": details,
        "detail_hours": detail_hours,
    }


def _as_time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min" if hours * 60 >= 1 else f"{hours * _HOUR:.1f} s"


def measure_pages(client: Client) -> Pages:
    """A few pages; nobody else asks meanwhile."""
    seconds: list[float] = []
    keys: list[str] = []
    largest = offset = 0
    for _ in range(_SAMPLES):
        query = ListQuery(fields=LIST_FIELDS, sort="-start_time", offset=offset)
        began = time.monotonic()
        page = decode_list(client.get(query.path, query.params, kind="list"))
        seconds.append(time.monotonic() - began)
        keys += [str(item["key"]) for item in page.items if isinstance(item, dict) and item.get("key")]
        largest = max(largest, len(page.items))
        is_last = page.match_count is not None and offset + 2 * len(page.items) > page.match_count
        offset = 0 if is_last else offset + len(page.items)  # pages that are not full would look faster than they are
    return Pages(largest, statistics.median(seconds), [*dict.fromkeys(keys)])


class _Once:
    """Asks once: the question is how long an answer takes, and not whether it comes in the end."""

    def __init__(self, client: Client) -> None:
        self.limits = client.limits
        self._client = client

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        kind: str,
        decode: Callable[[bytes], Any] = orjson.loads,
    ) -> Any:
        """See `Client.get`."""
        return self._client.get(path, params, kind=kind, decode=decode, tries=1)


def try_details(
    client: Client, keys: Sequence[str], kind: str, *, enough: int
) -> tuple[list[float], list[SpsetlError]]:
    """The seconds of so many answers, and what failed before there were so many; a session may fail for good.

    Raises:
        LoginError: The login has ended.
    """
    seconds: list[float] = []
    failures: list[SpsetlError] = []
    end = time.monotonic() + _PATIENCE
    for key in keys:
        began = time.monotonic()
        try:
            fetch_details(_Once(client), key, kind)
            seconds.append(time.monotonic() - began)
        except NotFoundError:
            continue  # gone meanwhile, or there is no such page for any
        except LoginError:
            raise
        except SpsetlError as error:
            failures.append(error)
        if len(seconds) >= enough or len(failures) >= _SAMPLES or time.monotonic() > end:
            break
    return seconds, failures
