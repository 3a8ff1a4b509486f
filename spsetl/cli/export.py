"""`spsetl export`: the marts as files, for tools that read Parquet or CSV."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

from cyclopts import Parameter

from spsetl.analysis.lucene import Condition, notices
from spsetl.analysis.search import found_sessions
from spsetl.analysis.source import Match, check_choice
from spsetl.cli.files import NewFiles, check_not_the_copy, write_error
from spsetl.cli.options import DataOptions
from spsetl.cli.output import write_parquet, write_text
from spsetl.errors import UsageError
from spsetl.warehouse.edition import Edition, Limits
from spsetl.warehouse.reader import open_warehouse

DEFAULTS = DataOptions()
ExportForm = Literal["parquet", "csv"]
_CATALOG: Final = """
select marts.name, marts.comment, columns.column_name, columns.comment
from (
    select table_name as name, comment from duckdb_tables() where database_name = 'warehouse' and schema_name = 'mart'
    union all
    select view_name as name, comment from duckdb_views() where database_name = 'warehouse' and schema_name = 'mart'
) as marts
inner join duckdb_columns() as columns on marts.name = columns.table_name
where columns.database_name = 'warehouse' and columns.schema_name = 'mart'
order by marts.name, columns.column_index
"""


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

    def ask(self, found: Condition | None) -> tuple[str, dict[str, Any]]:
        """The question for its rows, of the found sessions alone where a row is of a session; and its values."""
        text = f'select marts.* from mart."{self.name}" as marts'  # noqa: S608 a name of the catalog
        if found is None or not self.is_of_sessions:
            return text, {}
        keys = f"select (sessions.appliance, sessions.session_key) from sessions where {found.sql}"  # noqa: S608 our own
        return f"{text} where (marts.appliance, marts.session_key) in ({keys})", found.parameters


def export(
    folder: Path,
    /,
    *,
    options: DataOptions = DEFAULTS,
    format: ExportForm = "parquet",  # noqa: A002 the option's name
    marts: str | None = None,
    q: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    start: str | None = None,
    end: str | None = None,
    match: Match = "started",
    content: str | None = None,
    raw: bool = False,
) -> None:
    """Write every mart as FOLDER/<mart>/<mart>.parquet, all of one published state; each old file is replaced whole.

    With q, a range or content, marts with a row per session (or channel, event, alert) are of the sessions found.

    Args:
        folder: Folder to write into; nothing else in it is touched.
        options: Where the copy is.
        format: parquet or csv.
        marts: Only these, with commas between.
        q: Only sessions that this expression of the appliance's q finds.
        start: Begin of the range, ISO 8601, UTC unless it says otherwise.
        end: End of the range; a date without a time is included.
        match: started in the range; contained, started and ended in it; or overlap, alive at some moment of it.
        content: Only sessions with these words in a command, a window title or an alert.
        raw: CSV without the apostrophe before text that a spreadsheet would take for a formula.
    """
    data_dir = options.load().data_dir
    check_not_the_copy(folder, data_dir)
    is_restricted = any(given is not None for given in (q, start, end, content))
    found = found_sessions(q, start=start, end=end, match=match, content=content) if is_restricted else None
    with open_warehouse(data_dir, limits=Limits(seconds=None)) as warehouse, warehouse.hold() as edition:
        for line in notices(edition, q, content, start=start, end=end, match=match):
            _say(line)
        chosen = _choose(_fetch_marts(edition), marts)
        counts = _write(edition, chosen, found, folder, format, raw=raw)
    for mart in chosen:
        whole = ", whole: no row of it is of one session" if found is not None and not mart.is_of_sessions else ""
        _say(f"{mart.name}: {counts[mart.name]:,} rows{whole}")


def _fetch_marts(edition: Edition) -> list[Mart]:
    found: dict[str, Mart] = {}
    for name, comment, column, meaning in edition.rows(_CATALOG)[1]:
        found.setdefault(name, Mart(name, comment, {})).columns[column] = meaning or ""
    if not found:
        raise UsageError(f"{edition.path} has no marts yet: run `spsetl sync` with this version of spsetl")
    return list(found.values())


def _choose(known: list[Mart], names: str | None) -> list[Mart]:
    if names is None:
        return known
    by_name = {mart.name: mart for mart in known}
    wanted = [name for name in (part.strip() for part in names.split(",")) if name]
    if not wanted:
        raise UsageError(f"no mart is named: some of {', '.join(by_name)}")
    for name in wanted:
        check_choice("mart", name, list(by_name))
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _write(
    edition: Edition, marts: list[Mart], found: Condition | None, folder: Path, form: ExportForm, *, raw: bool
) -> dict[str, int]:
    """Every file, then all in their places together; gives the numbers of rows."""
    counts: dict[str, int] = {}
    with NewFiles() as files:
        for mart in marts:
            path = folder / mart.name / f"{mart.name}.{form}"
            _make_folder(path.parent)
            with files.open(path) as file:
                counts[mart.name] = _write_mart(edition, mart, found, file, form, raw=raw)
    return counts


def _write_mart(
    edition: Edition, mart: Mart, found: Condition | None, file: BinaryIO, form: ExportForm, *, raw: bool
) -> int:
    query, parameters = mart.ask(found)
    if form == "parquet":
        return write_parquet(edition, query, parameters, file, comment=mart.comment, comments=mart.columns)
    with edition.stream(query, parameters) as answer:
        return write_text(answer, form, file, raw=raw)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"cannot make the folder {folder}: a file is in its place") from error
    except OSError as error:
        raise write_error(str(folder), error) from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
