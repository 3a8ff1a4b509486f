-- From where most sessions come: one row per client.
select
    client_key::varchar as client_key,
    client_name::varchar as client_name,
    session_count::bigint as session_count,
    user_count::bigint as user_count,
    highest_risk_score::double as highest_risk_score,
    first_seen_at::timestamp as first_session_at,
    last_seen_at::timestamp as last_session_at
from mart.dim_clients
order by session_count desc, client_key
limit 20
