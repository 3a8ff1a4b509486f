-- One row per client that any session of the copy names, by its address, or its name where it has none.
select
    client_key::varchar as client_key,
    arg_max(client_name, row(started_at, appliance, session_key))::varchar as client_name,
    arg_max(client_ip, row(started_at, appliance, session_key))::varchar as client_ip,
    count(*)::bigint as session_count,
    count(distinct user_name)::bigint as user_count,
    coalesce(sum(alert_count), 0)::bigint as alert_count,
    max(risk_score)::double as highest_risk_score,
    min(started_at)::timestamp as first_seen_at,
    max(started_at)::timestamp as last_seen_at
from mart.fct_sessions
where client_key is not null
group by client_key
