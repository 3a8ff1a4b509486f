"""Copies the session audit of One Identity SPS appliances into Parquet and DuckDB, completely, and proves it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spsetl.analysis.reader import open_warehouse

__version__ = "0.1.0"

__all__ = ["__version__", "open_warehouse"]


def __getattr__(name: str) -> Any:
    """`open_warehouse` is imported when it is asked for: DuckDB takes its time, and most commands need only parts."""
    if name == "open_warehouse":
        from spsetl.analysis.reader import open_warehouse  # noqa: PLC0415 see above

        return open_warehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
