"""A Lucene expression into a condition in SQL, node by node."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from spsetl.analysis.lucene import comparing
from spsetl.analysis.lucene.condition import Condition, Values, all_of, any_of
from spsetl.analysis.lucene.parsing import parse_expression
from spsetl.analysis.lucene.places import ANY, Field, everything, find_field, find_words
from spsetl.analysis.lucene.words import Fielded, Group, Node, Range, Word, cannot_read

# As many as are answered within a second in a copy of ten thousand sessions.
_MOST_ANYWHERE: Final = 50


def compile_query(text: str, now: datetime | None = None) -> Condition:
    """The condition that an expression means, see `spsetl.analysis.lucene`.

    Args:
        text: The expression.
        now: What `now` means in it, UTC where it has no zone; None for the moment of the call.

    Raises:
        UsageError: It does not parse, names a field that is not known, a value that does not fit its field, or cannot
            be answered exactly; the message says where, counting from 1.
    """
    expression = parse_expression(text)
    moment = now or datetime.now(UTC)
    compiler = _Compiler(Values("q"), moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    sql = compiler.compile(expression.root, everything())
    if compiler.values.anywhere:
        sql = find_words(sql, compiler.values.anywhere)
    return compiler.values.condition(sql, expression.notes)


class _Compiler(NamedTuple):
    values: Values
    now: datetime

    def compile(self, node: Node, field: Field) -> str:
        match node:
            case Group():
                return self._group(node, field)
            case Fielded():
                return self._fielded(node)
            case Range():
                test = comparing.within(node, field.sort, self.now, self.values)
                return field.passing(test if node.low or node.high else comparing.exists, self.values)
            case Word():
                return self._word(node, field)

    def _group(self, node: Group, field: Field) -> str:
        parts = [(occur, self.compile(inner, field)) for occur, inner in node.clauses]
        musts = [part for occur, part in parts if occur == "must"]
        excluded = [f"(not {part})" for occur, part in parts if occur == "must not"]
        options = [part for occur, part in parts if occur == "should"]
        return all_of([*musts, *excluded, *([any_of(options)] if options and not musts else [])])

    def _fielded(self, node: Fielded) -> str:
        name = node.name.text
        if name not in {"_exists_", "_missing_"}:
            return self.compile(node.value, find_field(name, node.name.at))
        if not isinstance(node.value, Word):
            raise cannot_read(node.value.at, "a word is expected")
        found = find_field(node.value.text, node.value.at).passing(comparing.exists, self.values)
        return found if name == "_exists_" else f"(not {found})"

    def _word(self, node: Word, field: Field) -> str:
        if node.raw == ANY and not node.is_phrase:
            return "true" if field.name == ANY else field.passing(comparing.exists, self.values)
        if field.name == ANY and len(self.values.anywhere) >= _MOST_ANYWHERE:
            raise cannot_read(node.at, f"at most {_MOST_ANYWHERE} words without a field: put a field before some")
        if node.has_wildcards:
            return field.passing(comparing.like(node, field.sort, self.values), self.values)
        return field.passing(comparing.equals(node, field.sort, self.now, self.values), self.values)
