"""The parts of the documents that are made from the code: `make readme` writes them, and a test compares them."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from spsetl import schema
from spsetl.queries import read_folder
from spsetl.settings import describe_settings
from spsetl.warehouse.marts_models import Mart, read_marts

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
SETTINGS_PAGE: Final = ROOT / "deployments" / "settings.md"
DATA_PAGE: Final = ROOT / "sql" / "DATA.md"
EXAMPLES: Final = ROOT / "sql" / "examples.toml"


def read_examples() -> Mapping[str, Mapping[str, str]]:
    """An example of a value for each column, by table; `make readme` needs them all."""
    return tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))


def settings_as_markdown() -> str:
    """A table of all settings."""
    rows = [(f"`{one.variable}`", one.default, one.help) for one in describe_settings()]
    return as_table(("setting", "default", "meaning"), rows)


def tables_as_markdown() -> str:
    """The tables of the copy, with every column."""
    examples = read_examples()
    parts = []
    for table in (*schema.TABLES, *schema.VIEWS):
        rows = [
            (_code(c.name), c.kind.sql_type, _code(c.path), c.comment, _code(examples[table.name][c.name]))
            for c in table.columns
        ]
        head = f"### `{table.name}`\n\n{table.comment}. Key: {_listed(table.key)}."
        parts.append(f"{head}\n\n{as_table(('column', 'type', 'field of the API', 'meaning', 'example'), rows)}")
    return "\n\n".join(parts)


def marts_as_markdown() -> str:
    """The marts, with every column."""
    examples = read_examples()
    parts = []
    for mart in in_order(read_marts()):
        name = f"mart.{mart.name}"
        rows = [(_code(c.name), c.sql_type, c.comment, _code(examples[name][c.name])) for c in mart.columns]
        head = f"### `{name}`\n\n{mart.comment}. A {mart.kind}, made by [{mart.name}.sql](models/{mart.name}.sql)."
        parts.append(f"{head}\n\n{as_table(('column', 'type', 'meaning', 'example'), rows)}")
    return "\n\n".join(parts)


def files_as_markdown(folder: str) -> Callable[[], str]:
    """A line for each file of a folder of `sql/`, in the words of its first line."""

    def make() -> str:
        first_lines = {name: text.partition("\n")[0] for name, text in read_folder(folder).items()}
        return "\n".join(
            f"- [`{name}`]({folder}/{name}.sql): {line.removeprefix('-- ').rstrip('.')}."
            for name, line in first_lines.items()
        )

    return make


def in_order(marts: Iterable[Mart]) -> list[Mart]:
    """Facts and dimensions before what is made of them."""
    places = {"dim": 0, "fct": 1, "agg": 2, "report": 3}
    return sorted(marts, key=lambda mart: (places[mart.name.partition("_")[0]], mart.name))


def as_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Rows as a table; what would end a cell is escaped."""
    names = list(columns)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_code, names))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


PARTS: Final[Mapping[Path, Mapping[str, Callable[[], str]]]] = {
    SETTINGS_PAGE: {"settings": settings_as_markdown},
    DATA_PAGE: {
        "tables": tables_as_markdown,
        "marts": marts_as_markdown,
        "macros": files_as_markdown("macros"),
        "questions": files_as_markdown("questions"),
    },
}


def with_parts(path: Path) -> str:
    """The document's text with each part made anew between its two markers.

    Raises:
        ValueError: A marker is missing, or there twice.
    """
    text = path.read_text(encoding="utf-8")
    for name, make in PARTS[path].items():
        start, end = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"{path.name} must have {start} and {end}, once each")
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        text = f"{before}{start}\n\n{make().strip()}\n\n{end}{after}"
    return text


def described_columns() -> Iterator[tuple[str, str]]:
    """Each table and column of the published file that is described."""
    for table in (*schema.TABLES, *schema.VIEWS):
        yield from ((table.name, name) for name in table.names)
    for mart in read_marts():
        yield from ((f"mart.{mart.name}", column.name) for column in mart.columns)


if __name__ == "__main__":
    for document in PARTS:
        document.write_text(with_parts(document), encoding="utf-8")
