from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities, probe
from spsetl.errors import BadAnswerError, NotFoundError, QueryError, RateLimitError

DAY = "2026-11-01T"
Params = Mapping[str, Any]


def session(start: object, end: object = None, key: str = "x", **body: object) -> dict[str, Any]:
    """An item of the list."""
    return {"key": key, "body": {"start_time": start, "end_time": end, **body}}


LONG = session(f"{DAY}10:00:00.000Z", f"{DAY}12:00:00.000Z")


def refused(_: Params) -> Any:
    """Does not take what it is asked."""
    raise QueryError("no")


def absent(_: Params) -> Any:
    """Is not there."""
    raise NotFoundError("no")


def only_on_its_day(*items: Any) -> Callable[[Params], Sequence[Any]]:
    """Ranges that begin on the sessions' day find them, others nothing."""
    return lambda params: items if DAY in params["q"].partition(" TO ")[0] else ()


@dataclass
class Answers:
    """Stands for a client: a list by its order, what `start` and a range of dates find, and the other questions."""

    oldest: Sequence[Any]
    newest: Sequence[Any] | None = None
    amid: Sequence[Any] = ()
    ranged: Callable[[Params], Sequence[Any]] | None = None
    is_there: bool = True
    count: Callable[[Params], Any] = lambda _: {"count": 1}
    histogram: Callable[[Params], Any] = absent
    snapshot: Callable[[Params], Any] = lambda _: {"body": {"snapshot": "s"}}
    asked: list[str] = field(default_factory=list)

    def get(self, path: str, params: Params | None = None, *, kind: str) -> Any:
        """The answer to a question of the probe."""
        self.asked.append(kind)
        if kind == "info":
            return {"body": {"firmware_version": "7.0"}}
        if kind == "session":
            return LONG if self.is_there else absent({})
        if kind == "list":
            assert path == "/api/audit/sessions"
            return {"items": list(self._listed(params or {})), "meta": {}}
        answer: Any = getattr(self, kind)
        return answer(params or {})

    def _listed(self, params: Params) -> Sequence[Any]:
        if "q" in params:
            return (self.ranged or only_on_its_day(*self.oldest))(params)
        if "start" in params:
            return self.amid
        if params["sort"] == "start_time":
            return self.oldest
        assert params["fields"] == "*,revision,hidden,phantom"
        return self.oldest[::-1] if self.newest is None else self.newest


def probed(*oldest: Any, **answers: Any) -> Capabilities:
    """What the probe makes of these sessions and answers."""
    return probe(cast("Client", Answers(oldest, **answers)))


@pytest.mark.parametrize("is_ascending", [False, True])
def test_appliance_that_does_not_sort_is_refused(is_ascending: bool) -> None:
    """Every window relies on the order by start_time: without it the copy would have holes."""
    ordered = [session(f"{DAY}10:00:00Z"), session(f"{DAY}11:00:00Z")]
    items = ordered if is_ascending else ordered[::-1]

    with pytest.raises(BadAnswerError, match="sort"):
        probed(*items, newest=items)


def test_sessions_that_all_change_between_two_answers_are_no_disorder() -> None:
    """The only session went and an older one came: the earliest and the latest start are unknown, not wrong."""
    found = probed(session(f"{DAY}10:00:00Z"), newest=[session(f"{DAY}09:00:00Z")])

    assert (found.first_start, found.last_start) == (None, None)


def test_one_session_without_revision_is_enough_to_see_it() -> None:
    """The revision is there only if all sessions of the page brought one."""
    start = f"{DAY}00:00:00Z"

    assert probed(session(start, revision=1), session(start, revision=0)).has_revision is True
    assert probed(session(start, revision=1), session(start)).has_revision is False
    assert probed(session(start, revision=None), session(start, revision=1)).has_revision is False
    assert probed().has_revision is None


def test_items_that_cannot_be_read_are_not_guessed_at() -> None:
    """A session without a readable start tells nothing, and is no reason to give up."""
    found = probed(session("soon"), {"key": "x"}, 7)

    assert (found.first_start, found.last_start, found.match_count) == (None, None, None)
    assert (found.reading, found.has_date_ranges) == (None, None)


@pytest.mark.parametrize(
    ("amid", "reading"),
    [
        ([LONG], "overlap"),
        ([session(f"{DAY}09:00:00.000Z")], "overlap"),
        ([], "literal"),
        ([session(f"{DAY}11:00:00.000Z")], "literal"),
        ([session(f"{DAY}09:00:00.000Z", f"{DAY}09:30:00.000Z")], None),
        ([{"key": "x"}], None),
    ],
)
def test_reading_is_told_by_a_start_amid_a_session(amid: list[Any], reading: str | None) -> None:
    """What started before and still lasted is listed, or is not; what ended before fits neither reading."""
    assert probed(LONG, amid=amid).reading == reading


@pytest.mark.parametrize("length", [0, 1])
def test_short_sessions_tell_no_reading(length: int) -> None:
    """Times may be whole seconds: within a second nothing is certainly amid a session."""
    answers = Answers([session(f"{DAY}10:00:00Z", f"{DAY}10:00:0{length}Z")])

    assert probe(cast("Client", answers)).reading is None


def test_a_session_that_vanishes_leaves_what_it_was_to_tell_unknown() -> None:
    """It is missing from the answers because it has gone, not because of what they mean."""
    found = probed(LONG, ranged=lambda _: (), is_there=False)

    assert (found.reading, found.has_date_ranges) == (None, None)


@pytest.mark.parametrize(
    ("ranged", "has_date_ranges"),
    [
        (only_on_its_day(LONG), True),
        (refused, False),
        (lambda _: (), False),
        (lambda _: (LONG,), False),
        (only_on_its_day(LONG, session(f"{DAY}10:00:00.001Z")), False),
        (only_on_its_day(LONG, {"key": "x"}), False),
        (lambda params: (LONG,) if DAY in params["q"].partition(" TO ")[0] else refused(params), False),
    ],
)
def test_ranges_are_believed_only_if_they_find_what_they_should_and_nothing_else(
    ranged: Callable[[Params], Sequence[Any]], has_date_ranges: bool
) -> None:
    """Refused, ignored, never true, or too wide: a count by such a range would be wrong."""
    assert probed(LONG, ranged=ranged).has_date_ranges is has_date_ranges


def test_a_session_that_arrives_elsewhere_is_no_reason_to_doubt_ranges() -> None:
    """It started right before the first one and became visible meanwhile: it belongs to the range that finds it."""
    late = session("2026-10-31T23:00:00.000Z")

    assert probed(LONG, ranged=lambda p: (LONG,) if DAY in p["q"].partition(" TO ")[0] else (late,)).has_date_ranges


@pytest.mark.parametrize("understood", [(), ("bin_size",), ("bin-size",), ("bin_size", "bin-size")])
@pytest.mark.parametrize("refuses", [False, True])
def test_spelling_is_what_the_echo_confirms(understood: tuple[str, ...], refuses: bool) -> None:
    """An appliance may ignore the other spelling, or refuse it."""

    def histogram(params: Params) -> Any:
        others = {"bin_size", "bin-size"} - set(understood)
        if refuses and others & set(params):
            raise QueryError("no")
        size = next((params[name] for name in understood if name in params), "month")
        return {"body": {"buckets": []}, "meta": {"bin_size": size}}

    assert probed(LONG, histogram=histogram).bin_size_parameter == (understood[0] if understood else None)


def test_snapshots_are_there_also_while_another_holds_one() -> None:
    """429 means that there are some; 404 that there are none."""

    def busy(_: Params) -> Any:
        raise RateLimitError("busy")

    assert probed(LONG).has_snapshots is True
    assert probed(LONG, snapshot=busy).has_snapshots is True
    assert probed(LONG, snapshot=absent).has_snapshots is False


def test_a_snapshot_is_opened_last_and_only_if_wanted() -> None:
    """It takes the appliance's only one: not when the probe fails, and not for one who does without."""
    answers = Answers([LONG])
    probe(cast("Client", answers))
    assert (answers.asked[-1], answers.asked.count("snapshot")) == ("snapshot", 1)

    answers = Answers([LONG])
    assert probe(cast("Client", answers), open_snapshot=False).has_snapshots is None
    assert "snapshot" not in answers.asked


def test_counts_are_there_or_not() -> None:
    """404 means no; an answer without a count is an error, not a no."""
    assert probed(LONG).has_counts is True
    assert probed(LONG, count=absent).has_counts is False
    with pytest.raises(BadAnswerError, match="count"):
        probed(LONG, count=lambda _: {})
