-- The sessions of the period that scored highest: one row per session.
select
    risk_score::double as risk_score,
    highest_score_algorithm::varchar as highest_score_algorithm,
    started_at::timestamp as started_at,
    user_name::varchar as user_name,
    coalesce(server_name, server_key)::varchar as server,
    protocol::varchar as protocol,
    appliance::varchar as appliance,
    session_key::varchar as session_key
from mart.fct_sessions
where
    started_at >= $range_start::timestamp and started_at < $range_end::timestamp
    and risk_score is not null
order by risk_score desc, started_at desc, appliance, session_key
limit $size::bigint
