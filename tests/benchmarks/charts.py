"""The statements of the report's charts, each beside plain SQL over the tables of the sync for the same columns."""

from typing import Any, Final

from spsetl.queries import read_statement
from tests.benchmarks.asking import Question, by_sql

_PERIOD: Final = {"range_start": "2025-03-01", "range_end": "2025-04-01"}
_RANGE: Final = "start_time >= timestamp '2025-03-01' and start_time < timestamp '2025-04-01'"
# The office hours of the large copy: Mon-Fri 07:00-19:00 UTC.
_OUTSIDE: Final = "(isodow(start_time) > 5 or hour(start_time) not between 7 and 18)"
_FAILED: Final = "verdict in ('AUTH_FAIL', 'GW_AUTH_FAIL', 'USER_MAPPING_FAIL', 'KEY_ERROR')"
_ALERTS: Final = (
    "left join (select appliance, session_key, count(*) as n from alerts group by all) as alerted "
    "using (appliance, session_key)"
)
_FIGURES: Final = (
    f"count(*) filter (where {_FAILED}), sum(coalesce(n, 0))::bigint, max(analytics_score_aggregated), max(start_time)"
)
_HOURS: Final = "round(coalesce(sum(duration), 0) / 3600.0, 1)"


def _chart(title: str, name: str, plain: str, **values: Any) -> Question:
    """The report's own statement, all of it; the plain one has the same columns."""
    return Question(f"chart, {title}", by_sql(read_statement("page", name), **_PERIOD, **values), plain)


CHARTS: Final = (
    _chart(
        "users",
        "top_users",
        f"select user_name, count(*), count(*) filter (where {_OUTSIDE}), count(distinct server_ip), {_HOURS}, "
        f"{_FIGURES}, count(*) over () from sessions {_ALERTS} where {_RANGE} "
        "group by user_name order by 2 desc, 1 limit 10",
        size=10,
    ),
    _chart(
        "servers",
        "top_servers",
        "select server_ip, max_by(server_name, row(start_time, session_key)), count(*), "
        f"count(*) filter (where {_OUTSIDE}), count(distinct user_name), {_HOURS}, {_FIGURES}, count(*) over () "
        f"from sessions {_ALERTS} where {_RANGE} group by server_ip order by 3 desc, 1 limit 10",
        size=10,
    ),
    _chart(
        "policies",
        "top_policies",
        f"select recording_connection_policy, protocol, count(*), count(*) filter (where {_OUTSIDE}), "
        f"count(distinct user_name), count(distinct server_ip), {_FIGURES}, count(*) over () "
        f"from sessions {_ALERTS} where {_RANGE} group by 1, 2 order by 3 desc, 1, 2 limit 10",
        size=10,
    ),
    _chart(
        "verdicts",
        "verdicts",
        "select verdict, verdict like 'ACCEPT%', count(*), count(distinct user_name), "
        "round(100.0 * count(*) / sum(count(*)) over (), 1)::double, max(start_time) "
        f"from sessions where {_RANGE} group by verdict order by 3 desc, 1",
    ),
    _chart(
        "activity",
        "activity",
        "select date_trunc('day', start_time) as bin, date_trunc('day', start_time) + interval 1 day, count(*), "
        f"count(*) filter (where {_OUTSIDE}), sum(coalesce(n, 0))::bigint, 0 "
        f"from sessions {_ALERTS} where {_RANGE} group by 1, 2 order by 1",
        bin_size="day",
    ),
    _chart(
        "weekday and hour",
        "weekday_hours",
        f"select isodow(start_time), hour(start_time), count(*) from sessions where {_RANGE} group by all order by all",
    ),
    _chart(
        "outside hours",
        "outside_hours",
        f"select user_name, count(*) filter (where {_OUTSIDE}) as n, count(*) filter (where isodow(start_time) > 5), "
        f"round(100.0 * count(*) filter (where {_OUTSIDE}) / count(*), 1)::double, "
        f"max(start_time) filter (where {_OUTSIDE}), count(*) over () from sessions where {_RANGE} group by 1 "
        "having n > 0 order by 2 desc, 1 limit 10",
        size=10,
    ),
    _chart(
        "risk scores",
        "risk_scores",
        "select least(floor(analytics_score_aggregated / 10), 9)::integer * 10 as lowest, count(*) from sessions "
        f"where {_RANGE} and analytics_score_aggregated is not null group by 1 order by 1",
    ),
    _chart(
        "riskiest sessions",
        "riskiest_sessions",
        "select analytics_score_aggregated as risk, (select algorithm from session_scores as s where "
        "s.session_key = sessions.session_key), start_time, user_name, server_name, protocol, appliance, session_key "
        f"from sessions where {_RANGE} and analytics_score_aggregated is not null "
        "order by risk desc, start_time desc, appliance, session_key limit 10",
        size=10,
    ),
    _chart(
        "alert rules",
        "alert_rules",
        "select rule_name, count(*), count(distinct (alerts.appliance, alerts.session_key)), "
        "count(distinct user_name), mode(user_name order by user_name), max(alerts.time), count(*) over () "
        "from alerts join sessions using (appliance, session_key) "
        f"where {_RANGE} group by 1 order by 2 desc, 1 limit 10",
        size=10,
    ),
)
