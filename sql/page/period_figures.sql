-- The figures of the sessions of the period, $range_start to $range_end: one row per period.
select
    count(*)::bigint as session_count,
    count(distinct user_name)::bigint as user_count,
    count(distinct server_key)::bigint as server_count,
    round((coalesce(sum(duration_seconds), 0) / 3600.0)::decimal(18, 6), 1)::double as hours,
    count(*) filter (where is_active)::bigint as active_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_count,
    count(*) filter (where has_failed_login)::bigint as failed_login_count,
    count(*) filter (where verdict like 'ACCEPT%')::bigint as accepted_count,
    count(*) filter (where is_first_user_server_pair)::bigint as new_pair_count,
    count(*) filter (where risk_score is not null)::bigint as scored_count,
    count(*) filter (where risk_score >= 80)::bigint as high_risk_count,
    count(alert_count)::bigint as alerts_fetched_count,
    sum(alert_count)::bigint as alert_count,
    count(*) filter (where alert_count > 0)::bigint as alerted_session_count
from mart.fct_sessions
where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
