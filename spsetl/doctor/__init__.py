"""Whether a set-up can work, and what its appliance can do: green, yellow, red, each with the next step."""

from spsetl.doctor.examine import examine
from spsetl.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]
