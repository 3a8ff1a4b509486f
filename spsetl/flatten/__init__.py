"""JSON in, Arrow out, by `schema`: what is new or does not fit goes to `extra`, nothing is lost."""

from spsetl.flatten.flattener import Flattener, Quality
from spsetl.flatten.layout import Session
from spsetl.flatten.pages import PageReader
from spsetl.flatten.rows import read_key

__all__ = ["Flattener", "PageReader", "Quality", "Session", "read_key"]
