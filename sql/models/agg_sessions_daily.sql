-- One row per day (UTC), appliance, protocol and verdict of the sessions that started then.
select
    started_date::date as started_date,
    appliance::varchar as appliance,
    protocol::varchar as protocol,
    verdict::varchar as verdict,
    count(*)::bigint as session_count,
    count(distinct user_name)::bigint as user_count,
    count(distinct server_key)::bigint as server_count,
    coalesce(sum(alert_count), 0)::bigint as alert_count,
    coalesce(sum(event_count), 0)::bigint as event_count,
    count(*) filter (where has_failed_login)::bigint as failed_login_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_office_hours_count,
    count(*) filter (where is_active)::bigint as active_count,
    coalesce(sum(duration_seconds), 0)::bigint as total_duration_seconds,
    max(risk_score)::double as highest_risk_score
from mart.fct_sessions
group by all
