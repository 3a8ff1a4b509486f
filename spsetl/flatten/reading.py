"""JSON objects into columns: key by key for many of them at once, and what no column holds beside it.

Two steps: find what stands where, whatever the order and spelling of the keys; then read it field by field, the newest
spelling of each first. A document is never odd as a whole: what does not fit is one field's business.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from spsetl.flatten.fields import Column, Entries, Said, as_list, entries_of, read_field
from spsetl.flatten.paths import Leaf, Node, Role, find
from spsetl.flatten.values import is_scalar

Keys: TypeAlias = tuple[str, ...]
"""Where a value stands in the document: the keys as they came, dots and all."""

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
_NO_OBJECT: Final[dict[str, Any]] = {}
_OBJECTS: Final = {dict, type(None)}
_TEXTS: Final = {str, type(None)}


class Reading:
    """What some objects of one table say. Fields may come in any order, and nested or with a dot in their key.

    Attributes:
        size: How many objects.
        columns: By name; those that none of them has are left out.
        lists: By field and object.
        scores: By object and algorithm.
        unknown: What no column, list or score holds, and where it stands, by object.
        misfits: The known fields whose values are among it, since they do not fit; object and field.

    Args:
        root: The known fields of the table.
        contents: The objects.
    """

    def __init__(self, root: Node, contents: Sequence[dict[str, Any]]) -> None:
        self.size = len(contents)
        self.columns: dict[str, Column] = {}
        self.lists: dict[str, dict[int, Entries]] = {}
        self.scores: dict[tuple[int, str], float] = {}
        self.unknown: defaultdict[int, list[tuple[Keys, Any]]] = defaultdict(list)
        self.misfits: list[tuple[int, str]] = []
        self._found: list[tuple[int, int, Keys, Leaf, Sequence[int], Sequence[Any]]] = []
        self._find(root, (), range(self.size), contents)
        # Whatever the order of the keys, the same spelling wins: a newer one, and of the same the one with fewer dots.
        for _, _, keys, leaf, places, values in sorted(self._found, key=itemgetter(0, 1, 2)):
            if leaf.role is Role.COLUMN:
                self._read_column(leaf, keys, places, values)
            elif leaf.role is Role.SCORE:
                self._read_scores(leaf, keys, places, values)
            else:
                self._drop_links(leaf, keys, places, values)

    def _find(self, node: Node, keys: Keys, places: Sequence[int], contents: Sequence[dict[str, Any]]) -> None:
        """Note what stands at the fields below an object."""
        strange = set[str]().union(*contents)
        for key in [key for key in strange if key in node.children]:
            strange.discard(key)
            self._enter(node.children[key], (*keys, key), places, [content.get(key) for content in contents])
        # There may be thousands of strange keys, each in one object alone: only what is there is looked at.
        parts: dict[str, tuple[list[int], list[Any]]] = {key: ([], []) for key in strange}
        for place, content in zip(places, contents, strict=True) if strange else ():
            for key in strange & content.keys():
                parts[key][0].append(place)
                parts[key][1].append(content[key])
        for key, part in parts.items():
            self._enter(find(node, key), (*keys, key), *part)

    def _enter(self, entry: Leaf | Node | None, keys: Keys, places: Sequence[int], values: Sequence[Any]) -> None:
        if isinstance(entry, Leaf):
            self._found.append((entry.rank, -len(keys), keys, entry, places, values))
        elif entry is None:
            for place, value in zip(places, values, strict=True):
                self.unknown[place].append((keys, value))
        else:
            types = set(map(type, values))
            if types == {dict} and (entry.is_known or all(values)):
                self._find(entry, keys, places, values)
            elif types == _OBJECTS and entry.is_known and values.count(None) < len(values) / 2:
                self._find(entry, keys, places, [value or _NO_OBJECT for value in values])
            else:
                self._find(entry, keys, *self._objects(entry, keys, places, values))

    def _objects(
        self, node: Node, keys: Keys, places: Sequence[int], values: Sequence[Any]
    ) -> tuple[list[int], list[dict[str, Any]]]:
        """The objects; what else stands there is kept, at a name that nobody has heard of whatever is empty too."""
        found: dict[int, dict[str, Any]] = {}
        for place, value in zip(places, values, strict=True):
            if value and type(value) is dict:
                found[place] = value
            elif not node.is_known:
                self.unknown[place].append((keys, value))
            elif value not in _EMPTY:
                self._keep(".".join(keys), keys, place, value)
        return list(found), list(found.values())

    def _keep(self, field: str, keys: Keys, place: int, value: Any) -> None:
        """A value that its place cannot hold: it is not lost, and a wrong guess about the field is seen."""
        self.unknown[place].append((keys, value))
        self.misfits.append((place, field))

    def _read_column(self, leaf: Leaf, keys: Keys, places: Sequence[int], values: Sequence[Any]) -> None:
        if len(values) < self.size:
            found, values = values, [None] * self.size
            for place, value in zip(places, found, strict=True):
                values[place] = value
        said = read_field(leaf, values)
        if leaf.column in self.columns:
            self._merge(leaf, keys, values, said)
            return
        self.columns[leaf.column] = said.column
        if leaf.raw:
            self.columns[leaf.raw] = said.raw
        if said.entries:
            self.lists[leaf.path] = said.entries
        for place in said.misfits:
            self._keep(leaf.path, keys, place, values[place])

    def _merge(self, leaf: Leaf, keys: Keys, values: Sequence[Any], said: Said) -> None:
        """Fill what better spellings have left empty; what says something else than they do is kept."""
        column, raw = self._open(leaf.column), self._open(leaf.raw)
        new_column, new_raw = as_list(said.column), as_list(said.raw) or [None] * self.size
        lists, misfits = self.lists.setdefault(leaf.path, {}), set(said.misfits)
        for place, value in enumerate(values):
            if value is None:
                continue
            new, entries = new_column[place], said.entries.get(place)
            is_free = column[place] is None
            if is_free:
                column[place] = new
                raw[place] = raw[place] if new_raw[place] is None else new_raw[place]
                if entries is not None:
                    lists[place] = entries
            if place in misfits:
                self._keep(leaf.path, keys, place, value)
            elif not is_free and (
                new not in (None, column[place]) or new_raw[place] != raw[place] or entries != lists.get(place)
            ):
                self.unknown[place].append((keys, value))

    def _open(self, name: str) -> list[Any]:
        """A column that can be written to; one without a name is for nothing."""
        column = as_list(self.columns.get(name, [None] * self.size))
        if name:
            self.columns[name] = column
        return column

    def _read_scores(self, leaf: Leaf, keys: Keys, places: Sequence[int], values: Sequence[Any]) -> None:
        """Of one algorithm, in one spelling."""
        algorithm = ".".join(keys).split(".")[-2]  # analytics.score.details.<algorithm>.score
        said = read_field(leaf, values)
        misfits = set(said.misfits)
        for at, (place, value, score) in enumerate(zip(places, values, as_list(said.column), strict=True)):
            if at in misfits or (score is None and value in ([], {})):
                self._keep(leaf.path, keys, place, value)
            elif score is not None and self.scores.setdefault((place, algorithm), score) != score:
                self.unknown[place].append((keys, value))

    def _drop_links(self, leaf: Leaf, keys: Keys, places: Sequence[int], values: Sequence[Any]) -> None:
        """They follow from the key, and are not kept."""
        if not _TEXTS.issuperset(map(type, values)):
            for place, value in zip(places, values, strict=True):
                if type(value) not in _TEXTS:
                    self._keep(leaf.path, keys, place, value)

    def gather_lists(self) -> None:
        """Add the lists of scalars that stand where nobody expects one, each under the path it came with.

        Of two that differ only in the spelling of their dots, one is given; both stay in `extra`.
        """
        for place, unknown in self.unknown.items():
            for path, _, _, values in sorted(_lists_in(unknown)):
                self.lists.setdefault(path, {}).setdefault(place, entries_of(values))


def _lists_in(unknown: Sequence[tuple[Keys, Any]]) -> Iterator[tuple[str, int, Keys, list[Any]]]:
    left = list(unknown)
    while left:
        keys, value = left.pop()
        if type(value) is dict:
            left += (((*keys, key), below) for key, below in value.items())
        elif type(value) is list and value and all(map(is_scalar, value)):
            yield ".".join(keys), -len(keys), keys, value


def extra_of(unknown: Sequence[tuple[Keys, Any]]) -> dict[str, Any]:
    """What is unknown of an object, nested as it came."""
    whole: dict[str, Any] = {}
    for keys, value in unknown:
        content = whole
        for key in keys[:-1]:
            content = content.setdefault(key, {})
        content[keys[-1]] = value
    return whole
