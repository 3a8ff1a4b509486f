"""Types that a session's JSON is decoded into, made from the schema: what the list gives, in the spelling of today.

They are strict. What is older, spelled with dots, or of another type does not fit them, and is read one field at a time
by `document`; the two ways know nothing of each other, and the law is that they say the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias

import msgspec

from spsetl.flatten.paths import Leaf, Node, Role, compile_paths
from spsetl.schema import SESSIONS, Kind

# What reads alike everywhere: JSON has other numbers, of which each library makes its own.
_Integer: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_Fraction: TypeAlias = Annotated[float, msgspec.Meta(gt=-1e15, lt=1e15)]
_Scalar: TypeAlias = str | bool | _Whole | _Fraction | None
_Shallow: TypeAlias = _Scalar | dict[str, _Scalar] | list[_Scalar]
_Json: TypeAlias = _Scalar | dict[str, _Shallow] | list[_Shallow]

_ROOT: Final = compile_paths(SESSIONS)
_TYPES: Final[Mapping[Kind, Any]] = {
    Kind.TEXT: str | None,
    Kind.BOOLEAN: bool | None,
    Kind.INTEGER: _Integer | None,
    Kind.DOUBLE: _Whole | _Fraction | None,
    Kind.TIMESTAMP: str | None,
    Kind.JSON: _Json,
}
_MOST_LEARNED: Final = 200
# Of others, some cannot be the name of a typed field, and some lead elsewhere.
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")

Learned: TypeAlias = dict[str, "Learned"]
"""Keys that the schema does not know, each with those of the object that stands there; none for another value."""


class Session(msgspec.Struct, gc=False):
    """A listed session, decoded; `layout` tells what its type is made of."""

    key: Annotated[str, msgspec.Meta(min_length=1)]

    if TYPE_CHECKING:  # each layout's own type has them
        body: Any
        layout: ClassVar["Layout"]


class Score(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """`analytics.score.details.<algorithm>`."""

    score: _Whole | _Fraction | None


@dataclass(frozen=True, slots=True)
class Level:
    """An object of a session.

    Attributes:
        type: What it is decoded into.
        empty: An instance that says nothing.
        leaves: Attribute and field of what goes to columns and lists.
        levels: Attribute, key and level of the objects in it that are known.
        scores: The attribute whose keys are algorithms, or "".
        unknown: Attribute and key of what goes to `extra`.
    """

    type: type[msgspec.Struct]
    empty: msgspec.Struct
    leaves: tuple[tuple[str, Leaf], ...]
    levels: "tuple[tuple[str, str, Level], ...]"
    scores: str
    unknown: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Fields:
    """The fields of a level, while they are gathered."""

    declared: list[tuple[str, Any, Any]] = field(default_factory=list)
    leaves: list[tuple[str, Leaf]] = field(default_factory=list)
    levels: list[tuple[str, str, Level]] = field(default_factory=list)
    scores: str = ""
    unknown: list[tuple[str, str]] = field(default_factory=list)

    def declare(self, key: str, type_: Any, *, is_known: bool = True, is_required: bool = False) -> str:
        """Add one; gives its attribute, which for what the schema knows is the key itself."""
        attribute = key if is_known else f"unknown_{len(self.declared)}"
        given = {} if is_required else {"default": msgspec.UNSET}
        type_ = type_ if is_required else type_ | msgspec.UnsetType
        self.declared.append((attribute, type_, msgspec.field(name=key, **given)))
        return attribute


class Layout:
    """The types of one reading of the schema, with what was learnt beside it.

    Attributes:
        root: The session's body.
        learned: What is known to come though no column holds it.
        number: Differs from that of each layout it was made from.

    Args:
        learned: As the attribute.
        number: As the attribute.
    """

    def __init__(self, learned: Learned | None = None, number: int = 0) -> None:
        self.learned: Learned = learned or {}
        self.number = number
        self.root = _make_level("body", _ROOT, self.learned)
        session = msgspec.defstruct(
            "ListedSession",
            [("body", self.root.type), ("meta", msgspec.Raw, msgspec.field(default=msgspec.Raw(b"{}")))],
            bases=(Session,),
            namespace={"layout": self},
            gc=False,
            forbid_unknown_fields=True,
        )
        self.decoder: msgspec.json.Decoder[Session] = msgspec.json.Decoder(session)

    def learn(self, body: Mapping[str, Any]) -> "Layout | None":
        """A layout that also knows what this body says beside the schema; None where that is nothing new."""
        learned: Learned = _copy(self.learned)
        if not _learn(_ROOT, body, learned) or _size(learned) > _MOST_LEARNED:
            return None
        return Layout(learned, self.number + 1)


def _make_level(name: str, node: Node, learned: Learned) -> Level:
    fields = _Fields()
    for key, entry in node.children.items():
        if isinstance(entry, Leaf):
            _declare_leaf(fields, key, entry)
        elif entry.wildcard is not None:
            fields.scores = fields.declare(key, dict[str, Score] | None)
        elif _is_of_today(entry):
            level = _make_level(f"{name}_{key}", entry, learned.get(key, {}))
            fields.levels.append((fields.declare(key, level.type | None), key, level))
    for key, below in learned.items():
        if key not in node.children:
            type_ = _make_unknown(f"{name}_{len(fields.declared)}", below)
            fields.unknown.append((fields.declare(key, type_, is_known=False), key))
    made = msgspec.defstruct(name, fields.declared, forbid_unknown_fields=True, gc=False, kw_only=True)
    return Level(
        made,
        made(**({"start_time": ""} if node is _ROOT else {})),
        tuple(fields.leaves),
        tuple(fields.levels),
        fields.scores,
        tuple(fields.unknown),
    )


def _declare_leaf(fields: _Fields, key: str, leaf: Leaf) -> None:
    if not leaf.is_direct or leaf.raw_slot >= 0 or (leaf.is_list and leaf.kind is not Kind.TEXT):
        return
    if leaf.role is Role.LINK:
        fields.declare(key, str | None)
    elif leaf.path == "start_time":
        fields.leaves.append((fields.declare(key, str, is_required=True), leaf))
    elif leaf.is_list:
        fields.leaves.append((fields.declare(key, list[str] | str | None), leaf))
    elif leaf.path == "recording.index_status":
        fields.leaves.append((fields.declare(key, str | _Integer | None), leaf))
    else:
        fields.leaves.append((fields.declare(key, _TYPES[leaf.kind]), leaf))


def _is_of_today(node: Node) -> bool:
    """Whether anything below is in the newest spelling; scores are, and their names are no keys to learn."""
    return node.wildcard is None and any(
        entry.is_direct if isinstance(entry, Leaf) else _is_of_today(entry) for entry in node.children.values()
    )


def _make_unknown(name: str, learned: Learned) -> Any:
    """The type of what stands at a key that was learnt."""
    fields = _Fields()
    for key, below in learned.items():
        fields.declare(key, _make_unknown(f"{name}_{len(fields.declared)}", below), is_known=False)
    made: Any = msgspec.defstruct(name, fields.declared, forbid_unknown_fields=True, gc=False, kw_only=True)
    return _Scalar | list[_Scalar] | made


def _learn(node: Node | None, content: Mapping[str, Any], learned: Learned) -> bool:
    """Note what is not known of an object; whether anything of it is new. Keys that are no plain words stay odd."""
    is_new = False
    for key, value in content.items():
        entry = node.children.get(key) if node else None
        is_settled = isinstance(entry, Leaf) or (isinstance(entry, Node) and not _is_of_today(entry))
        if is_settled or not _WORD.fullmatch(key):
            continue
        below = learned.get(key, {})
        is_new_below = isinstance(value, dict) and _learn(entry if isinstance(entry, Node) else None, value, below)
        if is_new_below or (entry is None and key not in learned):
            learned[key], is_new = below, True
    return is_new


def _copy(learned: Learned) -> Learned:
    return {key: _copy(below) for key, below in learned.items()}


def _size(learned: Learned) -> int:
    return sum(1 + _size(below) for below in learned.values())
