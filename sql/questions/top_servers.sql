-- Which servers are worked on most: one row per server.
select
    server_key::varchar as server_key,
    server_name::varchar as server_name,
    session_count::bigint as session_count,
    user_count::bigint as user_count,
    highest_risk_score::double as highest_risk_score,
    first_seen_at::timestamp as first_session_at,
    last_seen_at::timestamp as last_session_at
from mart.dim_servers
order by session_count desc, server_key
limit 20
