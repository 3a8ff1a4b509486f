"""What the tests of the promises share."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def without_waiting() -> Iterator[None]:
    """Retries of a sync happen, however many, without their waits."""
    with stamina.set_testing(True, attempts=20):
        yield
