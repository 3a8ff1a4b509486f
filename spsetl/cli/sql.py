"""`spsetl sql`: any question, read-only."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from spsetl.cli.options import DataOptions
from spsetl.cli.output import OutputOptions, write_answer
from spsetl.errors import UsageError
from spsetl.warehouse.edition import Limits
from spsetl.warehouse.reader import open_warehouse

DEFAULTS = DataOptions()
DEFAULT_OUTPUT = OutputOptions()


def sql(
    query: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,  # it may begin with a comment
    /,
    *,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
    file: Path | None = None,
) -> None:
    """Answer a question in SQL: read-only, no files, no network.

    Args:
        query: The question, for example "select user_name, count(*) from sessions group by all"; - reads it from stdin.
        options: Where the copy is.
        output: How the answer is written.
        file: File that holds the question.
    """
    settings = options.load()
    question = _read_question(query, file)
    with open_warehouse(settings.data_dir, limits=Limits.of(settings)) as warehouse, warehouse.hold() as edition:
        write_answer(edition, question, None, output, settings.data_dir)


def _read_question(query: str | None, file: Path | None) -> str:
    if (query is None) == (file is None):
        raise UsageError(
            'write one question: spsetl sql "select …", spsetl sql --file FILE, or spsetl sql - from stdin'
        )
    try:
        if file is not None:
            return file.read_bytes().decode("utf-8-sig")
        return sys.stdin.buffer.read().decode("utf-8-sig") if query == "-" else str(query)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}; name an existing file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file or 'the question on stdin'} is no UTF-8 text; save it as UTF-8") from error
