-- Which connection policies let most sessions of the period in: one row per policy and protocol.
select
    connection_policy::varchar as connection_policy,
    protocol::varchar as protocol,
    count(*)::bigint as session_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_count,
    count(distinct user_name)::bigint as user_count,
    count(distinct server_key)::bigint as server_count,
    count(*) filter (where has_failed_login)::bigint as failed_login_count,
    sum(alert_count)::bigint as alert_count,
    max(risk_score)::double as highest_risk_score,
    max(started_at)::timestamp as last_started_at,
    count(*) over ()::bigint as row_total
from mart.fct_sessions
where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
group by connection_policy, protocol
order by session_count desc, connection_policy, protocol
limit $size::bigint
