"""DuckDB's errors in one line, without the data that some of them quote."""

import re
from typing import Final

import duckdb

# A value that does not fit is quoted, or named as a number.
_VALUE: Final = re.compile(r"""'[^']*'|"[^"]*"|(?<=value )\S+""")
_OF_A_VALUE: Final = (duckdb.ConversionException, duckdb.OutOfRangeException)
_OF_A_TEXT: Final = re.compile(r"Could not parse|Malformed")
_HINT: Final = re.compile(r"^(Did you mean|Candidate).*", re.MULTILINE)


def one_line(error: duckdb.Error) -> str:
    """What DuckDB complains of, and what it proposes, in one line. It can show a name, but no value of the data."""
    text = str(error)
    first = text.partition("\n")[0]
    if isinstance(error, _OF_A_VALUE) or _OF_A_TEXT.search(first):
        return _VALUE.sub("…", first)
    hint = _HINT.search(text)
    return f"{first} {hint[0]}" if hint else first
