-- The riskiest sessions and why: one row per session, the highest score first.
with reasons as (
    select
        appliance,
        session_key,
        string_agg(algorithm || ' ' || round(score)::integer, ', ' order by score desc, algorithm) as reasons
    from session_scores
    group by appliance, session_key
)

select
    s.started_at::timestamp as started_at,
    s.user_name::varchar as user_name,
    coalesce(s.server_name, s.server_key)::varchar as server,
    s.protocol::varchar as protocol,
    s.risk_score::double as risk_score,
    reasons.reasons::varchar as reasons,
    s.appliance::varchar as appliance,
    s.session_key::varchar as session_key
from mart.fct_sessions as s
left join reasons on s.appliance = reasons.appliance and s.session_key = reasons.session_key
where s.risk_score is not null
order by s.risk_score desc, s.started_at desc, s.appliance, s.session_key
limit 20
