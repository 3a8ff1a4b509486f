"""`spsetl stats`, `histogram`, `search`, `sql` and `shell`: questions to the copy, read-only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from spsetl.analysis.histogram import BinSize, ask_histogram, counting_bins, fetch_histogram
from spsetl.analysis.population import Match, Population
from spsetl.analysis.published import Limits, PublishedFile
from spsetl.analysis.question import Parameters, Question
from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.analysis.search import COLUMNS, SORT, ask_search, count_found
from spsetl.analysis.stats import DEFAULT_SIZE, ask_stats, fetch_stats
from spsetl.cli.options import DataOptions
from spsetl.cli.output import OutputOptions, write_json, write_question
from spsetl.errors import SpsetlError, UsageError
from spsetl.events import complain

DEFAULT_LIMIT: Final = 100
_BANNER: Final = (
    "The copy is open, read-only, and always the newest that was published.\n"
    "A question in SQL ends with ; at the end of a line. Ctrl-D ends."
)
_PYTHON_BANNER: Final = (
    "This is Python, which may do all that you may; the copy is open, read-only, and always the newest.\n"
    'sql("select …") prints a table; warehouse.sql("…") gives a pandas frame; warehouse.search("protocol:ssh"),\n'
    "warehouse.stats(…) and warehouse.histogram(…) as in a notebook. Ctrl-D ends."
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RangeOptions:
    """Which sessions a question is about, but for its `q`."""

    start: str | None = None
    """Begin of the range, ISO 8601, UTC unless it says otherwise."""
    end: str | None = None
    """End of the range; a date without a time is included."""
    match: Match = "started"
    """started in the range; contained, started and ended in it; or overlap, alive at some moment of it."""
    content: str | None = None
    """Only sessions with these words in a command, a window title or an alert. Not the recorded screen."""
    appliance: str | None = None
    """Only sessions of this appliance."""

    def population(self, q: str | None) -> Population:
        """These sessions, of them those that the expression finds."""
        return Population(**asdict(self) | {"q": q})


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PopulationOptions(RangeOptions):
    """Which sessions a question is about."""

    q: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None  # it may exclude: -protocol:ssh
    """Only sessions that this expression of the appliance's q finds, as 'protocol:ssh AND NOT verdict:DENY'."""


DEFAULTS: Final = DataOptions()
DEFAULT_OUTPUT: Final = OutputOptions()
IN_ANY_RANGE: Final = RangeOptions()
EVERYTHING: Final = PopulationOptions()


def stats(
    field: str,
    /,
    *,
    sub_field: str | None = None,
    size: int = DEFAULT_SIZE,
    which: PopulationOptions = EVERYTHING,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> None:
    """Count sessions by the values of a field, as the appliance's own statistics do.

    Args:
        field: The field in the API's spelling, for example protocol or recording.connection_policy.
        sub_field: A second field, counted within each value of the first.
        size: How many values are shown.
        which: Which sessions.
        options: Where the copy is.
        output: How the answer is written.
    """
    population = which.population(which.q)
    question = ask_stats(field, sub_field=sub_field, size=size, population=population)
    with asking(options, population) as (published, data_dir):
        if output.form == "json":
            answer = fetch_stats(published, field, sub_field=sub_field, size=size, population=population)
            write_json(answer.as_json, output, data_dir)
        else:
            write_question(published, question, output, data_dir)


def histogram(
    field: str | None = None,
    /,
    *,
    bin_size: BinSize = "day",
    time_zone: str = "UTC",
    which: PopulationOptions = EVERYTHING,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> None:
    """Count sessions by bins of time: started in each, and alive at some moment of it.

    Without a range, the bins are those from the first session's start to the last one's.

    Args:
        field: Count only sessions that have a value of this field.
        bin_size: Length of a bin.
        time_zone: Zone whose calendar the bins follow, for example Europe/Budapest.
        which: Which sessions.
        options: Where the copy is.
        output: How the answer is written.
    """
    population = which.population(which.q)
    with asking(options, population) as (published, data_dir):
        if output.form == "json":
            answer = fetch_histogram(published, bin_size, field=field, time_zone=time_zone, population=population)
            write_json(answer.as_json, output, data_dir)
            return
        question = ask_histogram(published, bin_size, field=field, time_zone=time_zone, population=population)
        with counting_bins():
            write_question(published, question, output, data_dir)


def search(
    q: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    columns: str = ",".join(COLUMNS),
    sort: Annotated[str, Parameter(allow_leading_hyphen=True)] = ",".join(SORT),
    limit: int = DEFAULT_LIMIT,
    which: RangeOptions = IN_ANY_RANGE,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> None:
    """List sessions that an expression of the appliance's q finds.

    Args:
        q: The expression, for example "protocol:ssh AND user.name:root"; without one, all sessions.
        columns: Columns of sessions or fields of the API, with commas between; or user, server, client, policy, score.
        sort: What they are sorted by, likewise; - before a name for the greatest first.
        limit: How many at most; 0 for all.
        which: Which sessions.
        options: Where the copy is.
        output: How the answer is written.
    """
    if limit < 0:
        raise UsageError(f"limit must be 0, for all, or more, not {limit}")
    population = which.population(q)
    question = ask_search(population, columns=names(columns), sort=names(sort), limit=limit or None)
    with asking(options, population) as (published, data_dir):
        count = write_question(published, question, output, data_dir)
        if limit and count == limit:
            _, [(whole,)] = published.rows(*count_found(population))
            if whole > limit:
                print(f"{limit:,} of {whole:,} sessions found; --limit 0 shows all", file=sys.stderr)
    if not count:
        print("no session found", file=sys.stderr)


def sql(
    query: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,  # it may begin with a comment
    /,
    *,
    file: Path | None = None,
    options: DataOptions = DEFAULTS,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> None:
    """Answer a question in SQL: read-only, no files, no network.

    Args:
        query: The question, for example "select user_name, count(*) from sessions group by all"; - reads it from stdin.
        file: File that holds the question.
        options: Where the copy is.
        output: How the answer is written.
    """
    question = Question(_read_question(query, file))
    with asking(options) as (published, data_dir):
        write_question(published, question, output, data_dir)


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


def names(text: str) -> list[str]:
    """Those of an option that takes several, with commas between."""
    return [name for name in (part.strip() for part in text.split(",")) if name]


@contextmanager
def asking(
    options: DataOptions, population: Population | None = None, limits: Limits | None = None
) -> Iterator[tuple[PublishedFile, Path]]:
    """One published state, and its data directory; what is to be read beside the answer is told first.

    Raises:
        UsageError: Nothing is published, or not of that appliance.
        StorageError: The file cannot be read.
    """
    settings = options.load()
    limits = limits or Limits.of(settings)
    with open_warehouse(settings.data_dir, limits=limits) as warehouse, warehouse.hold() as published:
        if population is not None:
            population.check_appliance(published)
            for line in population.notices(published):
                complain(line)
        yield published, settings.data_dir


def shell(*, options: DataOptions = DEFAULTS, python: bool = False) -> None:
    """Ask questions in SQL one after the other, each as `spsetl sql` would answer it, and nothing else.

    Args:
        options: Where the copy is.
        python: Open a Python prompt on the copy instead; only the copy is read-only there.
    """
    settings = options.load()
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415 its import gives the prompt arrow keys, and a history in memory alone
    with open_warehouse(settings.data_dir, limits=Limits.of(settings)) as warehouse:
        if python:
            _ask_in_python(warehouse, settings.data_dir)
            return
        if sys.stdin.isatty():
            print(_BANNER, file=sys.stderr)
        for question in _read_questions():
            _answer(warehouse, Question(question), settings.data_dir)


def _read_questions() -> Iterator[str]:
    """What is typed, up to a semicolon at the end of a line each time; the last needs none."""
    is_terminal = sys.stdin.isatty()
    lines: list[str] = []
    while True:
        try:
            lines.append(input(("   ...> " if lines else "spsetl> ") if is_terminal else ""))
        except KeyboardInterrupt:  # forget what was typed
            print(file=sys.stderr)
            lines = []
        except EOFError:
            if "".join(lines).strip():
                yield "\n".join(lines)
            return
        if lines and lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []
        elif not "".join(lines).strip():
            lines = []


def _answer(warehouse: Warehouse, question: Question, data_dir: Path) -> None:
    """A table, or a line of complaint; neither ends the shell."""
    try:
        with warehouse.hold() as published:
            write_question(published, question, DEFAULT_OUTPUT, data_dir)
    except SpsetlError as error:
        complain(str(error))
    except UnicodeError:
        complain("the question is no UTF-8 text; type it anew")
    except KeyboardInterrupt:
        complain("interrupted")


def _ask_in_python(warehouse: Warehouse, data_dir: Path) -> None:
    import code  # noqa: PLC0415 - for this prompt alone

    import spsetl  # noqa: PLC0415

    def sql(query: str, parameters: Parameters = None) -> None:
        """Print the answer to a question in SQL."""
        _answer(warehouse, Question(query, parameters), data_dir)

    known = {"warehouse": warehouse, "sql": sql, "spsetl": spsetl, "__name__": "__console__"}
    code.interact(banner=_PYTHON_BANNER, local=known, exitmsg="")
