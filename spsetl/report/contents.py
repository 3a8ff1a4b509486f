"""What the report tells: the answers of `sql/page/` to one period, all of one published state."""

import re
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from spsetl.analysis.published import PublishedFile
from spsetl.analysis.reader import Warehouse
from spsetl.analysis.times import Moment, read_range
from spsetl.errors import UsageError
from spsetl.queries import read_statement
from spsetl.sync.status import as_rows, retention_query

DAYS: Final = 30
TOP: Final = 10
# The clock of sql/status/retention.sql, which is asked as of the report's own moment.
CLOCK: Final = "(current_timestamp at time zone 'UTC')::timestamp"

_DAY: Final = timedelta(days=1)
# The longest period that is shown in bins of this size.
_BINS: Final = (("day", 92), ("week", 730), ("month", 3653))
_HAS_MARTS: Final = "select count(*) from duckdb_tables() where schema_name = 'mart' and table_name = 'fct_sessions'"
# By the name that the page has for the answer: rows of the question, or its only one.
_ROWS: Final = {
    "freshness": "freshness",
    "activity": "activity",
    "weekday_hours": "weekday_hours",
    "users": "top_users",
    "servers": "top_servers",
    "policies": "top_policies",
    "verdicts": "verdicts",
    "risk_scores": "risk_scores",
    "riskiest": "riskiest_sessions",
    "alert_rules": "alert_rules",
    "outside_hours": "outside_hours",
    "runs_since": "runs_since",
    "newcomers": "newcomers",
}

Row = dict[str, Any]
Contents = SimpleNamespace
"""All that is told: the lists of `_ROWS`, `retention`, and one row each of `copy`, `changes`, `figures` and, if the
copy reaches back so far, `figures_before`; with `period`, and `now` and `since` (UTC, without a zone)."""


@dataclass(frozen=True)
class Period:
    """Sessions that started from `start` and before `end` (UTC, without a zone)."""

    start: datetime
    end: datetime

    @property
    def bin_size(self) -> str:
        """Length of the bins that it is shown in."""
        return next((size for size, days in _BINS if self.end - self.start <= days * _DAY), "year")

    @property
    def before(self) -> "Period":
        """The period of the same length before it."""
        return Period(self.start - (self.end - self.start), self.start)


def ask(warehouse: PublishedFile, name: str, **parameters: Any) -> list[Row]:
    """The rows that answer one question, with those of the parameters that it names."""
    statement = read_statement("page", name)
    named = set(re.findall(r"\$(\w+)", statement))
    return as_rows(*warehouse.rows(statement, {key: parameters[key] for key in named} or None))


def read_contents(
    warehouse: Warehouse, *, start: Moment | None, end: Moment | None, since: Moment | None, now: datetime
) -> Contents:
    """Ask everything of one published state: whatever is published meanwhile.

    Args:
        warehouse: The published copy.
        start: Begin of the period, or None, see `period_of`.
        end: End of the period, or None.
        since: The moment that what changed is told from; None: a day ago.
        now: The moment that ages are measured at (UTC, without a zone).

    Raises:
        UsageError: The period is empty, or the copy has no marts.
    """
    earlier = read_range(since, None)[0] or now - _DAY
    with warehouse.hold() as edition:
        if not edition.rows(_HAS_MARTS)[1][0][0]:
            raise UsageError(f"{edition.path} was published without marts, by an older spsetl: run `spsetl sync`")
        (copy,) = ask(edition, "copy_figures")
        period = period_of(start, end, newest=copy["newest_started_at"] or now)
        given: Row = {"range_start": period.start, "range_end": period.end, "bin_size": period.bin_size}
        given |= {"size": TOP, "since": earlier, "now": now}
        retention = retention_query().replace(CLOCK, "$now::timestamp")
        return Contents(
            now=now,
            since=earlier,
            period=period,
            copy=copy,
            changes=ask(edition, "changes_since", **given)[0],
            figures=ask(edition, "period_figures", **given)[0],
            figures_before=_figures_before(edition, period, copy["first_started_at"]),
            retention=as_rows(*edition.rows(retention, {"now": now})),
            **{name: ask(edition, question, **given) for name, question in _ROWS.items()},
        )


def period_of(start: Moment | None, end: Moment | None, *, newest: datetime) -> Period:
    """The period that is asked for; what is not said is 30 days, up to the end of the newest session's day (UTC).

    Raises:
        UsageError: It is empty.
    """
    first, after = read_range(start, end)
    day = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    after = after or min(day, day.replace(year=MAXYEAR, month=12, day=30)) + _DAY  # no day follows the last of all
    first = first or after - DAYS * _DAY
    if after <= first:
        raise UsageError(f"no session started at or after {start}: the newest one started {newest:%Y-%m-%d %H:%M} UTC")
    return Period(first, after)


def _figures_before(warehouse: PublishedFile, period: Period, first: datetime | None) -> Row | None:
    """The figures of the period before, unless the copy begins within it."""
    before = period.before
    if first is None or first.date() > before.start.date():
        return None
    return ask(warehouse, "period_figures", range_start=before.start, range_end=before.end)[0]
