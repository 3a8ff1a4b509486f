"""How fast the appliance answers, and what a full sync would take at that pace."""

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from spsetl.appliance.protocol import ListQuery, decode_list
from spsetl.doctor.appliance import Patient
from spsetl.doctor.finding import Finding
from spsetl.errors import NotFoundError
from spsetl.extract.counts import count_all
from spsetl.extract.details import fetch_details
from spsetl.extract.windows import LIST_FIELDS

_SAMPLES: Final = 3
_SLOW_PAGE: Final = 5.0  # seconds; the vendor's own figure is 0.77 s
_LONG: Final = 24.0  # hours
_HOUR: Final = 3600


@dataclass(frozen=True)
class Pace:
    """What was measured. `detail_seconds` is None where no details are wanted, or no session has any."""

    page_sessions: int
    page_seconds: float
    detail_seconds: float | None


@dataclass(frozen=True)
class Estimate:
    """A full sync: requests, and hours with as many requests at once as the settings allow."""

    list_requests: int
    list_hours: float
    detail_requests: int
    detail_hours: float

    @property
    def hours(self) -> float:
        """All of it."""
        return self.list_hours + self.detail_hours


def check_pace(patient: Patient) -> Iterator[Finding]:
    """The median of a few pages, and the estimate by it."""
    pace = measure(patient)
    text = f"{pace.page_seconds:.2g} s a page of {pace.page_sessions} sessions"
    if pace.detail_seconds is not None:
        text += f", {pace.detail_seconds:.2g} s a request for details"
    facts = {"page_sessions": pace.page_sessions, "page_seconds": pace.page_seconds}
    facts["detail_seconds"] = pace.detail_seconds or 0.0
    if pace.page_seconds > _SLOW_PAGE:
        advice = "see what keeps the appliance busy; sync at night, with a lower SPSETL_CONCURRENCY if people wait"
        yield Finding("page latency", "yellow", text, advice, facts=facts)
    else:
        yield Finding("page latency", "green", text, facts=facts)
    yield _check_full_sync(patient, pace)


def _check_full_sync(patient: Patient, pace: Pace) -> Finding:
    settings, number = patient.settings, count_all(patient.client, patient.known)
    if number is None:
        text = "the appliance does not say how many sessions it has: more than 10,000"
        return Finding("full sync", "yellow", text, "run spsetl sync --dry-run, which plans the windows")
    kinds = len(settings.details) if pace.detail_seconds is not None else 0
    estimate = estimate_sync(number, kinds, pace, settings.concurrency)
    text = (
        f"{number:,} sessions, about {_hours(estimate.hours)} at {settings.concurrency} requests at once: "
        f"list {estimate.list_requests:,} requests, {_hours(estimate.list_hours)}; "
        f"details at most {estimate.detail_requests:,} requests, {_hours(estimate.detail_hours)}"
    )
    facts: dict[str, Any] = {"sessions": number, "hours": estimate.hours, **vars(estimate)}
    if estimate.hours > _LONG:
        advice = "let spsetl backfill fetch the years in parts, the newest first, or set SPSETL_MAX_MINUTES"
        return Finding("full sync", "yellow", text, advice, facts=facts)
    return Finding("full sync", "green", text, facts=facts)


def estimate_sync(sessions: int, kinds: int, pace: Pace, concurrency: int) -> Estimate:
    """All sessions by pages as full as the measured ones, and one request for each kind of details of each."""
    pages = math.ceil(sessions / max(pace.page_sessions, 1))
    details = sessions * kinds
    return Estimate(
        list_requests=pages,
        list_hours=pages * pace.page_seconds / concurrency / _HOUR,
        detail_requests=details,
        detail_hours=details * (pace.detail_seconds or 0.0) / concurrency / _HOUR,
    )


def measure(patient: Patient) -> Pace:
    """A few pages of the newest sessions, and the details of a few of these; nobody else asks meanwhile."""
    pages: list[float] = []
    keys: list[str] = []
    largest = offset = 0
    for _ in range(_SAMPLES):
        query = ListQuery(fields=LIST_FIELDS, sort="-start_time", offset=offset)
        began = time.monotonic()
        page = decode_list(patient.client.get(query.path, query.params, kind="list"))
        pages.append(time.monotonic() - began)
        keys += [str(item["key"]) for item in page.items if isinstance(item, dict) and item.get("key")]
        largest = max(largest, len(page.items))
        is_last = page.match_count is not None and offset + 2 * len(page.items) > page.match_count
        offset = 0 if is_last else offset + len(page.items)  # pages that are not full would look faster than they are
    return Pace(largest, statistics.median(pages), _measure_details(patient, keys))


def _measure_details(patient: Patient, keys: list[str]) -> float | None:
    kinds = patient.settings.details
    if not kinds:
        return None
    kind = "channels" if "channels" in kinds else kinds[0]
    samples: list[float] = []
    for key in keys[:_SAMPLES]:
        began = time.monotonic()
        with suppress(NotFoundError):  # gone meanwhile
            fetch_details(patient.client, key, kind)
            samples.append(time.monotonic() - began)
    return statistics.median(samples) if samples else None


def _hours(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min" if hours * 60 >= 1 else f"{hours * _HOUR:.1f} s"
