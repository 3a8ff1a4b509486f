"""Where the values of a field stand in the copy: in a column, in rows of their own, or in JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

from spsetl.analysis.fields import known_fields
from spsetl.analysis.lucene.comparing import NEVER
from spsetl.analysis.lucene.condition import ADDRESS, CONTENT, Sort, Test, Values, any_of
from spsetl.errors import UsageError
from spsetl.schema import LIST_FIELDS, SCORE_DETAILS, SESSIONS, Column, Kind

ANY: Final = "*"
_EXTRA: Final = "extra"
# What else the guides call a field, and what people do.
_ALSO: Final = {"port": "server.port", "key": "session_key", "score": "analytics.score.aggregated"}
_CONTENTS: Final = {"events": ("action", "content"), "alerts": ("matched_action", "matched_content")}
# A list of sessions never says these without being asked, so that a word without a field does not look there.
_UNLISTED: Final = frozenset({"revision", "hidden", "phantom"})


@dataclass(frozen=True)
class ColumnPlace:
    """A column of `sessions`."""

    name: str
    sort: Sort

    def passing(self, test: Test, _: Values) -> str:
        """Whether the value passes; one that is not there does not."""
        column = f'sessions."{self.name}"'
        passes = test(column, self.sort)
        return NEVER if passes == NEVER else f"({column} is not null and {passes})"


@dataclass(frozen=True)
class ListPlace:
    """The values of a list, or of all lists."""

    field: str | None

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the values passes."""
        wanted = "" if self.field is None else f"own.field = {values.bind(self.field)} and "
        return _owned("session_lists", f"{wanted}own.value is not null and {test('own.value', Kind.TEXT)}")


@dataclass(frozen=True)
class ScorePlace:
    """The score of an algorithm, or of all of them."""

    algorithm: str | None

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the scores passes."""
        passes = test("own.score", Kind.DOUBLE)
        if passes == NEVER:
            return NEVER
        wanted = "" if self.algorithm is None else f"own.algorithm = {values.bind(self.algorithm)} and "
        return _owned("session_scores", f"{wanted}own.score is not null and {passes}")


@dataclass(frozen=True)
class JsonPlace:
    """Whatever is below a path in a column of JSON."""

    column: str
    path: tuple[str, ...] = ()

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the scalars passes."""
        source = f'sessions."{self.column}"'
        if self.path:
            source = f"json_extract({source}, {values.bind(_pointer(self.path))})"
        leaf = "leaf.atom ->> '$'"
        return (
            f"exists (select 1 from json_tree({source}) as leaf "  # noqa: S608 names of the schema
            f"where leaf.atom is not null and {test(f'({leaf})', Kind.JSON)})"
        )


@dataclass(frozen=True)
class ContentPlace:
    """Columns of the details that say what was done in a session; their texts stand a line apart."""

    table: str
    columns: tuple[str, ...]

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the rows passes."""
        values.asks_content = True
        names = ", ".join(f"own.{name}" for name in self.columns)
        return _owned(self.table, f"coalesce({names}) is not null and {test(f'concat_ws(chr(10), {names})', CONTENT)}")


@dataclass(frozen=True)
class Anywhere:
    """Every value that the appliance lists of a session; all words that look there share one look, see `find_words`."""

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the values passes."""
        values.anywhere.append(test)
        return f"coalesce(words.word{len(values.anywhere)}, false)"


Place = ColumnPlace | ListPlace | ScorePlace | JsonPlace | ContentPlace | Anywhere


@dataclass(frozen=True)
class Field:
    """A field of an expression. Several sorts of values have only their text in common; then `sort` is None."""

    name: str
    sort: Sort | None
    places: tuple[Place, ...]

    def passing(self, test: Test, values: Values) -> str:
        """Whether one of the field's values passes."""
        parts = [place.passing(test, values) for place in self.places]
        return any_of([part for part in parts if part != NEVER])


def everything() -> Field:
    """What a word without a field looks at."""
    return Field(ANY, None, (Anywhere(),))


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


def _spellings(name: str) -> Iterator[str]:
    """The name, and what older versions and the guides' older chapters mean by it."""
    yield name
    if name in _ALSO:
        yield _ALSO[name]
    bare = "" if name == "psm" else name.removeprefix("psm.")
    yield f"psm.{bare}"
    yield f"recording.{bare}".rstrip(".")


def _field(name: str, spelling: str) -> Field | None:
    column = _columns().get(spelling)
    if column is not None:
        return Field(name, _sort(column), (_place(column),))
    contents = [
        ContentPlace(table, tuple(found))
        for table, columns in _CONTENTS.items()
        if (found := [each for each in columns if spelling.removeprefix("psm.") in {"content", f"{table}.{each}"}])
    ]
    if contents:
        return Field(name, CONTENT, tuple(contents))
    for owner, parts in _below(spelling):
        return Field(name, Kind.JSON, (JsonPlace(owner, parts),))
    head, _, algorithm = spelling.partition(f"{SCORE_DETAILS}.")
    if not head and algorithm.removesuffix(".score"):
        return Field(name, Kind.DOUBLE, (ScorePlace(algorithm.removesuffix(".score")),))
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
    scores = [ScorePlace(None)] if f"{SCORE_DETAILS}.".startswith(f"{path}.") else []
    if not columns and not scores:
        return None
    return Field(name, None, (*map(_place, columns), *scores, JsonPlace(_EXTRA, tuple(path.split(".")))))


@cache
def _columns() -> dict[str, Column]:
    """The column of every spelling; a path of the API comes before the name of a column."""
    names = [(column.name, column) for column in SESSIONS.columns]
    paths = [(path, column) for column in SESSIONS.columns for path in (*column.aliases, column.path) if path]
    return dict(names) | dict(paths)


def _place(column: Column) -> Place:
    if column.path in LIST_FIELDS:
        return ListPlace(column.path)
    return JsonPlace(column.name) if column.kind is Kind.JSON else ColumnPlace(column.name, _sort(column))


def _sort(column: Column) -> Sort:
    return ADDRESS if column.path.endswith((".ip", ".client_ip_address")) else column.kind


def _owned(table: str, condition: str) -> str:
    keys = f"select (own.appliance, own.session_key) from {table} as own where {condition}"  # noqa: S608 ours
    return f"(sessions.appliance, sessions.session_key) in ({keys})"


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
