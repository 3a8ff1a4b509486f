"""Which field of an answer goes to which column: the schema's paths and aliases, compiled once into a tree of keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from spsetl import schema
from spsetl.flatten.values import AS_IT_IS, CONVERTERS, Converter, to_index_status
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
        slot: Place of its column in the table.
        rank: 0 for the newest spelling, then the aliases in the schema's order.
        is_plain: A scalar here goes to its column and nowhere else, whatever else the document says.
        as_it_is: The type of values that need not even be converted.
        is_direct: No other field of the same document can stand for the same column with better or equal right.
        is_list: Every value goes to `session_lists`, a single one too.
        raw_slot: Place of a text column that keeps the value as it came, or -1.
    """

    path: str
    role: Role = Role.COLUMN
    slot: int = -1
    kind: Kind = Kind.TEXT
    rank: int = 0
    convert: Converter = CONVERTERS[Kind.TEXT]
    is_plain: bool = False
    as_it_is: type | None = None
    is_direct: bool = True
    is_list: bool = False
    raw_slot: int = -1


@dataclass(slots=True)
class Node:
    """The known keys of an object.

    Attributes:
        wildcard: Stands for every other key that is not empty.
        indirect: The same object in the tree where dotted keys lead.
        is_known: False for a wildcard: its name is one that nobody has heard of.
    """

    children: "dict[str, Leaf | Node]" = field(default_factory=dict)
    wildcard: "Node | None" = None
    indirect: "Node | None" = None
    is_known: bool = True


def compile_paths(table: Table) -> Node:
    """The tree of the table's fields."""
    root = _compile(table, direct=True)
    _link(root, _compile(table, direct=False))
    return root


def find(node: Node, parts: list[str]) -> Leaf | Node | None:
    """What the keys lead to from here; None where that is unknown."""
    entry: Leaf | Node | None = node
    for part in parts:
        if not isinstance(entry, Node):
            return None
        entry = entry.children.get(part) or (entry.wildcard if part else None)
    return entry


def _compile(table: Table, *, direct: bool) -> Node:
    root = Node()
    for path, leaf in _leaves(table, direct=direct):
        *parents, last = path.split(".")
        node = root
        for part in parents:
            node = _child(node, part)
        if last in node.children:
            raise ValueError(f"{table.name}: two columns for {path}, or one field within another")
        node.children[last] = leaf
    return root


def _child(node: Node, part: str) -> Node:
    if part == "*":
        node.wildcard = node.wildcard or Node(is_known=False)
        return node.wildcard
    child = node.children.setdefault(part, Node())
    if isinstance(child, Leaf):
        raise ValueError(f"{child.path} has fields below it")  # noqa: TRY004 the schema is wrong, not a caller's type
    return child


def _link(node: Node, twin: Node) -> None:
    """Dotted keys lead to the twin, whose leaves are never direct."""
    node.indirect = twin
    twin.indirect = twin
    for key, child in node.children.items():
        other = twin.children[key]
        if isinstance(child, Node) and isinstance(other, Node):
            _link(child, other)
    if node.wildcard and twin.wildcard:
        _link(node.wildcard, twin.wildcard)


def _leaves(table: Table, *, direct: bool) -> Iterator[tuple[str, Leaf]]:
    """Every spelling of every known field of the table."""
    raw_slots = dict(_raw_slots(table))
    for slot, column in enumerate(table.columns):
        if not column.path or slot in raw_slots.values():
            continue
        for rank, path in enumerate(_spellings(table, column)):
            yield path, _column_leaf(column, slot, rank, raw_slots.get(slot, -1), direct=direct and not rank)
    if table is schema.SESSIONS:
        for path in schema.LINK_FIELDS:
            yield path, Leaf(path, Role.LINK, is_direct=direct)
        path = f"{schema.SCORE_DETAILS}.*.score"
        yield path, Leaf(path, Role.SCORE, kind=Kind.DOUBLE, is_direct=direct)


def _raw_slots(table: Table) -> Iterator[tuple[int, int]]:
    """Where two columns have one path, the text column keeps the field as it came, beside the other."""
    for slot, column in enumerate(table.columns):
        for other, twin in enumerate(table.columns):
            if column.path and column.path == twin.path and column.kind is not Kind.TEXT and twin.kind is Kind.TEXT:
                yield slot, other


def _spellings(table: Table, column: Column) -> Iterator[str]:
    yield column.path
    yield from column.aliases
    prefix = _OLDER_PREFIXES.get(table.name)
    if prefix:
        yield prefix + column.path
        if column.name == "channel_id":
            yield _OLDER_CHANNEL_ID


def _column_leaf(column: Column, slot: int, rank: int, raw_slot: int, *, direct: bool) -> Leaf:
    is_list = column.path in schema.LIST_FIELDS
    is_status = column.path == "recording.index_status"
    plain = direct and not is_list and not is_status and raw_slot < 0
    return Leaf(
        column.path,
        slot=slot,
        kind=column.kind,
        rank=rank,
        convert=to_index_status if is_status else CONVERTERS[column.kind],
        is_plain=plain,
        as_it_is=AS_IT_IS.get(column.kind) if plain else None,
        is_direct=direct,
        is_list=is_list,
        raw_slot=raw_slot,
    )
