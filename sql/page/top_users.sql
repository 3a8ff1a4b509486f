-- Who had most sessions of the period: one row per user.
select
    user_name::varchar as user_name,
    count(*)::bigint as session_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_count,
    count(distinct server_key)::bigint as server_count,
    round((coalesce(sum(duration_seconds), 0) / 3600.0)::decimal(18, 6), 1)::double as hours,
    count(*) filter (where has_failed_login)::bigint as failed_login_count,
    sum(alert_count)::bigint as alert_count,
    max(risk_score)::double as highest_risk_score,
    max(started_at)::timestamp as last_started_at,
    count(*) over ()::bigint as row_total
from mart.fct_sessions
where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
group by user_name
order by session_count desc, user_name
limit $size::bigint
