"""Conditions in SQL, and the values bound to them."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

_NAMES: Final = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Condition:
    """A boolean expression over a row of `sessions`, by that alias; true or false and never NULL.

    Whatever a person wrote is in `parameters`, by name; `sql` says `$name`.
    """

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __and__(self, other: "Condition") -> "Condition":
        """Both at once; their parameters must differ in name, as those of `q` and of content do."""
        return Condition(f"({self.sql}) and ({other.sql})", self.parameters | other.parameters)


class Values:
    """The values of one condition, each under a name of its own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._by_name: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Keep a value, and say it in SQL."""
        name = f"{self._prefix}{len(self._by_name)}"
        self._by_name[name] = value
        return f"${name}"

    def condition(self, sql: str) -> Condition:
        """The condition that needs them; what it does not say is left out, as DuckDB wants no value too many."""
        said = _NAMES.findall(sql)
        return Condition(sql, {name: self._by_name[name] for name in dict.fromkeys(said)})


def any_of(parts: list[str]) -> str:
    """True if one of the parts is."""
    return _joined(parts, "or", "false")


def all_of(parts: list[str]) -> str:
    """True if all of the parts are."""
    return _joined(parts, "and", "true")


def _joined(parts: list[str], operator: str, nothing: str) -> str:
    return f"({f' {operator} '.join(parts)})" if len(parts) > 1 else parts[0] if parts else nothing
