"""The law of walking a window: each session of it comes exactly once, whatever the appliance does meanwhile."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl.errors import UnsplittableError
from spsetl.extract import windows
from spsetl.extract.plan import LARGEST_WINDOW, SMALLEST_WINDOW, plan_windows
from spsetl.extract.windows import Tally, walk_window
from spsetl.window import EPOCH, Window

CAP, PAGE = 40, 5
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Stay:
    """A session of the model: all that the list sorts, filters and splits by. Times in seconds since BEGIN."""

    key: str
    start: int
    end: int | None
    protocol: str | None
    user: str

    def item(self) -> dict[str, Any]:
        """The session as the list gives it."""
        body: dict[str, Any] = {"start_time": (BEGIN + timedelta(seconds=self.start)).isoformat()}
        body["protocol"] = self.protocol
        body["user"] = {"name": self.user}
        return {"key": self.key, "body": body}


@dataclass
class ModelAppliance:
    """The list of the guides in its smallest form, with a cap and pages small enough to be met often."""

    stays: list[Stay]
    reading: str
    limit: int = PAGE
    on_request: Callable[["ModelAppliance", int], None] = lambda *_: None
    requests: int = 0
    ignores_not: bool = False
    cap: int = CAP
    shuffles_ties: bool = False

    def get(self, path: str, params: dict[str, Any], *, kind: str) -> dict[str, Any]:
        """One page of the list."""
        assert (path, kind) == ("/api/audit/sessions", "list")
        assert set(params) <= {"fields", "start", "sort", "q", "offset", "limit"}
        self.requests += 1
        self.on_request(self, self.requests)
        start = (datetime.fromisoformat(params["start"]) - BEGIN).total_seconds()
        found = sorted(
            (s for s in self.stays if self._is_after(s, start) and self._matches(s, params.get("q"))),
            key=lambda s: (s.start, crc32(f"{s.key}/{self.requests}".encode()) if self.shuffles_ties else 0, s.key),
        )
        offset, limit = int(params.get("offset", 0)), min(int(params["limit"]), self.limit)
        assert offset <= CAP
        shown = found[: self.cap][offset : offset + limit]
        meta = {"match_count": min(len(found), self.cap), "offset": offset, "limit": limit, "next": None}
        return {"items": [s.item() for s in shown], "meta": meta}

    def _is_after(self, stay: Stay, start: float) -> bool:
        if self.reading == "literal":
            return stay.start >= start
        return stay.end is None or stay.end >= start

    def _matches(self, stay: Stay, query: str | None) -> bool:
        if query is None:
            return True
        if self.ignores_not and "NOT" in query:
            return False
        known = {"protocol": stay.protocol, "user.name": stay.user}

        def term(match: re.Match[str]) -> str:
            value = known.get(match[1])
            return str(value is not None and value.lower() == re.sub(r"\\(.)", r"\1", match[2]).lower())

        python = re.sub(r'([\w.]+):"((?:[^"\\]|\\.)*)"', term, query)
        for word in ("AND", "OR", "NOT"):
            python = python.replace(word, word.lower())
        return bool(eval(python.replace("*", "True")))  # noqa: S307 a query of our own making


def walk(appliance: ModelAppliance, window: Window) -> list[str]:
    """The keys that a walk gives, in its order."""
    with patch.object(windows, "RESULT_CAP", CAP), patch.object(windows, "PAGE_LIMIT", PAGE):
        return [item["key"] for batch in walk_window(appliance, window, Tally()) for item in batch]  # type: ignore[arg-type]


def moment(seconds: int) -> datetime:
    """A time of the model."""
    return BEGIN + timedelta(seconds=seconds)


@st.composite
def worlds(draw: st.DrawFn, *, most: int = 150) -> list[Stay]:
    """Sessions with many equal start_times, long ones and active ones among them."""
    starts = draw(st.lists(st.integers(0, 60), max_size=most))
    stays = []
    for number, start in enumerate(starts):
        length = draw(st.sampled_from([0, 0, 1, 5, 100, None]))
        end = None if length is None else start + length
        protocol = draw(st.sampled_from(["SSH", "ssh", "RDP", "TELNET", None, 'a"b\\c']))
        stays.append(Stay(f"k{number:04d}", start, end, protocol, f"user{number}"))
    return stays


readings = st.sampled_from(["literal", "overlap"])
bounds = st.tuples(st.integers(-5, 60), st.one_of(st.none(), st.integers(0, 30)))


@settings(max_examples=150, deadline=None)
@given(worlds(), readings, bounds, st.sampled_from([PAGE, 3, 2]))
def test_each_session_of_the_window_comes_once(
    stays: list[Stay], reading: str, bound: tuple[int, int | None], limit: int
) -> None:
    """Under both readings, with ties, long and active sessions, results beyond the cap and short pages."""
    begin, length = bound
    end = None if length is None else begin + length
    window = Window(moment(begin), None if end is None else moment(end))
    expected = {s.key for s in stays if s.start >= begin and (end is None or s.start < end)}
    assert Counter(walk(ModelAppliance(stays, reading, limit), window)) == Counter(expected)


@settings(max_examples=150, deadline=None)
@given(worlds(), readings, st.randoms(use_true_random=False))
def test_sessions_that_stay_are_found_while_others_come_and_go(stays: list[Stay], reading: str, random: Any) -> None:
    """Deletions shift the list to the left under the reader, arrivals to the right; nobody who stays is lost."""
    deleted: set[str] = set()
    arrived: set[str] = set()

    def disturb(appliance: ModelAppliance, number: int) -> None:
        if random.random() < 0.3 and appliance.stays:
            victim = random.choice(appliance.stays)
            deleted.add(victim.key)
            appliance.stays = [s for s in appliance.stays if s.key != victim.key]
        if random.random() < 0.2:
            late = Stay(f"late{number}", random.randrange(0, 60), None, "SSH", f"late{number}")
            arrived.add(late.key)
            appliance.stays = [*appliance.stays, late]

    found = walk(ModelAppliance(list(stays), reading, on_request=disturb), Window(moment(0), None))
    assert len(found) == len(set(found))
    assert {s.key for s in stays} - deleted <= set(found)
    assert set(found) <= {s.key for s in stays} | arrived


@pytest.mark.parametrize("reading", ["literal", "overlap"])
def test_a_burst_beyond_the_cap_is_told_apart_by_another_field(reading: str) -> None:
    """Three times the cap in one second, of which one protocol alone is above it: users tell those apart."""
    burst = [Stay(f"b{n}", 7, 8, "SSH" if n % 3 else "RDP", f"user{n % 30}") for n in range(3 * CAP)]
    around = [Stay(f"a{n}", n, n + 1, "SSH", "root") for n in range(30)]
    found = walk(ModelAppliance(burst + around, reading), Window(moment(0), None))
    assert Counter(found) == Counter(s.key for s in burst + around)


def test_a_burst_that_nothing_tells_apart_is_refused() -> None:
    """More equal sessions than one answer holds: an error, never a silent cut."""
    burst = [Stay(f"b{n}", 7, 8, "SSH", "root") for n in range(CAP + 1)]
    with pytest.raises(UnsplittableError, match="cannot be told apart"):
        walk(ModelAppliance(burst, "literal"), Window(moment(0), None))


def test_an_appliance_whose_not_leaves_sessions_out_is_refused() -> None:
    """The rest of a split is asked for with NOT; an appliance that answers it with too little is found out."""
    burst = [Stay(f"b{n}", 7, 8, ["SSH", "RDP"][n % 2], "root") for n in range(2 * CAP)]
    with pytest.raises(UnsplittableError, match="understands no query for all of them"):
        walk(ModelAppliance(burst, "literal", ignores_not=True), Window(moment(0), None))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, PAGE - 1), min_size=1, max_size=60), readings)
def test_the_order_of_equal_start_times_is_not_believed(ties: list[int], reading: str) -> None:
    """Sessions with one start_time that fit a page are all found, even if their order changes from page to page."""
    stays = [Stay(f"{at}/{n}", at, at, "SSH", "root") for at, number in enumerate(ties) for n in range(number)]
    found = walk(ModelAppliance(stays, reading, shuffles_ties=True), Window(moment(0), None))
    assert Counter(found) == Counter(s.key for s in stays)


def test_few_requests_without_ties() -> None:
    """A walk costs one request a page and little more."""
    stays = [Stay(f"k{n:04d}", n, n + 1, "SSH", "root") for n in range(200)]
    appliance = ModelAppliance(stays, "literal")
    assert len(walk(appliance, Window(moment(0), None))) == 200
    assert appliance.requests <= 200 / (PAGE - 1) + 200 / CAP + 2


def test_a_lower_cap_than_documented_loses_nothing() -> None:
    """Counts that stop below 10000 are not believed either: the end of a long list is looked at once more."""
    stays = [Stay(f"k{n:04d}", n, n + 1, "SSH", "root") for n in range(200)]
    appliance = ModelAppliance(stays, "literal", cap=CAP - 7)
    assert Counter(walk(appliance, Window(moment(0), None))) == Counter(s.key for s in stays)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30_000)), max_size=40),
    st.integers(1, 64),
)
def test_planned_windows_cover_the_range_without_gap_or_overlap(steps: list[tuple[int, int]], workers: int) -> None:
    """Whatever the histogram says, the windows are consecutive, the first begins the range, the last has no end."""
    bins, at = [], BEGIN
    for gap, count in steps:
        bins.append((at, count))
        at += timedelta(hours=gap)
    planned = plan_windows(EPOCH, bins, concurrency=workers)
    assert planned[0].start == EPOCH
    assert planned[-1].end is None
    for before, after in pairwise(planned):
        assert before.end == after.start
        assert before.start < after.start
    for window in planned[:-1]:
        held = [count for moment_, count in bins if moment_ in window]
        assert len([c for c in held if c]) == 1 or sum(held) <= max(
            SMALLEST_WINDOW, min(LARGEST_WINDOW, sum(c for _, c in bins) // workers)
        )
