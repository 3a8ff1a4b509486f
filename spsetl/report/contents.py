"""What the report tells: the answers of `sql/charts/` to one period, all of one published state."""

import re
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from typing import Any, Final

from spsetl.analysis.published import PublishedFile
from spsetl.analysis.reader import Warehouse
from spsetl.analysis.times import Moment, read_range
from spsetl.errors import UsageError
from spsetl.queries import read_statement
from spsetl.report.earlier import Earlier
from spsetl.sync.retention import as_rows, retention_query

DAYS: Final = 30
TOP: Final = 10
_DAY: Final = timedelta(days=1)
# The longest period that is shown in bins of this size.
_BINS: Final = (("day", 92), ("week", 730), ("month", 3653))
_HAS_MARTS: Final = "select count(*) from duckdb_tables() where schema_name = 'mart' and table_name = 'fct_sessions'"

# The clock of sql/reports/retention.sql, which is asked as of the report's own moment.
CLOCK: Final = "(current_timestamp at time zone 'UTC')::timestamp"

Row = dict[str, Any]


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


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All that is told. A list holds rows as their question in `sql/charts/` names them."""

    now: datetime
    period: Period
    copy: Row
    freshness: list[Row]
    retention: list[Row]
    figures: Row
    figures_before: Row | None
    activity: list[Row]
    weekday_hours: list[Row]
    users: list[Row]
    servers: list[Row]
    policies: list[Row]
    verdicts: list[Row]
    risk_scores: list[Row]
    riskiest: list[Row]
    alert_rules: list[Row]
    outside_hours: list[Row]
    earlier: Earlier | None
    runs_since: list[Row]
    newcomers: list[Row]


def ask(warehouse: PublishedFile, name: str, **parameters: Any) -> list[Row]:
    """The rows that answer one question, with those of the parameters that it names."""
    statement = read_statement("charts", name)
    named = set(re.findall(r"\$(\w+)", statement))
    return as_rows(*warehouse.rows(statement, {key: parameters[key] for key in named} or None))


def read_contents(
    warehouse: Warehouse, *, start: Moment | None, end: Moment | None, now: datetime, earlier: Earlier | None
) -> Contents:
    """Ask everything of one published state: whatever is published meanwhile.

    Args:
        warehouse: The published copy.
        start: Begin of the period, or None, see `period_of`.
        end: End of the period, or None.
        now: The moment that ages are measured at (UTC, without a zone).
        earlier: What the last report said.

    Raises:
        UsageError: The period is empty, or the copy has no marts.
    """
    with warehouse.hold() as edition:
        return _read(edition, start=start, end=end, now=now, earlier=earlier)


def _read(
    warehouse: PublishedFile, *, start: Moment | None, end: Moment | None, now: datetime, earlier: Earlier | None
) -> Contents:
    if not warehouse.rows(_HAS_MARTS)[1][0][0]:
        raise UsageError(f"{warehouse.path} was published without marts, by an older spsetl: run `spsetl sync`")
    (copy,) = ask(warehouse, "copy_figures")
    period = period_of(start, end, newest=copy["newest_started_at"] or now)
    bounds: dict[str, Any] = {"range_start": period.start, "range_end": period.end, "size": TOP}
    since = None if earlier is None else earlier.newest_started_at or earlier.made_at
    return Contents(
        now=now,
        period=period,
        copy=copy,
        freshness=ask(warehouse, "freshness", now=now),
        retention=_read_retention(warehouse, now),
        figures=ask(warehouse, "period_figures", **bounds)[0],
        figures_before=_figures_before(warehouse, period, copy["first_started_at"]),
        activity=ask(warehouse, "activity", **bounds, bin_size=period.bin_size),
        weekday_hours=ask(warehouse, "weekday_hours", **bounds),
        users=ask(warehouse, "top_users", **bounds),
        servers=ask(warehouse, "top_servers", **bounds),
        policies=ask(warehouse, "top_policies", **bounds),
        verdicts=ask(warehouse, "verdicts", **bounds),
        risk_scores=ask(warehouse, "risk_scores", **bounds),
        riskiest=ask(warehouse, "riskiest_sessions", **bounds),
        alert_rules=ask(warehouse, "alert_rules", **bounds),
        outside_hours=ask(warehouse, "outside_hours", **bounds),
        earlier=earlier,
        runs_since=ask(warehouse, "runs_since", since=earlier.made_at, now=now) if earlier else [],
        newcomers=ask(warehouse, "newcomers", since=since, size=TOP) if earlier else [],
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


def _read_retention(warehouse: PublishedFile, now: datetime) -> list[Row]:
    """How long the appliances keep what is not copied yet, where their configuration could be read."""
    statement = retention_query().replace(CLOCK, "$now::timestamp")
    return as_rows(*warehouse.rows(statement, {"now": now}))
