"""Runs at the start of each Python program that has this folder in PYTHONPATH: spsetl's clock is so many seconds ahead.

And who does not answer is asked again without waiting.
"""

import datetime as dt
import os
import sys
from typing import Any

import stamina

import spsetl.sync.rebuild
import spsetl.sync.status  # noqa: F401 - so that all that a run needs is there

AHEAD = dt.timedelta(seconds=float(os.environ["SOAK_CLOCK_AHEAD"]))
real = dt.datetime


class _AsReal(type):
    """Everything but what is below, the class `datetime` itself does; what it makes, it makes."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, real)

    def __getattr__(cls, name: str) -> Any:
        return getattr(real, name)

    def __call__(cls, *arguments: Any, **named: Any) -> dt.datetime:
        return real(*arguments, **named)


class Shifted(metaclass=_AsReal):
    """The class `datetime`, but for what it says is now."""

    @staticmethod
    def now(tz: dt.tzinfo | None = None) -> dt.datetime:
        """The time, so much ahead."""
        return real.now(tz) + AHEAD


# Libraries in C look at the class itself: only spsetl gets another.
for name, module in list(sys.modules.items()):
    if name.partition(".")[0] == "spsetl" and vars(module).get("datetime") is real:
        module.datetime = Shifted  # type: ignore[attr-defined]
stamina.set_testing(True, attempts=20)
