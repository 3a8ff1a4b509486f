-- One row per server that any session of the copy names, by its address, or its name where it has none.
select
    server_key::varchar as server_key,
    arg_max(server_name, row(started_at, appliance, session_key))::varchar as server_name,
    arg_max(server_ip, row(started_at, appliance, session_key))::varchar as server_ip,
    count(*)::bigint as session_count,
    count(distinct user_name)::bigint as user_count,
    coalesce(sum(alert_count), 0)::bigint as alert_count,
    max(risk_score)::double as highest_risk_score,
    min(started_at)::timestamp as first_seen_at,
    max(started_at)::timestamp as last_seen_at
from mart.fct_sessions
where server_key is not null
group by server_key
