"""Numbers of thousands of digits, wherever an appliance may write one, are a line or a value that does not fit."""

from datetime import UTC, datetime

import pytest

from spsetl.appliance.failures import decode_retry_after
from spsetl.appliance.protocol import decode_count, decode_details, decode_list, decode_stats
from spsetl.errors import BadAnswerError

LONG = "9" * 5000


@pytest.mark.parametrize("number", [LONG, 10**40, float("inf"), "٣" * 5000])
def test_counts_are_refused_in_a_line(number: object) -> None:
    """Python reads no integer of so many digits, and what it reads counts nothing."""
    answers = (
        lambda: decode_count({"count": number}),
        lambda: decode_list({"meta": {"match_count": number}, "items": []}),
        lambda: decode_details({"meta": {"match_count": number}, "items": []}, "events"),
        lambda: decode_stats({"items": [{"value": "ssh", "count": number}]}),
    )
    for answer in answers:
        with pytest.raises(BadAnswerError, match="no number") as told:
            answer()
        assert len(str(told.value)) < 300


@pytest.mark.parametrize("text", [LONG, f"Tue, 99 Nov {LONG} 00:00:00 GMT", f"Tue, 24 Nov 9999 {LONG}:00:00 GMT", "-1"])
def test_a_retry_after_is_bounded(text: str) -> None:
    """However long it asks to wait, or in whatever words."""
    seconds = decode_retry_after(text, now=datetime.now(UTC))
    assert seconds is None or 0 <= seconds <= 300
