"""Which field of an answer goes to which column: the schema's paths and aliases, compiled once into a tree of keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from spsetl import schema
from spsetl.flatten.values import CONVERTERS, Converter, to_index_status
from spsetl.schema import Column, Kind, Table

# In 5.x, sub-resources repeat where they hang in every key.
_OLDER_PREFIXES: Final = {schema.EVENTS.name: "psm.events.", schema.ALERTS.name: "psm.alerts."}
_OLDER_CHANNEL_ID: Final = "psm.channels.id"


class Role(Enum):
    """What becomes of a known field."""

    COLUMN = auto()
    SCORE = auto()
    LINK = auto()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A known field.

    Attributes:
        path: The field's newest spelling.
        column: The column it goes to.
        rank: 0 for the newest spelling, then the aliases in the schema's order.
        is_list: Every value goes to `session_lists`, a single one too.
        raw: The text column that keeps the value as it came, or "".
    """

    path: str
    column: str = ""
    role: Role = Role.COLUMN
    kind: Kind = Kind.TEXT
    rank: int = 0
    convert: Converter = CONVERTERS[Kind.TEXT]
    is_list: bool = False
    raw: str = ""


@dataclass(slots=True)
class Node:
    """The known keys of an object.

    Attributes:
        wildcard: Stands for every other key that is not empty.
        is_known: False for a wildcard: its name is one that nobody has heard of.
    """

    children: "dict[str, Leaf | Node]" = field(default_factory=dict)
    wildcard: "Node | None" = None
    is_known: bool = True


def compile_paths(table: Table) -> Node:
    """The tree of the table's fields."""
    root = Node()
    for path, leaf in _leaves(table):
        *parents, last = path.split(".")
        node = root
        for part in parents:
            node = _child(node, part)
        if last in node.children:
            raise ValueError(f"{table.name}: two columns for {path}, or one field within another")
        node.children[last] = leaf
    return root


def find(node: Node, key: str) -> Leaf | Node | None:
    """What a key leads to from here, by way of the dots in it; None where that is unknown."""
    entry: Leaf | Node | None = node
    for part in key.split("."):
        if not isinstance(entry, Node):
            return None
        entry = entry.children.get(part) or (entry.wildcard if part else None)
    return entry


def _child(node: Node, part: str) -> Node:
    if part == "*":
        node.wildcard = node.wildcard or Node(is_known=False)
        return node.wildcard
    child = node.children.setdefault(part, Node())
    if isinstance(child, Leaf):
        raise ValueError(f"{child.path} has fields below it")  # noqa: TRY004 the schema is wrong, not a caller's type
    return child


def _leaves(table: Table) -> Iterator[tuple[str, Leaf]]:
    """Every spelling of every known field of the table."""
    # Where two columns have one path, the text column keeps the field as it came, beside the other.
    texts = {column.path: column.name for column in table.columns if column.path and column.kind is Kind.TEXT}
    raw = {c.name: texts[c.path] for c in table.columns if c.path in texts and c.kind is not Kind.TEXT}
    for column in table.columns:
        is_status = column.path == "recording.index_status"
        for rank, path in enumerate(_spellings(table, column) if column.name not in raw.values() else ()):
            yield (
                path,
                Leaf(
                    column.path,
                    column.name,
                    kind=column.kind,
                    rank=rank,
                    convert=to_index_status if is_status else CONVERTERS[column.kind],
                    is_list=column.path in schema.LIST_FIELDS,
                    raw=raw.get(column.name, ""),
                ),
            )
    if table is schema.SESSIONS:
        for path in schema.LINK_FIELDS:
            yield path, Leaf(path, role=Role.LINK)
        path = f"{schema.SCORE_DETAILS}.*.score"
        yield path, Leaf(path, role=Role.SCORE, kind=Kind.DOUBLE, convert=CONVERTERS[Kind.DOUBLE])


def _spellings(table: Table, column: Column) -> Iterator[str]:
    if column.path:
        yield column.path
        yield from column.aliases
        if prefix := _OLDER_PREFIXES.get(table.name):
            yield prefix + column.path
            if column.name == "channel_id":
                yield _OLDER_CHANNEL_ID
