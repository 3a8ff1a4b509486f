from collections import Counter

import pytest

from spsetl.simulator import Fault, Quirks
from spsetl.simulator.faults import Faults, failed_answer


def test_shares_hold_and_repeat() -> None:
    """Each kind fails in its share of the requests, and the same requests fail again."""
    quirks = Quirks(unavailable=0.1, reset=0.05)
    faults = Faults(quirks)
    drawn = [faults.next("list") for _ in range(4000)]
    counts = Counter(drawn)
    assert 300 < counts[Fault.UNAVAILABLE] < 500
    assert 130 < counts[Fault.RESET] < 270
    assert set(counts) == {None, Fault.UNAVAILABLE, Fault.RESET}
    again = Faults(quirks)
    assert [again.next("list") for _ in range(4000)] == drawn
    other = Faults(Quirks(unavailable=0.1, reset=0.05, fault_seed=2))
    assert [other.next("list") for _ in range(4000)] != drawn


def test_logins_are_spared_unless_asked_for() -> None:
    """fail_logins lets them fail, too."""
    assert Faults(Quirks(unavailable=1)).next("authentication") is None
    assert Faults(Quirks(unavailable=1, fail_logins=True)).next("authentication") is Fault.UNAVAILABLE


def test_ordered_faults_come_in_order_and_once() -> None:
    """An order for one kind waits for that kind; one for any kind spares logins."""
    faults = Faults(Quirks())
    faults.order(Fault.RESET, 1, "events")
    faults.order(Fault.HANG, 2, "")
    assert faults.next("authentication") is None
    assert [faults.next(kind) for kind in ("list", "events", "list", "list")] == [
        Fault.HANG,
        Fault.RESET,
        Fault.HANG,
        None,
    ]


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.UNAVAILABLE, 500), (Fault.BAD_GATEWAY, 502), (Fault.SERVICE_UNAVAILABLE, 503)]
)
def test_the_appliance_may_ask_to_wait(fault: Fault, status: int) -> None:
    """Retry-After is there only where the quirk gives it."""
    without = failed_answer(fault, Quirks(), "/api/info")
    asking = failed_answer(fault, Quirks(retry_after=7), "/api/info")
    assert without is not None
    assert asking is not None
    assert (without.status, without.headers) == (status, ())
    assert asking.headers == (("retry-after", "7"),)
