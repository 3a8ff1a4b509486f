"""`spsetl export` and `spsetl report`: files for others, the marts for tools and one page for people."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from spsetl.analysis.population import Population, check_choice
from spsetl.analysis.published import Limits, PublishedFile
from spsetl.analysis.question import Question
from spsetl.cli.ask import DEFAULTS, EVERYTHING, PopulationOptions, asking, names
from spsetl.cli.files import NewFiles, check_not_the_copy, write_error
from spsetl.cli.options import DataOptions
from spsetl.cli.output import write_answer
from spsetl.errors import UsageError
from spsetl.queries import read_statement
from spsetl.report import write_report

ExportForm = Literal["parquet", "csv"]


@dataclass(frozen=True)
class Mart:
    """A table or view of schema `mart`; the comment of each of its columns by name."""

    name: str
    comment: str | None
    columns: dict[str, str]

    @property
    def is_of_sessions(self) -> bool:
        """True if each row belongs to one session, so that only those of some sessions can be taken."""
        return {"appliance", "session_key"} <= self.columns.keys()

    def ask(self, population: Population) -> Question:
        """The question for its rows, of the population alone where a row is of a session."""
        text = f'select marts.* from mart."{self.name}" as marts'  # noqa: S608 a name of the catalog
        if population.is_everything or not self.is_of_sessions:
            return Question(text)
        found = population.condition
        keys = f"select (sessions.appliance, sessions.session_key) from sessions where {found.sql}"  # noqa: S608 our own
        return Question(f"{text} where (marts.appliance, marts.session_key) in ({keys})", found.parameters)


def export(
    folder: Path,
    /,
    *,
    format: ExportForm = "parquet",  # noqa: A002 the option's name
    marts: str | None = None,
    raw: bool = False,
    which: PopulationOptions = EVERYTHING,
    options: DataOptions = DEFAULTS,
) -> None:
    """Write every mart as FOLDER/<mart>/<mart>.parquet, all of one published state; each old file is replaced whole.

    With q, a range, content or an appliance, marts with a row per session (or channel, event, alert) are of the
    sessions found.

    Args:
        folder: Folder to write into; nothing else in it is touched.
        format: parquet or csv.
        marts: Only these, with commas between.
        raw: CSV without the apostrophe before text that a spreadsheet would take for a formula.
        which: Which sessions.
        options: Where the copy is.
    """
    population = which.population(which.q)
    check_not_the_copy(folder, options.load().data_dir)
    with asking(options, population, Limits(seconds=None)) as (published, _):
        chosen = _choose(_fetch_marts(published), marts)
        counts = _write(published, chosen, population, folder, format, raw=raw)
    for mart in chosen:
        is_whole = not population.is_everything and not mart.is_of_sessions
        whole = ", whole: no row of it is of one session" if is_whole else ""
        print(f"{mart.name}: {counts[mart.name]:,} rows{whole}", file=sys.stderr, flush=True)


def _fetch_marts(published: PublishedFile) -> list[Mart]:
    found: dict[str, Mart] = {}
    for name, comment, column, meaning in published.rows(read_statement("export", "marts"))[1]:
        found.setdefault(name, Mart(name, comment, {})).columns[column] = meaning or ""
    if not found:
        raise UsageError(f"{published.path} has no marts yet: run `spsetl sync` with this version of spsetl")
    return list(found.values())


def _choose(known: list[Mart], wanted: str | None) -> list[Mart]:
    if wanted is None:
        return known
    by_name = {mart.name: mart for mart in known}
    chosen = names(wanted)
    if not chosen:
        raise UsageError(f"no mart is named: some of {', '.join(by_name)}")
    for name in chosen:
        check_choice("mart", name, list(by_name))
    return [by_name[name] for name in dict.fromkeys(chosen)]


def _write(
    published: PublishedFile, marts: list[Mart], population: Population, folder: Path, form: ExportForm, *, raw: bool
) -> dict[str, int]:
    """Every file, then all in their places together; gives the numbers of rows."""
    counts: dict[str, int] = {}
    with NewFiles() as files:
        for mart in marts:
            path = folder / mart.name / f"{mart.name}.{form}"
            _make_folder(path.parent)
            with files.open(path) as file:
                counts[mart.name] = write_answer(
                    published, mart.ask(population), form, file, raw=raw, comment=mart.comment, comments=mart.columns
                )
    return counts


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"cannot make the folder {folder}: a file is in its place") from error
    except OSError as error:
        raise write_error(str(folder), error) from error


def report(
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    start: str | None = None,
    end: str | None = None,
    since: str | None = None,
    options: DataOptions = DEFAULTS,
) -> None:
    """Write one HTML page: whether the copy is fresh and complete, and what happened; print where it is.

    The page holds no script and loads nothing: it can be kept, mailed and printed. It needs the extra spsetl[report].

    Args:
        output: The file to write; by default one with the time in its name, in reports/ of the data directory.
        start: Begin of the period, ISO 8601, UTC unless it says otherwise; by default 30 days before its end.
        end: End of the period; a date without a time is included; by default the day of the newest session.
        since: What is new or has changed since this moment is told apart; by default a day ago.
        options: Where the copy is.
    """
    settings = options.load()
    if output is not None:
        check_not_the_copy(output, settings.data_dir)
    hours = str(settings.office_hours)
    print(write_report(settings.data_dir, output=output, start=start, end=end, since=since, office_hours=hours))
