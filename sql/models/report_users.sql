-- One row per user: the page of users of a report, the one with the highest risk first.
select
    u.user_name::varchar as user_name,
    u.session_count::bigint as session_count,
    u.server_count::bigint as server_count,
    u.client_count::bigint as client_count,
    u.alert_count::bigint as alert_count,
    u.failed_login_count::bigint as failed_login_count,
    u.outside_office_hours_count::bigint as outside_office_hours_count,
    count(*) filter (where s.has_interesting_events)::bigint as interesting_session_count,
    count(*) filter (where s.is_scripted)::bigint as scripted_session_count,
    coalesce(sum(s.duration_seconds), 0)::bigint as total_duration_seconds,
    round(avg(s.risk_score)::decimal(18, 6), 2)::double as average_risk_score,
    u.highest_risk_score::double as highest_risk_score,
    u.first_seen_at::timestamp as first_seen_at,
    u.last_seen_at::timestamp as last_seen_at,
    u.is_active::boolean as is_active
from mart.dim_users as u
inner join mart.fct_sessions as s on u.user_name = s.user_name
group by all
order by highest_risk_score desc nulls last, session_count desc, user_name
