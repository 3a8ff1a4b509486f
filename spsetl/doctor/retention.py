"""Whether clean-up on the appliance may come before the copy."""

from collections.abc import Iterator, Mapping

from spsetl.doctor.copy import Copy
from spsetl.doctor.finding import Finding, split_advice
from spsetl.sync.status import describe_retention

_CHECK = "retention"


def check_retention(copy: Copy, of_appliance: Mapping[str, int | None] | None) -> Iterator[Finding]:
    """Of what is published; where nothing is yet, how long the appliance keeps what is to be copied.

    Args:
        copy: What is known of it.
        of_appliance: Days by protocol, as the appliance says now; None where that cannot be read.
    """
    for line in describe_retention(copy.retention):
        found, advice = split_advice(line)
        yield Finding(_CHECK, "yellow", found, advice or "run spsetl sync, and let it fetch what waits")
    if any(row["state"] != "ok" for row in copy.retention):
        return
    days = {row["protocol"]: row["retention_days"] for row in copy.retention} or of_appliance
    if not days:
        text = "how long the appliance keeps metadata is not known"
        yield Finding(_CHECK, "yellow", text, "let the user read the configuration, or ask an administrator")
        return
    kept = ", ".join(f"{protocol} {number or 'for ever'}" for protocol, number in days.items())
    facts = {"retention_days": dict(days)}
    if copy.retention:
        lag = max((row["lag_days"] for row in copy.retention if row["lag_days"] is not None), default=0.0)
        text = f"the copy lags {lag:g} days behind at most; days that metadata live: {kept}"
    else:
        text = f"days that metadata live: {kept}"
    yield Finding(_CHECK, "green", text, facts=facts)
