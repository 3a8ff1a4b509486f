"""Whether a set-up can work, and what its appliance can do: green, yellow, red, each with the next step."""

from spsetl.doctor.copy import appliances_of_copy
from spsetl.doctor.examine import examine
from spsetl.doctor.finding import Finding, State

__all__ = ["Finding", "State", "appliances_of_copy", "examine"]
