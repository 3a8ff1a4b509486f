"""The `q` of the appliance, a Lucene expression, as a condition in SQL over the sessions of the copy.

sql/Q.md tells what is understood, what is refused, and what differs from the appliance.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import MAXYEAR, UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, NamedTuple

from spsetl.analysis.lucene.fields import (
    ADDRESS,
    ANY,
    CONTENT,
    NEVER,
    Condition,
    Field,
    Sort,
    Test,
    Values,
    all_of,
    any_of,
    everything,
    find_field,
    find_words,
)
from spsetl.analysis.lucene.parse import Fielded, Group, Node, Range, Word, cannot_read, parse_expression
from spsetl.errors import UsageError
from spsetl.schema import Kind

# As many as are answered within a second in a copy of ten thousand sessions.
_MOST_ANYWHERE: Final = 50
_WORDS: Final = re.compile(r'"([^"]+)"|([^\s"]+)')
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.DOUBLE})
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,38}", re.ASCII)
# Beyond it, several whole numbers are one in binary.
_MOST_EXACT: Final = 2**53
_TRUTHS: Final = {"true": True, "false": False}
_NETWORK: Final = re.compile(r"[0-9a-fA-F.:]+/.*", re.ASCII | re.DOTALL)
_IPV4_IN_IPV6: Final = 0xFFFF << 32
# What the text of such a value can look like at all: nothing else is worth the search.
_LOOKS: Final[dict[Sort, re.Pattern[str]]] = {
    Kind.BOOLEAN: re.compile(r"true|false", re.IGNORECASE),
    Kind.INTEGER: re.compile(r"-?\d+", re.ASCII),
    Kind.DOUBLE: re.compile(r"-?\d.*|inf|nan", re.ASCII),
    Kind.TIMESTAMP: re.compile(r"\d{4}-.*z", re.ASCII | re.IGNORECASE),
}
# The appliance keeps times to the millisecond.
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?)?)?",
    re.ASCII,
)
# What is left out is all of it, 2026-11 the month and 10:00 the minute; a time with its seconds is a moment.
_UNITS: Final = ("y", "M", "d", "h", "m", "ms")
_SMALLEST: Final = (1, 1, 1, 0, 0, 0)
# Fewer digits are meant as a date without dashes.
_UNIX: Final = re.compile(r"-?(0|\d{9,16})(\.\d{1,9})?", re.ASCII)
# A number of seconds has fewer digits than one of milliseconds, until the year 5138.
_LARGEST_SECONDS: Final = 100_000_000_000
_STEP: Final = re.compile(r"(?:([+-])(\d{0,9})|/1?)([yMwdhHms])", re.ASCII)
_LENGTHS: Final = {
    "w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "H": timedelta(hours=1),
    "m": timedelta(minutes=1), "s": timedelta(seconds=1), "ms": _MILLISECOND,
}  # fmt: skip
_MONTHS: Final = {"y": 12, "M": 1}


def compile_query(text: str, now: datetime | None = None) -> Condition:
    """The condition that an expression means.

    Args:
        text: The expression.
        now: What `now` means in it, UTC where it has no zone; None for the moment of the call.

    Raises:
        UsageError: It does not parse, names a field that is not known, a value that does not fit its field, or cannot
            be answered exactly; the message says where, counting from 1.
    """
    root, notes = parse_expression(text)
    moment = now or datetime.now(UTC)
    compiler = _Compiler(Values("q"), moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    sql = compiler.compile(root, everything())
    if compiler.values.anywhere:
        sql = find_words(sql, compiler.values.anywhere)
    return compiler.values.condition(sql, notes)


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
                test = _within(node, field.sort, self.now, self.values)
                return field.passing(test if node.low or node.high else _exists, self.values)
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
        found = find_field(node.value.text, node.value.at).passing(_exists, self.values)
        return found if name == "_exists_" else f"(not {found})"

    def _word(self, node: Word, field: Field) -> str:
        if node.raw == ANY and not node.is_phrase:
            return "true" if field.name == ANY else field.passing(_exists, self.values)
        if field.name == ANY and len(self.values.anywhere) >= _MOST_ANYWHERE:
            raise cannot_read(node.at, f"at most {_MOST_ANYWHERE} words without a field: put a field before some")
        if node.has_wildcards:
            return field.passing(_like(node, field.sort, self.values), self.values)
        return field.passing(_equals(node, field.sort, self.now, self.values), self.values)


def content_condition(text: str) -> Condition:
    """Sessions with an event (a command, a window title, …) or an alert that has all the words, in any case.

    A word may be part of a longer one; what stands in quotes is found as it stands.

    Raises:
        UsageError: There is no word.
    """
    words = [phrase or word for phrase, word in _WORDS.findall(text)]
    if not words:
        raise UsageError('the text of --content is empty: write for example --content "rm -rf"')
    values = Values("c")
    return values.condition(find_field("content", 0).passing(_holds(words, values), values))


def _exists(_: str, __: Sort) -> str:
    return "true"


def _like(word: Word, sort: Sort | None, values: Values) -> Test:
    """The text of the value, in any case, fits a pattern."""
    if sort == CONTENT:
        raise cannot_read(word.at, "* and ? are not supported in contents: a word also finds what it is a part of")
    wanted = values.bind(word.pattern)
    return lambda value, sort: f"lower({_text(value, sort)}) like lower({wanted}) escape '\\'"


def _equals(word: Word, sort: Sort | None, now: datetime, values: Values) -> Test:
    """The value is what a word says; `sort` is that of the field, None for values of several sorts."""
    if sort is Kind.TIMESTAMP:
        first, after = map(values.bind, _read_span(word, now))
        return lambda value, _: f"({value} >= {first} and {value} < {after})"
    if sort in _NUMBERS or sort is Kind.BOOLEAN:
        return _compared("=", values.bind(_truth(word) if sort is Kind.BOOLEAN else _number(word)))
    if sort == CONTENT and not word.text:
        raise cannot_read(word.at, "the text to look for is empty")
    if sort == CONTENT:
        return _holds([word.text], values)
    same_text = _same_text(word, values)
    if sort is Kind.JSON and _NUMBER.fullmatch(word.text) and abs(_number(word)) < _MOST_EXACT:
        number = values.bind(_number(word))
        return lambda value, found: f"(try_cast({value} as double) = {number} or {same_text(value, found)})"
    block = _read_block(word, sort) if sort in {ADDRESS, None} else None
    return same_text if block is None else _inside(block, same_text, values)


def _holds(texts: Sequence[str], values: Values) -> Test:
    """The value has all of these in it, in any case, each as it stands."""
    names = [values.bind(text) for text in texts]
    return lambda value, _: all_of([f"contains(lower({value}), lower({name}))" for name in names])


def _within(span: Range, sort: Sort | None, now: datetime, values: Values) -> Test:
    """The value is between the ends of a range."""
    if sort in {None, Kind.BOOLEAN, CONTENT}:
        raise cannot_read(span.at, "a range needs a field before it that holds numbers, times, addresses or text")
    if sort is Kind.JSON and len({bool(_NUMBER.fullmatch(end.text)) for end in (span.low, span.high) if end}) > 1:
        raise cannot_read(span.at, "one end of the range is a number, the other is none")
    ends = [
        _bound(end, sort, now, values, is_low=is_low, included=included)
        for end, is_low, included in ((span.low, True, span.with_low), (span.high, False, span.with_high))
        if end is not None
    ]
    return lambda value, found: all_of([end(value, found) for end in ends])


def _inside(block: tuple[str, str], same_text: Test, values: Values) -> Test:
    """The value is an address of a network; of what is no address, the text is compared."""
    low, high = map(values.bind, block)
    inside = f"between {low} and {high}"
    return lambda value, sort: (
        f"coalesce(as_address({value}) {inside}, false)" if sort == ADDRESS else same_text(value, sort)
    )


def _bound(word: Word, sort: Sort, now: datetime, values: Values, *, is_low: bool, included: bool) -> Test:
    """The value is beyond one end of a range."""
    operator = (">" if is_low else "<") + ("=" if included else "")
    if sort is Kind.TIMESTAMP:
        first, after = _read_span(word, now)
        # A date that is left out is left out whole, one that is not is there whole.
        return _compared(">=" if is_low else "<", values.bind(first if is_low is included else after))
    if sort in _NUMBERS:
        return _compared(operator, values.bind(_number(word)))
    if sort == ADDRESS:
        block = _read_block(word, sort)
        if block is None or block[0] != block[1]:
            raise cannot_read(word.at, f"the field holds addresses, and {word.text!r} is none")
        address = values.bind(block[0])
        return lambda value, _: f"coalesce(as_address({value}) {operator} {address}, false)"
    if sort is Kind.JSON and _NUMBER.fullmatch(word.text):
        number = values.bind(_number(word))
        return lambda value, _: f"try_cast({value} as double) {operator} {number}"
    same = values.bind(word.text)
    return lambda value, found: f"lower({_text(value, found)}) {operator} lower({same})"


def _read_block(word: Word, sort: Sort | None) -> tuple[str, str] | None:
    """The first and the last address of a network, or an address twice, as by `as_address`; None for neither."""
    text = word.text
    is_network = _NETWORK.fullmatch(text)
    try:
        if not is_network:
            return (_digits(text),) * 2
        address, _, bits = text.partition("/")
        network = ip_network((address, int(bits)), strict=False)
        return _digits(str(network[0])), _digits(str(network[-1]))
    except ValueError as error:
        if is_network and sort == ADDRESS:
            raise cannot_read(word.at, f"{text!r} is no network: write for example 10.0.0.0\\/24") from error
        return None


def _digits(text: str) -> str:
    address = ip_address(text)
    if "%" in text:  # the zone of an interface, which the appliance does not know
        raise ValueError(text)
    return f"{int(address) + (_IPV4_IN_IPV6 if isinstance(address, IPv4Address) else 0):032x}"


def _number(word: Word) -> int | float:
    if not _NUMBER.fullmatch(word.text):
        raise cannot_read(word.at, f"the field holds numbers, and {word.text!r} is none")
    return int(word.text) if _INTEGER.fullmatch(word.text) else float(word.text)


def _truth(word: Word) -> bool:
    truth = _TRUTHS.get(word.text.casefold())
    if truth is None:
        raise cannot_read(word.at, f"the field is true or false, and not {word.text!r}")
    return truth


def _compared(operator: str, limit: str) -> Test:
    return lambda value, _: f"{value} {operator} {limit}"


def _same_text(word: Word, values: Values) -> Test:
    same = values.bind(word.text)

    def test(value: str, sort: Sort) -> str:
        looks = _LOOKS.get(sort)
        if looks is not None and not looks.fullmatch(word.text):
            return NEVER
        return f"lower({_text(value, sort)}) = lower({same})"

    return test


def _text(value: str, sort: Sort) -> str:
    """The value as the appliance writes it; its case does not matter."""
    if sort in {Kind.TEXT, Kind.JSON, ADDRESS}:
        return value
    return f"as_text({value})" if sort in {Kind.DOUBLE, Kind.TIMESTAMP} else f"cast({value} as varchar)"


def _read_span(word: Word, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of a time, and the first after it; UTC, without a zone. `now` is aware."""
    try:
        first, last = (_resolve(word.text, now, is_last=is_last) for is_last in (False, True))
        return first.replace(tzinfo=None), (last + _MILLISECOND).replace(tzinfo=None)
    except OverflowError as error:
        raise cannot_read(word.at, f"{word.text!r} is too far off to be a time") from error
    except ValueError as error:
        hint = "write 2024-01-25, 2024-01-25T10:00+01:00, now-7d/d or 2024-01-25||+1M/d"
        raise cannot_read(word.at, f"cannot read {word.text!r} as a time: {hint}") from error


def _resolve(text: str, now: datetime, *, is_last: bool) -> datetime:
    """The first or the last millisecond that a time means."""
    if text.startswith("now"):
        return _calculate(now.replace(microsecond=now.microsecond // 1000 * 1000), text[3:], is_last=is_last)
    anchor, bars, steps = text.partition("||")
    first, unit = _read(anchor)
    if bars:
        return _calculate(first, steps, is_last=is_last)
    return _add(first, 1, unit) - _MILLISECOND if is_last else first


def _calculate(moment: datetime, steps: str, *, is_last: bool) -> datetime:
    """Additions and roundings, one after the other; the last moment is rounded up to the last one of the unit."""
    while steps:
        step = _STEP.match(steps)
        if step is None:
            raise ValueError(steps)
        sign, number, unit = step.groups()
        if sign:
            moment = _add(moment, int(sign + (number or "1")), unit)
        else:
            moment = _floor(moment, unit)
            moment = _add(moment, 1, unit) - _MILLISECOND if is_last else moment
        steps = steps[step.end() :]
    return moment


def _read(text: str) -> tuple[datetime, str]:
    """The first moment of a date or a time, and the smallest unit that it says."""
    iso = _ISO.fullmatch(text)
    if iso is None:
        if not _UNIX.fullmatch(text):
            raise ValueError(text)
        number = float(text)
        milliseconds = round(number * 1000 if abs(number) < _LARGEST_SECONDS else number)
        return _EPOCH + timedelta(milliseconds=milliseconds), "ms"
    *parts, fraction, zone = iso.groups()
    given = [int(part) for part in parts if part is not None]
    year, month, day, hour, minute, second = *given, *_SMALLEST[len(given) :]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    moment += timedelta(milliseconds=int((fraction or "0").ljust(3, "0")[:3]))
    return moment - _offset(zone), _UNITS[len(given) - 1]


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def _add(moment: datetime, number: int, unit: str) -> datetime:
    """So many units later; a day that the month lacks is its last."""
    if unit not in _MONTHS:
        return moment + number * _LENGTHS[unit]
    months = moment.year * 12 + moment.month - 1 + number * _MONTHS[unit]
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= MAXYEAR:
        raise OverflowError(year)
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _floor(moment: datetime, unit: str) -> datetime:
    """When the unit began that the moment is in; weeks begin with Monday."""
    if unit == "w":
        moment -= timedelta(days=moment.weekday())
    names = ("microsecond", "second", "minute", "hour", "day", "month")
    cleared = names[: {"s": 1, "m": 2, "h": 3, "H": 3, "d": 4, "w": 4, "M": 5, "y": 6}[unit]]
    return moment.replace(**{name: int(name in {"day", "month"}) for name in cleared})  # type: ignore[arg-type]
