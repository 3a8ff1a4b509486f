"""A question asked two ways: by what we ship, and by SQL written for it by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spsetl.analysis.reader import Warehouse

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Question:
    """One question, ours and by hand."""

    name: str
    ours: Callable[[Warehouse], Rows]
    plain: str


def by_sql(statement: str, **values: Any) -> Callable[[Warehouse], Rows]:
    """Asked in SQL."""
    return lambda warehouse: warehouse.rows(statement, values or None)[1]
