from collections.abc import Mapping
from typing import Any, cast

import pytest

from spsetl.appliance.client import Client
from spsetl.appliance.probe import Capabilities, probe
from spsetl.errors import BadAnswerError


class Answers:
    """Stands for a client: the version, and the list's first item by its order."""

    def __init__(self, **items: Any) -> None:
        self._items = items

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, kind: str) -> Any:
        """The answer to a question of the probe."""
        if kind == "info":
            return {"body": {"firmware_version": "7.0"}}
        assert path == "/api/audit/sessions"
        assert params
        assert params["limit"] == 1
        return {"items": self._items["last" if params["sort"].startswith("-") else "first"], "meta": {}}


def probed(first: Any, last: Any) -> Capabilities:
    """What the probe makes of these first and last items."""
    return probe(cast("Client", Answers(first=[first], last=[last])))


def session(start: object, **body: object) -> dict[str, Any]:
    """An item of the list."""
    return {"key": "x", "body": {"start_time": start, **body}}


def test_appliance_that_does_not_sort_is_refused() -> None:
    """Every window relies on the order by start_time: without it the copy would have holes."""
    with pytest.raises(BadAnswerError, match="sort"):
        probed(session("2026-11-02T00:00:00Z"), session("2026-11-01T00:00:00Z"))


def test_one_session_without_revision_is_enough_to_see_it() -> None:
    """The revision is there only if both sessions brought one."""
    start = "2026-11-01T00:00:00Z"

    assert probed(session(start, revision=1), session(start, revision=0)).has_revision is True
    assert probed(session(start, revision=1), session(start)).has_revision is False
    assert probed(session(start, revision=None), session(start, revision=1)).has_revision is False


def test_items_that_cannot_be_read_are_not_guessed_at() -> None:
    """A session without a readable start leaves the start unknown, and is no reason to give up."""
    found = probed(session("soon"), {"key": "x"})

    assert (found.first_start, found.last_start, found.match_count) == (None, None, None)
