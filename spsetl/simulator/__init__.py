"""A stand-in SPS appliance for the demo, the tests and the benchmark: its guides made to run, every quirk a switch.

It shares no code with the rest of spsetl, which it is there to test.
"""

from typing import TYPE_CHECKING

from spsetl.simulator.faults import Fault
from spsetl.simulator.quirks import Quirks
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.world import World

if TYPE_CHECKING:
    from spsetl.simulator.server import Simulator, serve

__all__ = ["Fault", "Quirks", "Simulator", "World", "WorldSpec", "serve"]


def __getattr__(name: str) -> object:
    """The server is imported only when it is used: uvicorn and the CA take a third of a second."""
    if name in {"Simulator", "serve"}:
        from spsetl.simulator import server  # noqa: PLC0415 - see above

        return getattr(server, name)
    raise AttributeError(name)
