"""JSON in, Arrow out, by `schema`: what is new or does not fit goes to `extra`, nothing is lost."""

from spsetl.flatten.flattener import Flattener, Quality
from spsetl.flatten.items import read_key

__all__ = ["Flattener", "Quality", "read_key"]
