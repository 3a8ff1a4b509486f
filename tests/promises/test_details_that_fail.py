"""Details that cannot be fetched: of one session, of one kind, of all; for a night, and for ever."""

from typing import Any

import pytest
from pydantic import SecretStr

from spsetl.access import Access
from spsetl.appliance.client import Client
from spsetl.errors import BadAnswerError
from spsetl.extract.details import has_session
from spsetl.simulator import Simulator, World, WorldSpec


def client_of(simulator: Simulator) -> Client:
    """A client of it."""
    password = SecretStr(simulator.password)
    return Client(Access(url=simulator.url, appliance="sps", username=simulator.username, password=password))


def test_a_session_is_there_or_not() -> None:
    """By the appliance's own answer; a key that cannot be asked for is not said to have gone."""
    world = World(WorldSpec(sessions=5, days=1))
    keys = world.keys()
    with Simulator(world) as simulator, client_of(simulator) as client:
        assert all(has_session(client, key) for key in keys)
        assert not has_session(client, "nobody/knows it")
        assert simulator.requests["session"] == 6
        assert all(has_session(client, key) for key in ("", ".", ".."))
        assert simulator.requests["session"] == 6


@pytest.mark.parametrize("answer", [[], {"items": []}, {"key": "other", "body": {}}])
def test_another_page_is_no_session(answer: Any) -> None:
    """Neither there nor gone: an answer that is not understood."""

    class Odd:
        def get(self, _path: str, *, kind: str) -> Any:
            assert kind == "session"
            return answer

    with pytest.raises(BadAnswerError):
        has_session(Odd(), "key")  # type: ignore[arg-type]
