"""Values as text for other programs: cells of CSV that no spreadsheet takes for a formula, and lines of JSON."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson

# What a spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection), blanks before it or
# not, in the full-width and small forms too.
_FORMULA: Final = re.compile(
    "[\t\r\n]|[\\s\x00-\x1f\u00ad\u200b-\u200f\u2060\ufeff]*[=+\\-@＝＋\uff0d＠\ufe62\ufe63\ufe66\ufe6b]"  # noqa: RUF001
)
# The same behind what other locales split a line at: amid a line, the quotes of a cell mean nothing to them.
_FORMULA_BEHIND: Final = re.compile(
    '([;\t\r\n])(?=["\x00-\x08\x0b\x0c\x0e-\x20\x85\xa0\u00ad\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]*'
    "[=+\\-@＝＋\uff0d＠\ufe62\ufe63\ufe66\ufe6b])"  # noqa: RUF001
)
_TO_BE_QUOTED: Final = re.compile('[,"\r\n]')
_LARGEST: Final = 2**63


def csv_lines(rows: Iterable[Sequence[Any]], *, raw: bool = False) -> str:
    """Rows as lines of comma-separated values (RFC 4180, but for the line ends, which are newlines).

    Text that a spreadsheet would take for a formula gets an apostrophe before it, also where it would split a cell at
    semicolons, tabs or line ends, unless raw is asked for; numbers stay.
    """
    return "".join(_csv_line([_csv_cell(value, raw=raw) for value in row]) for row in rows)


def _csv_line(cells: list[str]) -> str:
    # A line of nothing but one empty cell would be no line.
    return '""\n' if cells == [""] else ",".join(cells) + "\n"


def _csv_cell(value: Any, *, raw: bool) -> str:
    if value is None:
        return ""
    text = as_text(value)
    if not raw:
        text = _FORMULA_BEHIND.sub(r"\1'", text)
        if isinstance(value, str) and _FORMULA.match(text):
            text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _TO_BE_QUOTED.search(text) else text


def as_text(value: Any) -> str:
    """The value as text; times in ISO 8601, bytes in hexadecimal, what holds other values in JSON."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | dict):
        return _json(value)
    return str(value)


def json_line(columns: Sequence[str], row: Sequence[Any]) -> str:
    """A row as an object of JSON on a line of its own; decimals and large numbers with all of their digits."""
    return _json(dict(zip(columns, row, strict=True))) + "\n"


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, default=_json_value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # an integer of more than 64 bits, or a key that orjson does not know
        return orjson.dumps(_plain(value), default=_json_value).decode()


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    return as_text(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else as_text(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return orjson.Fragment(str(value))
    return str(value) if isinstance(value, timedelta) else value


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, a number behind each that was there before: no column hides another."""
    unique: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in unique:
            number += 1
            candidate = f"{name}_{number}"
        unique.append(candidate)
    return unique
