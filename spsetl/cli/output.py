"""Answers in the form that is asked for, on standard output or in a file: as they are read, however many rows."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from cyclopts import Parameter

from spsetl.cli.cells import csv_lines, json_line, unique_names
from spsetl.cli.files import NewFiles, check_not_the_copy, write_error
from spsetl.cli.screen import plain
from spsetl.cli.terminal import table_text
from spsetl.errors import UsageError
from spsetl.warehouse.edition import Answer, Edition, Parameters

Form = Literal["table", "csv", "jsonl", "json", "parquet"]
_BY_ENDING: Final = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "parquet": "parquet"}
# A table's columns are as wide as its cells: so many rows are looked at, and the headings stand anew above the next.
_ROWS_OF_A_TABLE: Final = 2_000


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How the answer is written."""

    format: Form | None = None
    """table, csv, jsonl (an object a line; json is the same), parquet; by default as -o ends, else a table."""
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None
    """File to write, replaced whole, instead of standard output."""
    raw: bool = False
    """CSV without the apostrophes before text that a spreadsheet would take for a formula."""

    @property
    def form(self) -> str:
        """The form that is asked for.

        Raises:
            UsageError: Parquet is asked for without a file.
        """
        ending = "" if self.output is None else self.output.suffix.removeprefix(".").lower()
        form = self.format or _BY_ENDING.get(ending, "table")
        if form == "parquet" and self.output is None:
            raise UsageError("Parquet is written to a file: add -o FILE")
        return "jsonl" if form == "json" else form


def write_answer(edition: Edition, query: str, parameters: Parameters, options: OutputOptions, data_dir: Path) -> int:
    """Ask, and write the answer as the options say.

    Returns:
        The number of rows.

    Raises:
        UsageError: The question or an option is wrong.
        StorageError: The answer cannot be read or written.
    """
    form = options.form
    with _target(options.output, data_dir) as file:
        if form == "parquet":
            return write_parquet(edition, query, parameters, file)
        with edition.stream(query, parameters) as answer:
            return write_text(answer, form, file, raw=options.raw)


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


def write_text(answer: Answer, form: str, file: BinaryIO, *, raw: bool = False) -> int:
    """Write an answer as a table, CSV or lines of JSON; gives the number of rows."""
    count = 0
    names = unique_names(answer.columns)
    if form == "csv":
        file.write(csv_lines([answer.columns], raw=raw).encode())
    for rows in answer.batches:
        count += len(rows)
        if form == "csv":
            file.write(csv_lines(rows, raw=raw).encode())
        elif form == "jsonl":
            file.write("".join(json_line(names, row) for row in rows).encode())
        else:
            _write_table(answer.columns, rows, file)
    if form == "table" and not count:
        _write_table(answer.columns, [], file)
    return count


def _write_table(columns: list[str], rows: list[tuple[Any, ...]], file: BinaryIO) -> None:
    for first in range(0, max(len(rows), 1), _ROWS_OF_A_TABLE):
        is_terminal = file is sys.stdout.buffer and sys.stdout.isatty()
        text = table_text(columns, rows[first : first + _ROWS_OF_A_TABLE], is_terminal=is_terminal)
        if is_terminal:
            plain(sys.stdout).write(text)
        else:
            file.write(text.encode())


def write_parquet(
    edition: Edition,
    query: str,
    parameters: Parameters,
    file: BinaryIO,
    *,
    comment: str | None = None,
    comments: dict[str, str] | None = None,
) -> int:
    """Ask, and write the answer as Parquet, with comments on the whole and on columns; gives the number of rows.

    Raises:
        UsageError: The question is wrong, or Parquet has no form for a column's type.
        StorageError: The answer cannot be read.
    """
    count = 0
    with edition.arrow(query, parameters) as (schema, batches):
        described = _described(schema, comment, comments or {})
        try:
            with pq.ParquetWriter(file, described, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=described))
                    count += batch.num_rows
        except pa.ArrowNotImplementedError as error:
            kinds = ", ".join(f"{field.name} ({field.type})" for field in described)
            raise UsageError(f"Parquet has no form for one of {kinds}: cast it to varchar") from error
    return count


def _described(schema: pa.Schema, comment: str | None, comments: dict[str, str]) -> pa.Schema:
    fields = [schema.field(place).with_name(name) for place, name in enumerate(unique_names(schema.names))]
    described = [
        field.with_metadata({"comment": comments[field.name]}) if comments.get(field.name) else field
        for field in fields
    ]
    return pa.schema(described, metadata={"comment": comment} if comment else None)
