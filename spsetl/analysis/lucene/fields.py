"""The fields of a session in every spelling, where their values stand in the copy, and conditions on them in SQL."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, Literal

from spsetl.errors import UsageError
from spsetl.schema import LIST_FIELDS, SCORE_DETAILS, SESSIONS, Column, Kind

# What a value is: that of its column, an IP address, or what was done in a session.
Sort = Kind | Literal["address", "content"]
ADDRESS: Final = "address"
CONTENT: Final = "content"
Test = Callable[[str, Sort], str]
"""Gives the condition on a value that is not NULL, for the value in SQL and what it is."""

NEVER: Final = "false"
ANY: Final = "*"
_EXTRA: Final = "extra"
# What else the guides call a field, and what people do.
_ALSO: Final = {"port": "server.port", "key": "session_key", "score": "analytics.score.aggregated"}
_CONTENTS: Final = {"events": ("action", "content"), "alerts": ("matched_action", "matched_content")}
# A list of sessions never says these without being asked, so that a word without a field does not look there.
_UNLISTED: Final = frozenset({"revision", "hidden", "phantom"})
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
    return _joined(parts, "or", NEVER)


def all_of(parts: list[str]) -> str:
    """True if all of the parts are."""
    return _joined(parts, "and", "true")


def _joined(parts: list[str], operator: str, nothing: str) -> str:
    return f"({f' {operator} '.join(parts)})" if len(parts) > 1 else parts[0] if parts else nothing


# Where values stand: gives the condition that one of them passes. A value that is not there does not.
Place = Callable[[Test, Values], str]


@dataclass(frozen=True)
class Field:
    """A field of an expression. Several sorts of values have only their text in common; then `sort` is None."""

    name: str
    sort: Sort | None
    places: tuple[Place, ...]

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the field's values passes."""
        parts = [place(test, values) for place in self.places]
        return any_of([part for part in parts if part != NEVER])


@cache
def known_fields() -> Mapping[str, Column]:
    """The column of every spelling: its name, and before it the paths of the API, the older ones too."""
    names = [(column.name, column) for column in SESSIONS.columns]
    paths = [(path, column) for column in SESSIONS.columns for path in (*column.aliases, column.path) if path]
    return dict(names) | dict(paths)


def everything() -> Field:
    """What a word without a field looks at: every value that the appliance lists of a session, see `find_words`."""

    def anywhere(test: Test, values: Values) -> str:
        values.anywhere.append(test)
        return f"coalesce(words.word{len(values.anywhere)}, false)"

    return Field(ANY, None, (anywhere,))


def find_field(name: str, at: int) -> Field:
    """The field of that name: of the API in any spelling, of `sessions`, or an object with all that is below it.

    `extra.a.b` is what the appliance calls `a.b` and no column holds; `content` is what was done in the session.

    Raises:
        UsageError: There is none; the message names the nearest.
    """
    if name == ANY:
        return everything()
    for spelling in _spellings(name):
        found = _field(name, spelling)
        if found is not None:
            return found
    nearest = get_close_matches(name, known_fields(), n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UsageError(
        f"unknown field {name!r} at position {at + 1} of q: {hint}"
        f"(what no column holds is asked for as {_EXTRA}.{name})"
    )


def find_words(sql: str, tests: Sequence[Test]) -> str:
    """A condition with words without a field, which looks at each value once, however many the words are."""
    looks = []
    for sort, source in _everywhere():
        passes = [test("own.value", sort) for test in tests]
        if any(one != NEVER for one in passes):
            said = ", ".join(f"{one} as word{number}" for number, one in enumerate(passes, 1))
            found = f"select own.appliance, own.session_key, {said} from ({source}) as own"  # noqa: S608 names of the schema
            looks.append(f"{found} where own.value is not null")
    said = ", ".join(f"bool_or(word{number}) as word{number}" for number in range(1, len(tests) + 1))
    words = f"select appliance, session_key, {said} from ({' union all '.join(looks)}) group by appliance, session_key"  # noqa: S608 ours
    return (
        "(sessions.appliance, sessions.session_key) in (select (sessions.appliance, sessions.session_key) "  # noqa: S608 ours
        f"from sessions left join ({words}) as words using (appliance, session_key) where {sql})"
    )


def _everywhere() -> Iterator[tuple[Sort, str]]:
    """Every value that the appliance lists of a session: by sort, a question for `appliance, session_key, value`."""
    keys = "select sessions.appliance, sessions.session_key"
    by_sort: dict[Sort, list[str]] = {}
    for column in SESSIONS.columns:
        if column.name == _EXTRA or (column.path and column.path not in {*_UNLISTED, *LIST_FIELDS}):
            by_sort.setdefault(_sort(column), []).append(f'sessions."{column.name}"')
    for name in by_sort.pop(Kind.JSON):
        yield Kind.JSON, f"{keys}, leaf.atom ->> '$' as value from sessions, json_tree({name}) as leaf"
    for sort, names in by_sort.items():
        yield sort, f"{keys}, unnest([{', '.join(names)}]) as value from sessions"
    yield Kind.TEXT, "select appliance, session_key, value from session_lists"
    yield Kind.DOUBLE, "select appliance, session_key, score as value from session_scores"


def _spellings(name: str) -> Iterator[str]:
    """The name, and what older versions and the guides' older chapters mean by it."""
    yield name
    if name in _ALSO:
        yield _ALSO[name]
    bare = "" if name == "psm" else name.removeprefix("psm.")
    yield f"psm.{bare}"
    yield f"recording.{bare}".rstrip(".")


def _field(name: str, spelling: str) -> Field | None:
    column = known_fields().get(spelling)
    if column is not None:
        return Field(name, _sort(column), (_place(column),))
    contents = [
        _in_contents(table, found)
        for table, columns in _CONTENTS.items()
        if (found := [each for each in columns if spelling.removeprefix("psm.") in {"content", f"{table}.{each}"}])
    ]
    if contents:
        return Field(name, CONTENT, tuple(contents))
    for owner, parts in _below(spelling):
        return Field(name, Kind.JSON, (_in_json(owner, parts),))
    head, _, algorithm = spelling.partition(f"{SCORE_DETAILS}.")
    if not head and algorithm.removesuffix(".score"):
        return Field(name, Kind.DOUBLE, (_in_scores(algorithm.removesuffix(".score")),))
    return _object(name, spelling)


def _below(spelling: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The column of JSON that a path leads into, and the rest of the path."""
    for column in SESSIONS.columns:
        for prefix in (column.path, column.name) if column.kind is Kind.JSON else ():
            rest = spelling.removeprefix(f"{prefix}.")
            if prefix and rest and rest != spelling:
                yield column.name, tuple(rest.split("."))


def _object(name: str, path: str) -> Field | None:
    """Everything below an object of the API, for example `vault`."""
    columns = [column for column in SESSIONS.columns if column.path.startswith(f"{path}.")]
    scores = [_in_scores(None)] if f"{SCORE_DETAILS}.".startswith(f"{path}.") else []
    if not columns and not scores:
        return None
    return Field(name, None, (*map(_place, columns), *scores, _in_json(_EXTRA, path.split("."))))


def _place(column: Column) -> Place:
    if column.path in LIST_FIELDS:
        return _in_lists(column.path)
    return _in_json(column.name) if column.kind is Kind.JSON else _in_column(column.name, _sort(column))


def _sort(column: Column) -> Sort:
    return ADDRESS if column.path.endswith((".ip", ".client_ip_address")) else column.kind


def _in_column(name: str, sort: Sort) -> Place:
    def place(test: Test, _: Values) -> str:
        column = f'sessions."{name}"'
        passes = test(column, sort)
        return NEVER if passes == NEVER else f"({column} is not null and {passes})"

    return place


def _in_lists(name: str) -> Place:
    def place(test: Test, values: Values) -> str:
        condition = f"own.value is not null and {test('own.value', Kind.TEXT)}"
        return _owned("session_lists", f"own.field = {values.bind(name)} and {condition}")

    return place


def _in_scores(algorithm: str | None) -> Place:
    """The score of an algorithm, or of all of them."""

    def place(test: Test, values: Values) -> str:
        passes = test("own.score", Kind.DOUBLE)
        if passes == NEVER:
            return NEVER
        wanted = "" if algorithm is None else f"own.algorithm = {values.bind(algorithm)} and "
        return _owned("session_scores", f"{wanted}own.score is not null and {passes}")

    return place


def _in_json(column: str, path: Sequence[str] = ()) -> Place:
    """Whatever is below a path in a column of JSON."""

    def place(test: Test, values: Values) -> str:
        pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
        source = f'sessions."{column}"'
        source = f"json_extract({source}, {values.bind(pointer)})" if pointer else source
        passes = test("(leaf.atom ->> '$')", Kind.JSON)
        return f"exists (select 1 from json_tree({source}) as leaf where leaf.atom is not null and {passes})"  # noqa: S608 names of the schema

    return place


def _in_contents(table: str, columns: Sequence[str]) -> Place:
    """Columns of the details that say what was done in a session; their texts stand a line apart."""
    names = ", ".join(f"own.{name}" for name in columns)

    def place(test: Test, values: Values) -> str:
        values.asks_content = True
        return _owned(table, f"coalesce({names}) is not null and {test(f'concat_ws(chr(10), {names})', CONTENT)}")

    return place


def _owned(table: str, condition: str) -> str:
    keys = f"select (own.appliance, own.session_key) from {table} as own where {condition}"  # noqa: S608 ours
    return f"(sessions.appliance, sessions.session_key) in ({keys})"
