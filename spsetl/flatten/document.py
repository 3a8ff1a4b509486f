"""One JSON object into one row: its columns, its lists and scores, and what no column holds."""

from collections.abc import Sequence
from typing import Any, Final

from spsetl.flatten.paths import Leaf, Node, Role, find
from spsetl.flatten.values import is_scalar, to_double, to_json, to_text
from spsetl.schema import Kind

Keys = tuple[str, ...]
"""Where a value stands in the document: the keys as they came, dots and all."""

_PLAIN: Final = frozenset({str, int, float, bool})
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


class UnreadableError(Exception):
    """The row goes to quarantine: it has no key, or says nothing. The message names fields, never a value."""


class Document:
    """What one JSON object says. Fields may come in any order, and nested or with a dot in their key.

    Attributes:
        values: One per column of the table, None where the document says nothing.
        lists: Position and text of the values of each list, by field. Null has its position, but no entry.
        scores: By algorithm.
        unknown: What no column, list or score holds, and where it stands.
        misfits: The known fields whose values are among it, since they do not fit; in the schema's spelling.

    Args:
        body: The object.
        root: The known fields of its table.
        width: The number of the table's columns.
    """

    __slots__ = ("_late", "lists", "misfits", "scores", "unknown", "values")

    def __init__(self, body: dict[str, Any], root: Node, width: int) -> None:
        self.values: list[Any] = [None] * width
        self.lists: dict[str, list[tuple[int, str]]] = {}
        self.scores: dict[str, float] = {}
        self.unknown: list[tuple[Keys, Any]] = []
        self.misfits: list[str] = []
        self._late: list[tuple[int, int, Keys, Leaf, Any]] = []
        self._walk(body, root, ())
        if self._late:
            self._settle(width)

    def _walk(self, content: dict[str, Any], node: Node, keys: Keys) -> None:
        children, values = node.children, self.values
        for key, value in content.items():
            entry = children.get(key)
            if type(entry) is Leaf:
                if entry.as_it_is is type(value):
                    values[entry.slot] = value
                elif value is not None and not (entry.is_plain and self._convert(entry, value)):
                    self._meet(entry, (*keys, key), value)
            elif type(entry) is Node:
                self._enter(entry, (*keys, key), value)
            else:
                self._seek(node, keys, key, value)

    def _convert(self, leaf: Leaf, value: Any) -> bool:
        """The short way for what is nearly every number and time; False for whatever needs a closer look."""
        if type(value) not in _PLAIN:
            return False
        try:
            self.values[leaf.slot] = leaf.convert(value)
        except (ValueError, OverflowError):
            return False
        return True

    def _enter(self, node: Node, keys: Keys, value: Any) -> None:
        if type(value) is dict:
            self._walk(value, node, keys)
        elif value not in _EMPTY:
            self._keep(".".join(keys), keys, value)

    def _keep(self, field: str, keys: Keys, value: Any) -> None:
        """A value that its place cannot hold: it is not lost, and a wrong guess about the field is seen."""
        self.unknown.append((keys, value))
        self.misfits.append(field)

    def _seek(self, node: Node, keys: Keys, key: str, value: Any) -> None:
        """A key that is not known as it stands: dots in it may lead on, a wildcard may take it."""
        start = node.indirect or node if "." in key else node
        entry = find(start, key.split("."))
        keys = (*keys, key)
        if type(entry) is Leaf:
            self._meet(entry, keys, value)
        elif type(entry) is Node and (entry.is_known or (value and type(value) is dict)):
            self._enter(entry, keys, value)
        else:
            self.unknown.append((keys, value))

    def _meet(self, leaf: Leaf, keys: Keys, value: Any) -> None:
        if value is None:
            return
        if leaf.role is Role.LINK:
            if type(value) is not str:
                self._keep(leaf.path, keys, value)
        elif leaf.is_direct:
            self._place(leaf, keys, value)
        else:
            self._late.append((leaf.rank, -len(keys), keys, leaf, value))

    def _settle(self, width: int) -> None:
        """Older and dotted spellings, the better ones first: whatever the order of the keys, the same one wins."""
        for _, _, keys, leaf, value in sorted(self._late):
            if not self._is_taken(leaf, keys):
                self._place(leaf, keys, value)
            else:
                self._compare(leaf, keys, value, width)

    def _is_taken(self, leaf: Leaf, keys: Keys) -> bool:
        if leaf.role is Role.SCORE:
            return _algorithm(keys) in self.scores
        return self.values[leaf.slot] is not None

    def _compare(self, leaf: Leaf, keys: Keys, value: Any, width: int) -> None:
        """A second spelling is kept, unless the row already says what it says."""
        other = Document({}, Node(), width)
        other._place(leaf, keys, value)
        self.misfits += other.misfits
        if other.unknown or not self._says(leaf, other):
            self.unknown.append((keys, value))

    def _says(self, leaf: Leaf, other: "Document") -> bool:
        if leaf.role is Role.SCORE:
            return other.scores.items() <= self.scores.items()
        return (
            other.values[leaf.slot] in (None, self.values[leaf.slot])
            and (leaf.raw_slot < 0 or other.values[leaf.raw_slot] == self.values[leaf.raw_slot])
            and other.lists.get(leaf.path) == self.lists.get(leaf.path)
        )

    def _place(self, leaf: Leaf, keys: Keys, value: Any) -> None:
        try:
            if leaf.role is Role.SCORE:
                self._place_score(leaf, keys, value)
            elif is_scalar(value) or leaf.kind is Kind.JSON:
                self._place_scalar(leaf, value)
            elif type(value) is list:
                self._place_list(leaf, keys, value)
            elif value:
                self._keep(leaf.path, keys, value)
        except (ValueError, OverflowError):
            self._keep(leaf.path, keys, value)

    def _place_score(self, leaf: Leaf, keys: Keys, value: Any) -> None:
        if not is_scalar(value):
            self._keep(leaf.path, keys, value)
        elif value != "":
            self.scores[_algorithm(keys)] = to_double(value)

    def _place_scalar(self, leaf: Leaf, value: Any) -> None:
        if leaf.raw_slot >= 0:
            self.values[leaf.raw_slot] = to_text(value)
        if value != "" or leaf.kind is Kind.TEXT:
            self.values[leaf.slot] = leaf.convert(value)
        if leaf.is_list:
            self.lists[leaf.path] = [(0, to_text(value))]

    def _place_list(self, leaf: Leaf, keys: Keys, value: list[Any]) -> None:
        if not value:
            return
        if leaf.kind is not Kind.TEXT or not (leaf.is_list or all(map(is_scalar, value))):
            self._keep(leaf.path, keys, value)
            return
        entries = [(i, leaf.convert(v) if is_scalar(v) else to_json(v)) for i, v in enumerate(value) if v is not None]
        self.lists[leaf.path] = entries
        if entries:
            self.values[leaf.slot] = ",".join(text for _, text in entries)

    def gather_lists(self) -> None:
        """Add the lists of scalars that stand where nobody expects one, each under the path it came with."""
        for path, entries in lists_in(self.unknown).items():
            self.lists.setdefault(path, entries)


def lists_in(unknown: Sequence[tuple[Keys, Any]]) -> dict[str, list[tuple[int, str]]]:
    """The lists of scalars in what is unknown, by path.

    Of two that differ only in the spelling of their dots, one is given; both stay in `extra`.
    """
    found: list[tuple[str, int, Keys, list[Any]]] = []
    stack = list(unknown)
    while stack:
        keys, value = stack.pop()
        if type(value) is dict:
            stack += (((*keys, key), below) for key, below in value.items())
        elif type(value) is list and value and all(map(is_scalar, value)):
            found.append((".".join(keys), -len(keys), keys, value))
    lists: dict[str, list[tuple[int, str]]] = {}
    for path, _, _, value in sorted(found):
        lists.setdefault(path, [(i, to_text(v)) for i, v in enumerate(value) if v is not None])
    return lists


def extra_of(unknown: Sequence[tuple[Keys, Any]]) -> dict[str, Any]:
    """What is unknown, nested as it came."""
    whole: dict[str, Any] = {}
    for keys, value in unknown:
        content = whole
        for key in keys[:-1]:
            content = content.setdefault(key, {})
        content[keys[-1]] = value
    return whole


def _algorithm(keys: Keys) -> str:
    """`analytics.score.details.<algorithm>.score`."""
    return ".".join(keys).split(".")[-2]
