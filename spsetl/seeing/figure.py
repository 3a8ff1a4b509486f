"""One value for Prometheus; apart from what writes it, which not every run needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LAST_RUN = "spsetl_last_run_"


@dataclass(frozen=True)
class Figure:
    """One value, with what tells it from others of the same appliance, such as the kind of request.

    What is named `spsetl_last_run_…` is of the last run of its kind, the rest of the copy.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
