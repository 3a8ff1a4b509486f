import logging
from collections.abc import Callable

import pytest

from spsetl.appliance.client import _Patience
from spsetl.appliance.failures import MOST_TRIES
from spsetl.appliance.protocol import ListQuery, detail_path
from spsetl.errors import (
    BadAnswerError,
    NotFoundError,
    QueryError,
    RateLimitError,
    RightsError,
    UnavailableError,
)
from spsetl.simulator import Fault
from tests.appliances import SECRET, TRIES, Connect, Start, ask, refusal

pytestmark = pytest.mark.usefixtures("without_sleeps")


@pytest.mark.parametrize(
    "fault",
    [Fault.UNAVAILABLE, Fault.BAD_GATEWAY, Fault.SERVICE_UNAVAILABLE, Fault.RESET, Fault.HALF_BODY],
)
def test_passing_failure_is_waited_out(start_appliance: Start, connect_client: Connect, fault: Fault) -> None:
    """An appliance that is busy, restarting or broken off is asked again, and every request is counted."""
    simulator = start_appliance()
    client = connect_client(simulator)
    ask(client)
    simulator.fail_next(fault, TRIES - 1)

    assert ask(client).match_count == 30
    assert client.requests_by_kind["sessions"] == simulator.requests["list"] == TRIES + 1


@pytest.mark.parametrize(
    "fault",
    [Fault.UNAVAILABLE, Fault.BAD_GATEWAY, Fault.SERVICE_UNAVAILABLE, Fault.RESET, Fault.HALF_BODY],
)
def test_patience_has_an_end(start_appliance: Start, connect_client: Connect, fault: Fault) -> None:
    """A failure that does not pass becomes an error after a bounded number of tries."""
    simulator = start_appliance()
    client = connect_client(simulator)
    ask(client)
    simulator.fail_next(fault, TRIES)

    assert "try later" in refusal(client, UnavailableError)
    assert client.requests_by_kind["sessions"] == TRIES + 1
    assert ask(client).match_count == 30


def test_silence_is_bounded(start_appliance: Start, connect_client: Connect) -> None:
    """An appliance that does not answer within the time-out is asked again."""
    simulator = start_appliance()
    client = connect_client(simulator, timeout=0.3)
    ask(client)
    simulator.fail_next(Fault.HANG, 2)

    assert ask(client).match_count == 30
    assert client.requests_by_kind["sessions"] == 4


def test_reset_at_the_very_first_is_not_waited_out(start_appliance: Start, connect_client: Connect) -> None:
    """Until something has answered the address may be wrong: three tries are enough."""
    simulator = start_appliance()
    simulator.cut_power()
    client = connect_client(simulator)

    refusal(client, UnavailableError)

    assert client.requests_by_kind == {"login": 3}


def test_restart_is_survived(start_appliance: Start, connect_client: Connect) -> None:
    """An appliance that loses its power and comes back is asked until it answers, with a new login."""
    simulator = start_appliance()
    client = connect_client(simulator)
    ask(client)
    simulator.cut_power()
    handler = _OnThirdRecord(simulator.restore_power)
    logger = logging.getLogger("spsetl.events")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    try:
        assert ask(client).match_count == 30
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    assert client.requests_by_kind == {"login": 2, "sessions": 6}


class _OnThirdRecord(logging.Handler):
    """Does something when the third retry is logged."""

    def __init__(self, action: Callable[[], None]) -> None:
        super().__init__()
        self._action = action

    def emit(self, record: logging.LogRecord) -> None:
        """Look for the third try."""
        if "tries=3" in record.getMessage():
            self._action()


def test_page_of_a_proxy_is_tried_twice_more(start_appliance: Start, connect_client: Connect) -> None:
    """An HTML page with status 200 may be gone in a minute; then it is refused, and names its content type."""
    simulator = start_appliance()
    client = connect_client(simulator)
    ask(client)
    simulator.fail_next(Fault.HTML, 3)

    assert "text/html" in refusal(client, BadAnswerError)
    assert client.requests_by_kind["sessions"] == 4


def test_wait_that_was_asked_for_is_kept(start_appliance: Start, connect_client: Connect) -> None:
    """Retry-After is honoured, with a jitter that keeps threads apart, and reaches the caller in the end."""
    simulator = start_appliance(retry_after=7)
    client = connect_client(simulator)
    ask(client)
    simulator.fail_next(Fault.SERVICE_UNAVAILABLE, TRIES)

    with pytest.raises(UnavailableError) as raised:
        ask(client)

    assert raised.value.retry_after == 7
    patience = _Patience(client, "sessions", MOST_TRIES)
    waits = {patience(raised.value) for _ in range(5)}
    assert len(waits) > 1
    assert all(7 <= wait <= 8 for wait in waits)
    assert patience(UnavailableError("busy")) is True
    assert patience(RateLimitError("held", 7)) is False


def test_retries_are_logged_without_printing(
    start_appliance: Start,
    connect_client: Connect,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A retry is told to who wants to know, without secrets, and to nobody else."""
    simulator = start_appliance()
    client = connect_client(simulator)
    simulator.fail_next(Fault.UNAVAILABLE, 1, kind="list")

    with caplog.at_level(logging.INFO):
        ask(client)

    told = [record.getMessage() for record in caplog.records if record.name.startswith("spsetl")]
    (message,) = [line for line in told if line.startswith("request failed")]
    assert message.startswith('request failed: kind=sessions tries=1 error="the appliance is busy')
    assert not [record for record in caplog.records if record.name == "stamina"]
    assert capsys.readouterr() == ("", "")
    assert SECRET not in caplog.text


def test_wrong_filter_is_told(start_appliance: Start, connect_client: Connect) -> None:
    """A filter that does not parse is not repeated; the appliance's words are shown."""
    simulator = start_appliance()
    client = connect_client(simulator)
    query = ListQuery(q="protocol:(ssh")

    with pytest.raises(QueryError, match="InvalidQuery"):
        client.get(query.path, query.params, kind="sessions")

    assert client.requests_by_kind["sessions"] == 1


def test_missing_right_is_told(start_appliance: Start, connect_client: Connect) -> None:
    """A user who may not search learns which right is missing."""
    simulator = start_appliance(search_right=False)
    client = connect_client(simulator)

    assert "Access all sessions" in refusal(client, RightsError)
    assert client.requests_by_kind["sessions"] == 1


def test_vanished_session_is_told_from_others(start_appliance: Start, connect_client: Connect) -> None:
    """A session that is gone is an error of its own, without its key in the message."""
    client = connect_client(start_appliance())

    with pytest.raises(NotFoundError) as raised:
        client.get(detail_path("svc-gone", "channels"), kind="channels")

    assert "svc-gone" not in str(raised.value)
