-- One row per server: the page of servers of a report, the one with the highest risk first.
select
    d.server_key::varchar as server_key,
    d.server_name::varchar as server_name,
    d.server_ip::varchar as server_ip,
    d.session_count::bigint as session_count,
    d.user_count::bigint as user_count,
    count(distinct s.client_key)::bigint as client_count,
    d.alert_count::bigint as alert_count,
    count(*) filter (where s.has_failed_login)::bigint as failed_login_count,
    count(*) filter (where s.is_outside_office_hours)::bigint as outside_office_hours_count,
    count(*) filter (where s.has_interesting_events)::bigint as interesting_session_count,
    coalesce(sum(s.duration_seconds), 0)::bigint as total_duration_seconds,
    round(avg(s.risk_score)::decimal(18, 6), 2)::double as average_risk_score,
    d.highest_risk_score::double as highest_risk_score,
    d.first_seen_at::timestamp as first_seen_at,
    d.last_seen_at::timestamp as last_seen_at
from mart.dim_servers as d
inner join mart.fct_sessions as s on d.server_key = s.server_key
group by all
order by highest_risk_score desc nulls last, session_count desc, server_key
