-- Which servers had most sessions of the period: one row per server.
select
    server_key::varchar as server_key,
    coalesce(max_by(server_name, row(started_at, appliance, session_key)), server_key)::varchar as server,
    count(*)::bigint as session_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_count,
    count(distinct user_name)::bigint as user_count,
    round((coalesce(sum(duration_seconds), 0) / 3600.0)::decimal(18, 6), 1)::double as hours,
    count(*) filter (where has_failed_login)::bigint as failed_login_count,
    sum(alert_count)::bigint as alert_count,
    max(risk_score)::double as highest_risk_score,
    max(started_at)::timestamp as last_started_at,
    count(*) over ()::bigint as row_total
from mart.fct_sessions
where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
group by server_key
order by session_count desc, server_key
limit $size::bigint
