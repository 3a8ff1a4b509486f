"""Checks before publishing: each file of `sql/checks/` is a SELECT of offending rows; none may come."""

from dataclasses import dataclass

from spsetl.errors import CheckError
from spsetl.queries import read_folder
from spsetl.warehouse.work import WorkDatabase


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check: its name, whether it stops the publishing, and how many rows offend."""

    name: str
    is_fatal: bool
    offending_rows: int


def run_checks(work: WorkDatabase) -> list[CheckResult]:
    """Run every check against the work database.

    The first line of a check's file is a comment that begins with `fatal:` or `warning:`.
    """
    results = []
    for name, statement in read_folder("checks").items():
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
            "Run the check's file of sql/checks/ against work/warehouse.duckdb to see them"
        )
