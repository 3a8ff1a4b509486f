-- One row per user that any session of the copy names, on whichever appliance.
select
    user_name::varchar as user_name,
    count(*)::bigint as session_count,
    count(distinct server_key)::bigint as server_count,
    count(distinct client_key)::bigint as client_count,
    coalesce(sum(alert_count), 0)::bigint as alert_count,
    count(*) filter (where has_failed_login)::bigint as failed_login_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_office_hours_count,
    max(risk_score)::double as highest_risk_score,
    min(started_at)::timestamp as first_seen_at,
    max(started_at)::timestamp as last_seen_at,
    bool_or(is_active)::boolean as is_active
from mart.fct_sessions
where user_name is not null
group by user_name
