"""JSON in, Arrow out, by `schema`: what does not fit goes to quarantine, what is new to `extra`, nothing is lost."""

from spsetl.flatten.flattener import Flattener
from spsetl.flatten.layout import Session
from spsetl.flatten.pages import PageReader

__all__ = ["Flattener", "PageReader", "Session"]
