"""JSON in, Arrow out, by `schema`: what does not fit goes to quarantine, what is new to `extra`, nothing is lost."""

from spsetl.flatten.flattener import Flattener

__all__ = ["Flattener"]
