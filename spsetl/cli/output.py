"""The one writer of answers: a table for a person, or exact for a program, on standard output or in a file.

CSV holds nothing that a spreadsheet takes for a formula. Answers are written as they are read, however many rows.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, Literal

import orjson
from cyclopts import Parameter

from spsetl.analysis.published import Answer, PublishedFile
from spsetl.analysis.question import Question
from spsetl.cli.files import NewFiles, check_not_the_copy, write_error
from spsetl.cli.screen import plain, printable
from spsetl.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["table", "csv", "jsonl", "json", "parquet"]
_BY_ENDING: Final[dict[str, Form]] = {
    "csv": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "parquet": "parquet",
}
# A table's columns are as wide as its cells: so many rows are looked at, and the headings stand anew above the next.
_ROWS_OF_A_TABLE: Final = 2_000
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FormatOptions:
    """How the answer is written."""

    format: Form | None = None
    """table, csv, jsonl, parquet, or json (as jsonl; of stats, histogram in the appliance's shape); else as -o ends."""
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None
    """File to write, replaced whole, instead of standard output."""

    @property
    def form(self) -> Form:
        """The form that is asked for.

        Raises:
            UsageError: Parquet is asked for without a file.
        """
        ending = "" if self.output is None else self.output.suffix.removeprefix(".").lower()
        form = self.format or _BY_ENDING.get(ending, "table")
        if form == "parquet" and self.output is None:
            raise UsageError("Parquet is written to a file: add -o FILE")
        return form

    @property
    def is_for_a_person(self) -> bool:
        """Whether it is a table on standard output."""
        return self.form == "table" and self.output is None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputOptions(FormatOptions):
    """How the answer is written."""

    raw: bool = False
    """CSV without the apostrophes before text that a spreadsheet would take for a formula."""


def write_question(published: PublishedFile, question: Question, options: FormatOptions, data_dir: Path) -> int:
    """Ask, and write the answer as the options say; gives the number of rows.

    Raises:
        UsageError: The question or an option is wrong.
        StorageError: The answer cannot be read or written.
    """
    form = options.form
    with _target(options.output, data_dir) as file:
        return write_answer(published, question, form, file, raw=_is_raw(options))


def write_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], options: FormatOptions, data_dir: Path) -> None:
    """Write rows that are known already, as the options say; errors as of `write_question`."""
    form = options.form
    with _target(options.output, data_dir) as file:
        if form == "parquet":
            table = _arrow_table(columns, rows)
            _write_parquet(table.schema, iter(table.to_batches()), file)
        else:
            _write_text(Answer(list(columns), iter([[tuple(row) for row in rows]])), form, file, raw=_is_raw(options))


def write_json(value: Any, options: FormatOptions, data_dir: Path) -> None:
    """Write one value as JSON, for a person to read it too; errors as of `write_question`."""
    with _target(options.output, data_dir) as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def print_json(value: Any) -> None:
    """One object on a line of standard output, for `--json`; times say that they are UTC."""
    print(orjson.dumps(value, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on standard output."""
    with _standard_output() as file:
        _write_table(columns, list(rows), file)


def _is_raw(options: FormatOptions) -> bool:
    return isinstance(options, OutputOptions) and options.raw


@contextmanager
def _target(output: Path | None, data_dir: Path) -> Iterator[BinaryIO]:
    if output is None:
        with _standard_output() as file:
            yield file
        return
    check_not_the_copy(output, data_dir)
    with NewFiles() as files, files.open(output) as file:
        yield file


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    try:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # nobody reads any more, which is no failure
    except OSError as error:
        # What is left in the buffer would fail again at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise write_error("the answer", error) from error


def write_answer(
    published: PublishedFile,
    question: Question,
    form: Form,
    file: BinaryIO,
    *,
    raw: bool = False,
    comment: str | None = None,
    comments: Mapping[str, str] | None = None,
) -> int:
    """Ask, and write the answer into an open file; gives the number of rows.

    Args:
        published: What is asked.
        question: The question.
        form: How it is written.
        file: Where to.
        raw: CSV as it is, with formulas.
        comment: On the whole, in Parquet.
        comments: On columns, by name, in Parquet.

    Raises:
        UsageError: The question is wrong, or Parquet has no form for a column's type.
        StorageError: The answer cannot be read.
    """
    if form == "parquet":
        with published.arrow(*question) as (schema, batches):
            return _write_parquet(schema, batches, file, comment, comments)
    with published.stream(*question) as answer:
        return _write_text(answer, form, file, raw=raw)


def _write_text(answer: Answer, form: Form, file: BinaryIO, *, raw: bool) -> int:
    count = 0
    names = unique_names(answer.columns)
    if form == "csv":
        file.write(csv_lines([answer.columns], raw=raw).encode())
    for rows in answer.batches:
        count += len(rows)
        if form == "csv":
            file.write(csv_lines(rows, raw=raw).encode())
        elif form == "table":
            _write_table(answer.columns, rows, file)
        else:
            file.write("".join(json_line(names, row) for row in rows).encode())
    if form == "table" and not count:
        _write_table(answer.columns, [], file)
    return count


def _write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], file: BinaryIO) -> None:
    is_terminal = file is sys.stdout.buffer and sys.stdout.isatty()
    for first in range(0, max(len(rows), 1), _ROWS_OF_A_TABLE):
        text = _table_text(columns, rows[first : first + _ROWS_OF_A_TABLE], is_terminal=is_terminal)
        if is_terminal:
            plain(sys.stdout).write(text)
        else:
            file.write(text.encode())


def _table_text(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, is_terminal: bool) -> str:
    """Values are never read as markup."""
    from rich.console import Console  # noqa: PLC0415 - for tables alone
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*[escape(printable(column)) for column in columns])
    for row in rows:
        table.add_row(*[Text("" if value is None else printable(str(value))) for value in row])
    text = StringIO()
    # A pipe has no width: nothing may be cut off or folded there.
    console = Console(file=text, force_terminal=is_terminal, width=None if is_terminal else 10_000)
    console.print(table, soft_wrap=not is_terminal)
    return text.getvalue()


def _write_parquet(
    schema: "pa.Schema",
    batches: "Iterator[pa.RecordBatch]",
    file: BinaryIO,
    comment: str | None = None,
    comments: Mapping[str, str] | None = None,
) -> int:
    import pyarrow as pa  # noqa: PLC0415 - a fifth of a second that only Parquet has to wait
    import pyarrow.parquet as pq  # noqa: PLC0415

    count, known = 0, comments or {}
    fields = [schema.field(place).with_name(name) for place, name in enumerate(unique_names(schema.names))]
    described = pa.schema(
        [one.with_metadata({"comment": known[one.name]}) if known.get(one.name) else one for one in fields],
        metadata={"comment": comment} if comment else None,
    )
    try:
        with pq.ParquetWriter(file, described, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=described))
                count += batch.num_rows
    except pa.ArrowNotImplementedError as error:
        kinds = ", ".join(f"{field.name} ({field.type})" for field in described)
        raise UsageError(f"Parquet has no form for one of {kinds}: cast it to varchar") from error
    return count


def _arrow_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - as above

    arrays = [pa.array([row[place] for row in rows]) for place in range(len(columns))]
    # What is empty is text, as most is: no program reads a column without a type.
    return pa.table([one.cast(pa.string()) if pa.types.is_null(one.type) else one for one in arrays], [*columns])


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
