"""Conditions in SQL, and the values bound to them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from spsetl.schema import Kind

# What a value is: that of its column, an IP address, or what was done in a session.
Sort = Kind | Literal["address", "content"]
ADDRESS: Final = "address"
CONTENT: Final = "content"
Test = Callable[[str, Sort], str]
"""Gives the condition on a value that is not NULL, for the value in SQL and what it is."""

_NAMES: Final = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Condition:
    """A boolean expression over a row of `sessions`, by that alias; true or false and never NULL.

    Whatever a person wrote is in `parameters`, by name; `sql` says `$name`. `notes` are for whoever wrote it: what is
    read otherwise than it may be meant.
    """

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    asks_content: bool = False

    @property
    def note(self) -> str:
        """All of the notes in a line; empty if there are none."""
        return f"q: {'; '.join(self.notes)}" if self.notes else ""

    def __and__(self, other: "Condition") -> "Condition":
        """Both at once; their parameters must differ in name, as those of `q` and of content do."""
        return Condition(
            f"({self.sql}) and ({other.sql})",
            self.parameters | other.parameters,
            self.notes + other.notes,
            self.asks_content or other.asks_content,
        )


class Values:
    """The values of one condition, each under a name of its own; and the tests of its words without a field."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._by_name: dict[str, Any] = {}
        self.anywhere: list[Test] = []
        self.asks_content = False

    def bind(self, value: Any) -> str:
        """Keep a value, and say it in SQL."""
        name = f"{self._prefix}{len(self._by_name)}"
        self._by_name[name] = value
        return f"${name}"

    def condition(self, sql: str, notes: tuple[str, ...] = ()) -> Condition:
        """The condition that needs them; what it does not say is left out, as DuckDB wants no value too many."""
        said = _NAMES.findall(sql)
        return Condition(sql, {name: self._by_name[name] for name in dict.fromkeys(said)}, notes, self.asks_content)


def any_of(parts: list[str]) -> str:
    """True if one of the parts is."""
    return _joined(parts, "or", "false")


def all_of(parts: list[str]) -> str:
    """True if all of the parts are."""
    return _joined(parts, "and", "true")


def _joined(parts: list[str], operator: str, nothing: str) -> str:
    return f"({f' {operator} '.join(parts)})" if len(parts) > 1 else parts[0] if parts else nothing
