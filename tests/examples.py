"""Examples of values for the page of the data: `python -m tests.examples demo-data` adds those that are missing."""

import re
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from spsetl.analysis.reader import Warehouse, open_warehouse
from tests.readme import EXAMPLES, described_columns, read_examples

LONGEST: Final = 60


def as_example(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, datetime):
        return value.replace(microsecond=0).isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def find_example(warehouse: Warehouse, table: str, column: str) -> str:
    """The most frequent value that is short and plain; nothing where there is none."""
    _, rows = warehouse.rows(
        f'select "{column}" from {table} where "{column}" is not null group by all order by count(*) desc, 1 limit 200'
    )
    texts = [as_example(value) for (value,) in rows]
    plain = [text for text in texts if re.fullmatch(r"[ -_a-~]{1,60}", text) and text == text.strip()]
    return plain[0] if plain else ""


def write(data_dir: Path) -> None:
    """Add what is missing; what is there stays."""
    known = {table: dict(columns) for table, columns in read_examples().items()} if EXAMPLES.exists() else {}
    found: dict[str, dict[str, str]] = {}
    with open_warehouse(data_dir) as warehouse:
        for table, column in described_columns():
            given = known.get(table, {}).get(column) or find_example(warehouse, table, column)
            found.setdefault(table, {})[column] = given
    lines = ["# One example of a value for each column, for sql/DATA.md.", ""]
    for table, columns in found.items():
        lines += [f'["{table}"]', *(f"{name} = {_quoted(text)}" for name, text in columns.items()), ""]
    EXAMPLES.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(*(f"{t}.{c} has no example" for t, some in found.items() for c, text in some.items() if not text), sep="\n")


def _quoted(text: str) -> str:
    """A TOML string; a literal one where that is plainer."""
    if "'" not in text and ("\\" in text or '"' in text):
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    write(Path(sys.argv[1]))
