"""The law of walking a snapshot: each session of a window comes exactly once, however often the snapshot dies."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spsetl.errors import BadAnswerError, NotFoundError, RateLimitError
from spsetl.events import SILENT, Teller
from spsetl.extract import windows
from spsetl.extract.snapshot import Snapshots, walk_snapshot
from spsetl.extract.windows import Tally
from spsetl.window import Window

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
CAP, PAGE = 40, 5


def moment(seconds: int) -> datetime:
    """A time of the model."""
    return BEGIN + timedelta(seconds=seconds)


@dataclass
class ModelAppliance:
    """A list with snapshots: `(key, start, end)` of each session; `dies_after` pages, each snapshot is gone."""

    sessions: list[tuple[str, int, int | None]]
    reading: str = "literal"
    dies_after: int | None = None
    sizes: list[int] = field(default_factory=lambda: [PAGE])
    empty_last_page: bool = False
    busy: int = 0
    same_id: str | None = None
    on_page: Callable[["ModelAppliance"], None] = lambda _: None
    opened: int = 0
    pages: int = 0
    teller: Teller = SILENT
    live_pages: int = 0
    frozen: list[tuple[str, int, int | None]] = field(default_factory=list)

    def get(self, path: str, params: dict[str, Any] | None = None, *, kind: str) -> dict[str, Any]:
        """A snapshot, or a page of one, or of the live list."""
        assert kind == ("snapshot" if path.endswith("_snapshot") else "list")
        if path == "/api/audit/sessions/_snapshot":
            if self.busy:
                self.busy -= 1
                raise RateLimitError("busy")
            self.opened += 1
            self.pages = 0
            self.frozen = list(self.sessions)
            return {"body": {"snapshot": self.same_id or f"s{self.opened}"}}
        if params is None:
            start, after = (float(part) for part in urlsplit(path).query.split("/"))
            return self._page(start, int(after))
        start = (datetime.fromisoformat(params["start"]) - BEGIN).total_seconds()
        if "snapshot" in params:
            assert "offset" not in params
            return self._page(start, 0)
        return self._live(start, int(params["offset"]), int(params["limit"]))

    def _page(self, start: float, after: int) -> dict[str, Any]:
        self.on_page(self)
        self.pages += 1
        if self.dies_after is not None and self.pages > self.dies_after:
            raise NotFoundError("gone")
        found = self._found(self.frozen, start)
        size = self.sizes[self.pages % len(self.sizes)]
        shown = found[after : after + size]
        end = after + len(shown)
        is_last = end >= len(found) and not (self.empty_last_page and shown)
        link = None if is_last else f"/api/audit/sessions?{start}/{end}"
        if size == 0 and not is_last:
            link = f"{link}#{self.pages}"
        return {"items": [_item(s) for s in shown], "meta": {"next": link}}

    def _live(self, start: float, offset: int, limit: int) -> dict[str, Any]:
        self.live_pages += 1
        found = self._found(self.sessions, start)
        shown = found[:CAP][offset : offset + min(limit, PAGE)]
        meta = {"match_count": min(len(found), CAP), "offset": offset, "limit": min(limit, PAGE), "next": None}
        return {"items": [_item(s) for s in shown], "meta": meta}

    def _found(self, sessions: list[tuple[str, int, int | None]], start: float) -> list[tuple[str, int, int | None]]:
        is_literal = self.reading == "literal"
        found = [s for s in sessions if (s[1] >= start if is_literal else s[2] is None or s[2] >= start)]
        return sorted(found, key=lambda s: (s[1], s[0]))


def _item(session: tuple[str, int, int | None]) -> dict[str, Any]:
    return {"key": session[0], "body": {"start_time": moment(session[1]).isoformat(), "protocol": session[0]}}


def no_sleep(_: float) -> bool:
    """Time passes."""
    return False


def walk(
    appliance: ModelAppliance, window: Window, *, waits: bool = False, remembered: Path | None = None
) -> list[str]:
    """The keys that a walk gives, in its order."""
    with (
        TemporaryDirectory() as folder,
        patch.object(windows, "RESULT_CAP", CAP),
        patch.object(windows, "PAGE_LIMIT", PAGE),
    ):
        snapshots = Snapshots(
            appliance,  # type: ignore[arg-type]
            remembered or Path(folder) / "snapshot.json",
            waits=waits,
            sleep=no_sleep,
        )
        tally = Tally()
        found = [
            item["key"]
            for items in walk_snapshot(appliance, snapshots, window, tally)  # type: ignore[arg-type]
            for item in items
        ]
        assert tally.distinct_keys == len(found)
        return found


@st.composite
def worlds(draw: st.DrawFn) -> list[tuple[str, int, int | None]]:
    """Sessions with equal start_times, long and active ones among them."""
    starts = draw(st.lists(st.integers(0, 40), max_size=100))
    lengths = st.sampled_from([0, 1, 20, None])
    found = []
    for number, start in enumerate(starts):
        length = draw(lengths)
        found.append((f"k{number:03d}", start, None if length is None else start + length))
    return found


readings = st.sampled_from(["literal", "overlap"])


@settings(max_examples=200, deadline=None)
@given(
    worlds(),
    readings,
    st.integers(-3, 40),
    st.one_of(st.none(), st.integers(0, 30)),
    st.one_of(st.none(), st.integers(0, 6)),
    st.lists(st.integers(1, PAGE), min_size=1, max_size=4),
    st.booleans(),
)
def test_each_session_of_the_window_comes_once(
    sessions: list[tuple[str, int, int | None]],
    reading: str,
    begin: int,
    length: int | None,
    dies_after: int | None,
    sizes: list[int],
    empty_last_page: bool,
) -> None:
    """With snapshots that die at any page, short and empty pages, under both readings."""
    end = None if length is None else begin + length
    appliance = ModelAppliance(sessions, reading, dies_after, sizes, empty_last_page)
    found = walk(appliance, Window(moment(begin), None if end is None else moment(end)))
    expected = [key for key, start, _ in sessions if start >= begin and (end is None or start < end)]
    assert Counter(found) == Counter(expected)


@settings(max_examples=100, deadline=None)
@given(worlds(), readings, st.integers(1, 4), st.randoms(use_true_random=False))
def test_sessions_that_stay_are_found_while_snapshots_die_and_others_come_and_go(
    sessions: list[tuple[str, int, int | None]], reading: str, dies_after: int, random: Any
) -> None:
    """Each new snapshot shows another world; nobody who stays is lost, and nobody comes twice."""
    gone: set[str] = set()

    def disturb(appliance: ModelAppliance) -> None:
        if random.random() < 0.3 and appliance.sessions:
            victim = random.choice(appliance.sessions)
            gone.add(victim[0])
            appliance.sessions = [s for s in appliance.sessions if s is not victim]
        if random.random() < 0.3:
            number = len(appliance.sessions) + len(gone)
            appliance.sessions = [*appliance.sessions, (f"late{number}{random.random()}", random.randrange(40), None)]

    found = walk(
        ModelAppliance(list(sessions), reading, dies_after=dies_after, on_page=disturb), Window(moment(0), None)
    )
    assert len(found) == len(set(found))
    assert {key for key, _, _ in sessions} - gone <= set(found)


def test_one_request_a_page_and_one_snapshot() -> None:
    """Nothing is asked twice."""
    appliance = ModelAppliance([(f"k{n:03d}", n, n) for n in range(100)])
    assert len(walk(appliance, Window(moment(0), None))) == 100
    assert (appliance.opened, appliance.pages, appliance.live_pages) == (1, 20, 0)


def test_while_another_holds_the_snapshot_the_live_list_is_read() -> None:
    """429, and nobody waits: the same sessions by windows."""
    appliance = ModelAppliance([(f"k{n:03d}", n, n) for n in range(100)], busy=1)
    assert len(walk(appliance, Window(moment(0), None))) == 100
    assert (appliance.opened, appliance.pages) == (0, 0)
    assert appliance.live_pages > 0


def test_waiting_for_the_snapshot_ends_when_it_is_free_or_never_comes() -> None:
    """429 three times, then the snapshot; 429 for ever is an error that says what to set."""
    appliance = ModelAppliance([(f"k{n:03d}", n, n) for n in range(10)], busy=3)
    assert len(walk(appliance, Window(moment(0), None), waits=True)) == 10
    assert (appliance.opened, appliance.live_pages) == (1, 0)
    appliance.busy = 100
    with pytest.raises(RateLimitError, match="SPSETL_SNAPSHOT_BUSY"):
        walk(appliance, Window(moment(0), None), waits=True)


def test_a_snapshot_of_an_earlier_run_is_not_believed(tmp_path: Path) -> None:
    """The appliance gives the same one again for five minutes: it does not show what happened since."""
    appliance = ModelAppliance([(f"k{n:03d}", n, n) for n in range(10)], same_id="same")
    remembered = tmp_path / "snapshot.json"
    assert len(walk(appliance, Window(moment(0), None), remembered=remembered)) == 10
    assert appliance.live_pages == 0
    assert len(walk(appliance, Window(moment(0), None), remembered=remembered)) == 10
    assert appliance.live_pages > 0
    appliance.same_id = "another"
    appliance.live_pages = 0
    assert len(walk(appliance, Window(moment(0), None), remembered=remembered)) == 10
    assert appliance.live_pages == 0


def test_a_chain_that_does_not_end_is_refused() -> None:
    """Empty pages for ever are no list."""
    appliance = ModelAppliance([("k", 1, 1)], sizes=[0])
    with pytest.raises(BadAnswerError, match="empty pages"):
        walk(appliance, Window(moment(0), None))


def test_a_snapshot_in_disorder_is_refused() -> None:
    """Without the order of start_time no window is whole."""
    appliance = ModelAppliance([(f"k{n:03d}", n, n) for n in range(10)])
    with (
        patch.object(ModelAppliance, "_found", lambda _, sessions, _start: sorted(sessions, reverse=True)),
        pytest.raises(BadAnswerError, match="sort"),
    ):
        walk(appliance, Window(moment(0), None))
