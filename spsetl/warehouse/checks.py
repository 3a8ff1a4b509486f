"""Checks before publishing: each is a SELECT of offending rows, and none may come.

The files of `sql/checks/`, and what holds for every table by its key and by what its rows belong to.
"""

from dataclasses import dataclass

from spsetl import schema
from spsetl.errors import CheckError
from spsetl.queries import read_folder
from spsetl.warehouse.work import WorkDatabase


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check: its name, whether it stops the publishing, and how many rows offend."""

    name: str
    is_fatal: bool
    offending_rows: int


def read_checks() -> dict[str, str]:
    """The statements of all checks, by name; each begins with a comment that says `fatal:` or `warning:`."""
    checks = dict(read_folder("checks"))
    for table in schema.COPIED_TABLES:
        if table.parent is not None:
            checks[f"{table.name}__have_a_session"] = (
                "-- fatal: offending rows are of sessions that are not in the copy; none may be\n"
                f"select distinct appliance, session_key from {table.name} "
                f"anti join {table.parent} using (appliance, session_key)"
            )
        if table is schema.SESSIONS or table in schema.DETAIL_TABLES:
            key = ", ".join(table.key)
            checks[f"{table.name}__one_row_per_key"] = (
                "-- fatal: offending rows are there more than once; none may be\n"
                f"select {key}, count(*) as row_count from {table.name} group by {key} having count(*) > 1"
            )
    return dict(sorted(checks.items()))


def run_checks(work: WorkDatabase) -> list[CheckResult]:
    """Run every check against the work database."""
    results = []
    for name, statement in read_checks().items():
        row = work.connection.execute(f"select count(*) from ({statement}) as offending").fetchone()  # noqa: S608 ours
        is_fatal = statement.startswith("-- fatal:")
        results.append(CheckResult(name, is_fatal, int(row[0]) if row else 0))
    return results


def require_passed(results: list[CheckResult]) -> None:
    """Stop unless all fatal checks passed.

    Raises:
        CheckError: Names the checks and how many rows offend.
    """
    failed = [result for result in results if result.is_fatal and result.offending_rows]
    if failed:
        listed = ", ".join(f"{result.name} ({result.offending_rows})" for result in failed)
        raise CheckError(
            f"not published, checks found wrong rows: {listed}; the published file is as it was. "
            "Ask work/warehouse.duckdb what the checks ask, see spsetl/warehouse/checks.py and sql/checks/"
        )
