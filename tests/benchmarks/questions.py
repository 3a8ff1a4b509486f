"""Macros, marts, charts and `q` beside the plain SQL for the same answer: `python -m tests.benchmarks.questions`.

Both are asked in turn of one open copy, and must give the same rows; the table has the median of each and the middle
ratio. The exit code is 1 where the answers differ, or a ratio is over the target.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from spsetl.analysis.population import Population
from spsetl.analysis.reader import Warehouse, open_warehouse
from spsetl.analysis.stats import fetch_stats
from tests.benchmarks.asking import Question, Rows, by_sql
from tests.benchmarks.charts import CHARTS
from tests.benchmarks.large_copy import make_large_copy

TARGET: Final = 1.3
# What is below this is dominated by planning, which a person does not notice.
LEAST_SECONDS: Final = 0.05
_RANGE: Final = "start_time >= timestamp '2025-03-01' and start_time < timestamp '2025-04-01'"


def top(field: str, where: str = "true", size: int = 10) -> str:
    """The most frequent values by hand."""
    return (
        f"select {field}, count(*) from sessions where {field} is not null and {where} "
        f"group by 1 order by 2 desc, 1 limit {size}"
    )


def ask_stats(field: str, q: str) -> Callable[[Warehouse], Rows]:
    """As `spsetl stats` asks."""
    return lambda warehouse: [
        (row[0], row[1]) for row in fetch_stats(warehouse, field, population=Population(q=q)).rows
    ]


QUESTIONS: Final = (
    Question(
        "session_stats, policy",
        by_sql("select value, count from session_stats('recording.connection_policy')"),
        top("recording_connection_policy"),
    ),
    Question(
        "session_stats, user of a month",
        by_sql(
            "select value, count from session_stats('user.name', start_at := timestamp '2025-03-01', "
            "end_at := timestamp '2025-04-01')"
        ),
        top("user_name", _RANGE),
    ),
    Question(
        "session_stats, list",
        by_sql("select value, count from session_stats('user.server_username')"),
        # A value that stands twice in one list counts once.
        "select value, count(*) from (select distinct appliance, session_key, value from session_lists "
        "where field = 'user.server_username') group by 1 order by 2 desc, 1 limit 10",
    ),
    Question(
        "session_stats, protocol by verdict",
        by_sql("select value, sub_value, sub_count from session_stats('protocol', sub_field := 'verdict')"),
        "with counted as (select protocol, verdict, count(*) as n from sessions group by 1, 2) "
        "select protocol, verdict, n from counted order by sum(n) over (partition by protocol) desc, 1, n desc, 2",
    ),
    Question(
        "session_histogram, month",
        by_sql("select bin_start, start_count, active_count from session_histogram('month', now_at := '2026-01-01')"),
        "with bins as (select unnest(generate_series(timestamp '2024-01-01', timestamp '2025-12-01', interval 1 month))"
        " as b), counted as (select date_trunc('month', start_time) as b, count(*) as n from sessions group by 1), "
        "alive as (select bins.b, count(*) as n from bins join sessions on start_time < b + interval 1 month "
        "and coalesce(end_time, timestamp '2026-01-01') >= b group by 1) "
        "select bins.b, coalesce(c.n, 0), coalesce(a.n, 0) from bins left join counted c using (b) "
        "left join alive a using (b) order by 1",
    ),
    Question(
        "session_histogram, day of a month",
        by_sql(
            "select bin_start, start_count from session_histogram('day', start_at := timestamp '2025-03-01', "
            "end_at := timestamp '2025-04-01')"
        ),
        f"select date_trunc('day', start_time), count(*) from sessions where {_RANGE} group by 1 order by 1",
    ),
    Question(
        "stats with q, words",
        ask_stats("user.name", "protocol:ssh AND NOT verdict:ACCEPT"),
        top("user_name", "lower(protocol) = 'ssh' and lower(verdict) is distinct from 'accept'"),
    ),
    Question(
        "stats with q, wildcard and range",
        ask_stats("recording.connection_policy", "user.name:user1* AND analytics.score.aggregated:[70 TO 100]"),
        top(
            "recording_connection_policy",
            "lower(user_name) like 'user1%' and analytics_score_aggregated between 70 and 100",
        ),
    ),
    Question(
        "stats with q, list",
        ask_stats("protocol", "analytics.tags:pci"),
        top(
            "protocol",
            "(appliance, session_key) in (select (appliance, session_key) from session_lists "
            "where field = 'analytics.tags' and lower(value) = 'pci')",
        ),
    ),
    Question(
        "fct_sessions, users outside hours",
        by_sql(
            "select user_name, count(*) from mart.fct_sessions where is_outside_office_hours and user_name is not null "
            "group by 1 order by 2 desc, 1 limit 10"
        ),
        top("user_name", "(isodow(start_time) > 5 or hour(start_time) not between 7 and 18)"),
    ),
    Question(
        "fct_events, types",
        by_sql("select event_type, count(*) from mart.fct_events group by 1 order by 2 desc"),
        "select type, count(*) from events group by 1 order by 2 desc",
    ),
    Question(
        "fct_alerts, rules",
        by_sql("select rule_name, count(*) from mart.fct_alerts group by 1 order by 1"),
        "select rule_name, count(*) from alerts group by 1 order by 1",
    ),
    Question(
        "agg_sessions_daily, a year",
        by_sql(
            "select year(started_date), sum(session_count)::bigint from mart.agg_sessions_daily group by 1 order by 1"
        ),
        "select year(start_time), count(*) from sessions group by 1 order by 1",
    ),
    Question(
        "report_users",
        by_sql(
            "select user_name, session_count, server_count, client_count, failed_login_count, "
            "outside_office_hours_count, total_duration_seconds, average_risk_score, first_seen_at, last_seen_at "
            "from mart.report_users order by session_count desc, user_name limit 20"
        ),
        "select user_name, count(*), count(distinct server_ip), count(distinct client_ip), count(*) filter (where "
        "verdict in ('AUTH_FAIL', 'GW_AUTH_FAIL', 'USER_MAPPING_FAIL', 'KEY_ERROR')), count(*) filter (where "
        "isodow(start_time) > 5 or hour(start_time) not between 7 and 18), coalesce(sum(duration), 0)::bigint, "
        "round(avg(analytics_score_aggregated), 2), min(start_time), max(start_time) from sessions "
        "where user_name is not null group by 1 order by 2 desc, 1 limit 20",
    ),
    *CHARTS,
)


@dataclass(frozen=True)
class Measured:
    """How one question fared."""

    name: str
    seconds: float
    plain_seconds: float
    ratio: float
    is_equal: bool

    @property
    def is_good(self) -> bool:
        """Equal, and as fast as it is to be."""
        return self.is_equal and (self.ratio <= TARGET or self.seconds < LEAST_SECONDS)


def measure(warehouse: Warehouse, question: Question, rounds: int) -> Measured:
    """Ask both in turn; the first round fills the caches and is compared."""
    ours, plain = question.ours, by_sql(question.plain)
    is_equal = ours(warehouse) == plain(warehouse)
    pairs = [(_seconds(ours, warehouse), _seconds(plain, warehouse)) for _ in range(rounds)]
    return Measured(
        question.name,
        median(pair[0] for pair in pairs),
        median(pair[1] for pair in pairs),
        median(pair[0] / pair[1] for pair in pairs),
        is_equal,
    )


def _seconds(ask: Callable[[Warehouse], Rows], warehouse: Warehouse) -> float:
    began = time.perf_counter()
    ask(warehouse)
    return time.perf_counter() - began


def measure_all(path: Path, rounds: int, only: str) -> Iterator[Measured]:
    """All questions whose names have that text."""
    with open_warehouse(path) as warehouse:
        for question in QUESTIONS:
            if only in question.name:
                yield measure(warehouse, question, rounds)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.questions", description="Ratios to plain SQL.")
    parser.add_argument("--sessions", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only questions whose name has this text")
    parser.add_argument("--copy", type=Path, default=Path("/tmp/spsetl-large.duckdb"), help="made where it is missing")  # noqa: S108 large, and kept for the next time
    given = parser.parse_args()
    began = time.perf_counter()
    make_large_copy(given.copy, given.sessions)
    print(
        f"{given.copy}: {given.copy.stat().st_size / 2**20:,.0f} MiB, {time.perf_counter() - began:,.0f} s",
        file=sys.stderr,
    )
    measured = list(measure_all(given.copy, given.rounds, given.only))
    table = Table("question", "seconds", "plain SQL", "ratio", "answers", "")
    for one in measured:
        state = "good" if one.is_good else "over" if one.is_equal else "DIFFERENT"
        table.add_row(
            one.name, f"{one.seconds:.3f}", f"{one.plain_seconds:.3f}", f"{one.ratio:.2f}",
            "equal" if one.is_equal else "differ", state,
        )  # fmt: skip
    Console(width=110).print(table)
    return 0 if all(one.is_good for one in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
